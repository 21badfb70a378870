//! The live what-if: what the binary body says is what SQL says.

use serde_json::{Value, json};

use super::{Client, SHARED, defaults};

/// An answer, taken apart.
struct Live {
    head: Value,
    series: Vec<(String, Vec<i32>)>,
}

fn decode(body: &[u8]) -> Live {
    assert_eq!(&body[..4], b"HSL1");
    let length = u32::from_le_bytes(body[4..8].try_into().unwrap()) as usize;
    assert_eq!(length % 4, 0);
    let head: Value = serde_json::from_slice(&body[8..8 + length]).unwrap();
    let width = head["width"].as_u64().unwrap() as usize;
    let mut rest = &body[8 + length..];
    let names = head["series"].as_array().unwrap().clone();
    let series = names.iter().map(|name| {
        let (values, behind) = rest.split_at(4 * width);
        rest = behind;
        let values = values
            .chunks(4)
            .map(|v| i32::from_le_bytes(v.try_into().unwrap()));
        (name.as_str().unwrap().to_owned(), values.collect())
    });
    let series = series.collect();
    assert!(rest.is_empty());
    Live { head, series }
}

impl Live {
    fn series(&self, name: &str) -> &[i32] {
        let found = self.series.iter().find(|(known, _)| known == name);
        &found.unwrap().1
    }

    /// An amount of the row in the units of the series.
    fn amount(&self, name: &str) -> f64 {
        let amount: f64 = self.head["backtest"][name]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        amount * 10_f64.powi(self.head["digits"].as_i64().unwrap() as i32)
    }
}

/// What came of each way to end, by the rows that SQL has: trades, and PnL in units of 10^-9 SOL.
fn reasons(client: &Client, config: &Value) -> Vec<(String, u64, i128)> {
    let columns = ["exit_reason", "net_pnl_sol"];
    let request = json!({ "config": config, "columns": columns, "limit": 50_000 });
    let rows = client.post("table/simulate_trades", &request).right();
    let mut reasons = std::collections::BTreeMap::<String, (u64, i128)>::new();
    for row in rows["rows"].as_array().unwrap() {
        let of_reason = reasons
            .entry(row[0].as_str().unwrap().to_owned())
            .or_default();
        of_reason.0 += 1;
        of_reason.1 += units(&row[1]);
    }
    let reasons = reasons.into_iter();
    reasons
        .map(|(name, (trades, pnl))| (name, trades, pnl))
        .collect()
}

/// An amount in units of 10^-9 SOL.
fn units(amount: &Value) -> i128 {
    let text = amount.as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<9}").parse().unwrap()
}

#[test]
fn the_sales_behind_a_curve_are_those_of_sql() {
    let client = SHARED.client();
    let changes = [
        json!({}),
        json!({ "exit_strategy": { "strategy": "hybrid", "trailing_stop_percent": "5" } }),
        json!({ "exit_strategy": { "strategy": "time_based", "max_hold_minutes": 30 }, "fill_model": "observed" }),
        json!({ "exit_rules": { "take_profit_ladder": "50@30, 25@60", "moonbag_percent": "25" } }),
        json!({ "limits": { "max_open_positions": 1 } }),
        json!({ "max_entry_delay_minutes": "1", "include_gas_costs": false }),
    ];
    for (seq, change) in changes.iter().enumerate() {
        let mut config = defaults(&client);
        for (name, value) in change.as_object().unwrap() {
            match (&mut config[name], value) {
                (Value::Object(group), Value::Object(values)) => group.extend(values.clone()),
                (place, value) => *place = value.clone(),
            }
        }
        config["score_threshold"] = json!("0");
        let answer = ask(&client, "sales", seq as u64, &config);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = decode(&answer.body).head["exit_reasons"]
            .as_array()
            .unwrap()
            .clone();
        let mut told: Vec<(String, u64, i128)> = told
            .iter()
            .map(|reason| {
                let name = reason["exit_reason"].as_str().unwrap().to_owned();
                (
                    name,
                    reason["trades"].as_u64().unwrap(),
                    units(&reason["net_pnl_sol"]),
                )
            })
            .collect();
        told.sort();
        assert!(!told.is_empty(), "{change}");
        assert_eq!(told, reasons(&client, &config), "{change}");
    }
}

fn ask(client: &Client, page: &str, seq: u64, config: &Value) -> super::Answer {
    let request = json!({ "page": page, "seq": seq, "config": config, "width": 200 });
    client.post("live", &request)
}

#[test]
fn the_curves_end_where_sql_says() {
    let client = SHARED.client();
    let mut config = defaults(&client);
    for (place, threshold) in ["0", "50", "65.5", "100"].iter().enumerate() {
        config["score_threshold"] = json!(threshold);
        let answer = ask(&client, "curves", place as u64, &config);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let live = decode(&answer.body);
        let table = client
            .post("table/backtest", &json!({ "config": config }))
            .right();
        let columns = table["columns"].as_array().unwrap().iter();
        for (column, value) in columns.zip(table["rows"][0].as_array().unwrap()) {
            let name = column["name"].as_str().unwrap();
            assert_eq!(&live.head["backtest"][name], value, "{name}");
        }
        // Metrics are rounded to four digits, curves to those of the head.
        let unit = 10_f64.powi(live.head["digits"].as_i64().unwrap() as i32);
        for side in ["actual", "simulated"] {
            let last = f64::from(*live.series(&format!("{side}_last")).last().unwrap());
            let total = live.amount(&format!("{side}_total_pnl_sol"));
            assert!(
                (last - total).abs() <= 0.00006 * unit + 1.0,
                "{side}: {last} {total}"
            );
            let drawdown = live
                .series(&format!("{side}_drawdown"))
                .iter()
                .max()
                .unwrap();
            let most = live.amount(&format!("{side}_max_drawdown_sol"));
            assert!(
                (f64::from(*drawdown) - most).abs() <= 0.00006 * unit + 1.0,
                "{side}"
            );
            for place in 0..200 {
                let [first, least, greatest, last] = ["first", "least", "greatest", "last"]
                    .map(|part| live.series(&format!("{side}_{part}"))[place]);
                assert!(least <= first.min(last) && greatest >= first.max(last));
            }
        }
        let exits = live.head["exit_reasons"].as_array().unwrap().iter();
        let trades: u64 = exits.map(|reason| reason["trades"].as_u64().unwrap()).sum();
        assert_eq!(
            trades,
            live.head["backtest"]["simulated_total_trades"]
                .as_u64()
                .unwrap()
        );
    }
}

#[test]
fn a_response_is_what_each_position_would_earn() {
    let client = SHARED.client();
    let config = defaults(&client);
    let names = [
        "stop_loss_percent",
        "exit_strategy",
        "include_gas_costs",
        "momentum_weight",
    ];
    let request =
        json!({ "seq": 1, "page": "response", "config": config, "width": 10, "response": names });
    let answer = client.post("live", &request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let head = decode(&answer.body).head;
    let responses = head["response"].as_array().unwrap();
    assert_eq!(responses.len(), names.len());
    for (response, name) in responses.iter().zip(names) {
        assert_eq!(response["parameter"], name);
        let values = response["values"].as_array().unwrap();
        assert!((2..=40).contains(&values.len()), "{name}");
        for column in ["simulated_total_pnl_sol", "simulated_pnl_conservative_sol"] {
            assert_eq!(
                response[column].as_array().unwrap().len(),
                values.len(),
                "{name}"
            );
        }
    }
    // The position that is set now gives what the row says.
    let now = responses[0]["values"]
        .as_array()
        .unwrap()
        .iter()
        .position(|v| *v == "15")
        .unwrap();
    let row = &head["backtest"]["simulated_total_pnl_sol"];
    assert_eq!(&responses[0]["simulated_total_pnl_sol"][now], row);
    let now = responses[3]["values"]
        .as_array()
        .unwrap()
        .iter()
        .position(|v| *v == "0.1")
        .unwrap();
    assert_eq!(&responses[3]["simulated_total_pnl_sol"][now], row);
}

#[test]
fn what_is_overtaken_is_dropped_page_by_page() {
    let client = SHARED.client();
    let config = defaults(&client);
    assert_eq!(ask(&client, "one", 7, &config).status, 200);
    assert_eq!(ask(&client, "one", 6, &config).status, 204);
    assert_eq!(ask(&client, "two", 6, &config).status, 200);
    assert_eq!(ask(&client, "one", 7, &config).status, 200);
    for wrong in [
        json!({ "config": config, "width": 10 }),
        json!({ "seq": 1, "width": 10 }),
        json!({ "seq": 1, "config": config, "width": 0 }),
        json!({ "seq": 1, "config": config, "width": 9999 }),
        json!({ "seq": -1, "config": config, "width": 10 }),
        json!({ "seq": 1, "config": config, "width": 10, "response": ["nope"] }),
    ] {
        assert_eq!(client.post("live", &wrong).status, 400, "{wrong}");
    }
}

#[test]
fn eight_pages_drag_at_once_while_a_sweep_runs() {
    let client = SHARED.client();
    let config = defaults(&client);
    let steps =
        |from: usize, to: usize| -> Vec<String> { (from..to).map(|n| n.to_string()).collect() };
    let sweep = json!({
        "config": config,
        "grid": { "stop_loss_percent": steps(1, 40), "take_profit_percent": steps(5, 25) },
    });
    std::thread::scope(|scope| {
        let sweeping = scope.spawn(|| client.post("sweep", &sweep));
        for page in 0..8 {
            let (client, mut config) = (&client, config.clone());
            scope.spawn(move || {
                let name = format!("drag {page}");
                for seq in 0..12_u64 {
                    config["score_threshold"] = json!((40 + 5 * seq).min(100).to_string());
                    let answer = ask(client, &name, seq, &config);
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    let live = decode(&answer.body);
                    assert_eq!(live.head["seq"], seq);
                    let shown = live.head["backtest"]["score_threshold"].as_str().unwrap();
                    let shown: f64 = shown.parse().unwrap();
                    assert!((shown - (40 + 5 * seq).min(100) as f64).abs() < 1e-9);
                }
            });
        }
        let swept = sweeping.join().unwrap();
        let text = swept.text();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["combinations"], 39 * 20, "{last}");
    });
}
