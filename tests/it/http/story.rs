//! The story's scenario through the routes, as its own tests would drive them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{HttpServer, SHARED, defaults, events, operating};

#[test]
fn from_defaults_to_applying_and_undoing() {
    let workspace = crate::server::workspace();
    let server = HttpServer::start(workspace.path(), &operating());
    let client = server.client();
    let mut config = defaults(&client);
    config["score_threshold"] = json!("55");
    config["exit_strategy"]["stop_loss_percent"] = json!("12.5");
    config["label"] = json!("a try");

    let streamed = client.post("backtest/run/stream", &config);
    assert_eq!(streamed.header("content-type"), Some("text/event-stream"));
    let events = events(&streamed.text());
    let (last, result) = events.last().unwrap();
    assert_eq!(last, "complete", "{result}");
    for (name, progress) in &events[..events.len() - 1] {
        assert_eq!(name, "progress");
        assert_eq!(progress["backtest_id"], result["id"]);
    }
    let id = result["id"].as_str().unwrap();
    assert_eq!(result["status"], "completed");
    assert_eq!(result["is_successful"], true);
    assert_eq!(result["config"]["score_threshold"], "55");
    assert_eq!(
        result["config"]["exit_strategy"]["stop_loss_percent"],
        "12.5"
    );
    let comparison = &result["metrics_comparison"];
    for side in ["actual", "simulated"] {
        assert!(
            comparison[side]["total_pnl_sol"].is_string(),
            "{comparison}"
        );
        assert!(comparison[side]["total_trades"].is_u64(), "{comparison}");
    }
    for name in [
        "pnl_difference_sol",
        "win_rate_difference",
        "is_improvement",
    ] {
        assert!(!comparison[name].is_null(), "{name}");
    }

    let stored = client.get(&format!("backtest/result/{id}")).right();
    assert_eq!(&stored, result);
    let trades = client
        .get(&format!("backtest/result/{id}/trades?limit=2"))
        .right();
    assert_eq!(trades["total"], result["simulated_trades_count"]);
    let history = client.get("backtest/history?limit=5").right();
    assert_eq!(history["backtests"][0]["id"], id);
    assert_eq!(history["backtests"][0]["label"], "a try");

    let preview = client.get(&format!("backtest/preview/{id}")).right();
    let version = preview["settings_version"].as_str().unwrap();
    let changes = preview["changes"].as_array().unwrap();
    let threshold = changes
        .iter()
        .find(|c| c["setting"] == "score_threshold")
        .unwrap();
    assert_eq!(threshold["proposed"], "55");
    // A day or two of trades: whatever they differ by may be chance.
    let objections = preview["objections"].as_array().unwrap();
    let may_be_chance = "may be chance: its 95 % interval is ";
    assert!(
        objections[0].as_str().unwrap().contains(may_be_chance),
        "{objections:?}"
    );

    let mut request = json!({
        "backtest_id": id,
        "settings_version": version,
        "create_settings": true,
        "apply_position_sizing": false,
    });
    let unconfirmed = client.post("backtest/apply", &request).right();
    assert_eq!(unconfirmed["success"], false);
    assert_eq!(unconfirmed["applied_at"], Value::Null);
    let unchanged = client.get("settings").right();
    assert_eq!(unchanged["settings_version"], version);
    request["confirm_apply"] = json!(true);
    let applied = client.post("backtest/apply", &request).right();
    assert_eq!(applied["success"], true);
    let changed: Vec<&str> = applied["changes_applied"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(changed.contains(&"scoring_weights") && !changed.contains(&"position_sizing"));
    let settings = client.get("settings").right();
    assert_eq!(settings["settings_version"], applied["settings_version"]);
    assert_eq!(
        settings["last_changed"]["history_id"],
        applied["history_id"]
    );
    // Applied again with what was known before: somebody has changed them since.
    assert_eq!(client.post("backtest/apply", &request).status, 409);
    // What was applied cannot be deleted.
    let deleted = client.with("DELETE", &format!("/api/v1/backtest/result/{id}"), &[], b"");
    assert_eq!(deleted.status, 409, "{}", deleted.text());

    let undo = json!({ "history_id": applied["history_id"], "confirm": true });
    let undone = client.post("settings/rollback", &undo).right();
    assert_eq!(undone["rolled_back"], true);
    let history = client.get("settings/history").right();
    assert!(history["history"][0]["rolled_back_at"].is_string());
}

#[test]
fn a_result_has_the_story_s_fields() {
    let client = SHARED.client();
    let result = client
        .post("backtest/run?trades=3", &defaults(&client))
        .right();
    for name in [
        "id",
        "config",
        "status",
        "started_at",
        "completed_at",
        "duration_seconds",
        "total_signals_analyzed",
        "signals_above_threshold",
        "metrics_comparison",
        "simulated_trades",
        "trade_comparisons",
        "error_message",
        "is_successful",
        "trades_changed_count",
    ] {
        assert!(result.get(name).is_some(), "{name}");
    }
    assert!(result["simulated_trades"].as_array().unwrap().len() <= 3);
    let comparison = &result["trade_comparisons"][0];
    for name in [
        "signal_id",
        "actual_traded",
        "simulated_traded",
        "change_description",
    ] {
        assert!(comparison.get(name).is_some(), "{name}: {result}");
    }
    // The same as SQL says, to the last digit.
    let config = defaults(&client);
    let table = client
        .post("table/backtest", &json!({ "config": config }))
        .right();
    let columns = table["columns"].as_array().unwrap().iter();
    for (column, value) in columns.zip(table["rows"][0].as_array().unwrap()) {
        let name = column["name"].as_str().unwrap();
        if let Some((side @ ("actual" | "simulated"), metric)) = name.split_once('_')
            && let Some(known) = result["metrics_comparison"][side].get(metric)
        {
            assert_eq!(known, value, "{name}");
        }
    }
}

#[test]
fn rows_come_in_pages_in_the_order_asked_for() {
    let client = SHARED.client();
    let result = client.post("backtest/run", &defaults(&client)).right();
    let id = result["id"].as_str().unwrap();
    let all = client
        .get(&format!(
            "backtest/result/{id}/comparisons?order=-score,signal_id"
        ))
        .right();
    let total = all["total"].as_u64().unwrap();
    assert!(total > 3, "{result}");
    let (mut rows, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let path =
            format!("backtest/result/{id}/comparisons?order=-score,signal_id&limit=3&after={from}");
        let page = client.get(&path).right();
        rows.extend(page["rows"].as_array().unwrap().clone());
        after = page["next"].as_u64();
    }
    assert_eq!(&Value::from(rows), &all["rows"]);
    let names: Vec<&Value> = all["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["name"])
        .collect();
    let change = names.iter().position(|name| *name == "change").unwrap();
    let first = all["rows"][0][change].as_str().unwrap();
    let same = client
        .get(&format!("backtest/result/{id}/comparisons?change={first}"))
        .right();
    let rows = all["rows"].as_array().unwrap();
    let expected = rows.iter().filter(|row| row[change] == first).count() as u64;
    assert_eq!(same["total"], expected);
    for wrong in [
        "order=nope",
        "nope=1",
        "limit=-1",
        "limit=x",
        "order=backtest_id",
    ] {
        let answer = client.get(&format!("backtest/result/{id}/comparisons?{wrong}"));
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
}

#[test]
fn what_is_wrong_is_said_by_name_value_and_range() {
    let client = SHARED.client();
    let mut config = defaults(&client);
    config["exit_strategy"]["stop_loss_percent"] = json!("60");
    let problem = client.post("backtest/run", &config);
    assert_eq!(problem.status, 422);
    assert_eq!(
        problem.header("content-type"),
        Some("application/problem+json")
    );
    let problem = problem.json();
    assert_eq!(
        problem["detail"],
        "stop_loss_percent must be between 1 and 50, found 60"
    );
    assert_eq!(problem["parameter"], "stop_loss_percent");
    assert_eq!(problem["value"], "60");
    assert_eq!(problem["range"], "between 1 and 50");
    assert_eq!(problem["sqlstate"], "22023");
    for (wrong, part) in [
        (
            json!({ "exit_strategy": { "stop_los_percent": "8" } }),
            "exit_strategy.stop_los_percent",
        ),
        (json!({ "start": "2025-01-01" }), "start"),
        (json!({ "score_threshold": ["70"] }), "score_threshold"),
        (json!([]), "no JSON object"),
    ] {
        let answer = client.post("backtest/run", &wrong);
        assert_eq!(answer.status, 400, "{}", answer.text());
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(part), "{detail}");
    }
    let twice = br#"{"score_threshold": "70", "score_threshold": "80"}"#;
    assert_eq!(
        client
            .with("POST", "/api/v1/backtest/run", &[], twice)
            .status,
        400
    );
    let weights = json!({ "scoring_weights": { "momentum_weight": "0.9" } });
    assert_eq!(client.post("backtest/run", &weights).status, 422);
    for missing in [
        "backtest/result/x",
        "backtest/preview/x",
        "backtest/progress/x",
        "nothing",
    ] {
        let answer = client.get(missing);
        assert_eq!(answer.status, 404, "{missing}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
    }
    assert_eq!(client.get("backtest/run").status, 405);
}

#[test]
fn scenarios_are_written_used_and_deleted() {
    let client = SHARED.client();
    let scenario = json!({
        "description": "<b>careful</b>",
        "tags": ["a", "b'c"],
        "config": { "exit_strategy": { "stop_loss_percent": "8" } },
    });
    let path = "scenarios/careful%20one";
    for _ in 0..2 {
        let stored = client.ask("PUT", path, &scenario).right();
        assert_eq!(stored["name"], "careful one");
        assert_eq!(stored["tags"], scenario["tags"]);
        assert_eq!(stored["config"]["exit_strategy"]["stop_loss_percent"], "8");
        assert_eq!(stored["config"]["score_threshold"], Value::Null);
    }
    let run = client
        .post("backtest/run", &json!({ "scenario": "careful one" }))
        .right();
    assert_eq!(run["config"]["exit_strategy"]["stop_loss_percent"], "8");
    assert_eq!(run["scenario"], "careful one");
    assert!(
        client.get("scenarios").right()["scenarios"]
            .as_array()
            .unwrap()
            .len()
            == 1
    );
    let delete = || client.with("DELETE", &format!("/api/v1/{path}"), &[], b"");
    assert_eq!(delete().status, 200);
    assert_eq!(delete().status, 404);
    let unknown = client.post("backtest/run", &json!({ "scenario": "careful one" }));
    assert!((400..500).contains(&unknown.status), "{}", unknown.text());
}

#[test]
fn a_sweep_streams_rows_progress_and_the_best() {
    let client = SHARED.client();
    let request = json!({
        "config": defaults(&client),
        "grid": { "stop_loss_percent": ["8", 12, "20.5"], "exit_strategy.strategy": ["hybrid", "time_based"] },
    });
    let answer = client.post("sweep", &request);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = answer
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let rows = lines.iter().filter(|line| line["type"] == "rows");
    let rows: usize = rows
        .map(|line| line["rows"].as_array().unwrap().len())
        .sum();
    assert_eq!(rows, 6);
    let last = lines.last().unwrap();
    assert_eq!(last["type"], "complete", "{last}");
    assert_eq!(last["combinations"], 6);
    assert_eq!(last["done"], 6);
    assert!(last["best"]["simulated_total_pnl_sol"].is_string());
    let wrong = json!({ "grid": { "stop_loss_percent": ["60"] } });
    assert_eq!(client.post("sweep", &wrong).status, 422);
    assert_eq!(client.post("sweep", &json!({ "grid": {} })).status, 400);
}

#[test]
fn what_was_tried_before_is_stored_with_a_run() {
    let client = SHARED.client();
    let mut config = defaults(&client);
    config["tried"] = json!({ "settings": 40, "sharpe_ratio_deviation": "1.5" });
    let id = client.post("backtest/run", &config).right()["id"].clone();
    let history = client.get("backtest/history?limit=1000").right();
    let runs = history["backtests"].as_array().unwrap();
    let run = runs.iter().find(|run| run["id"] == id).unwrap();
    assert_eq!(run["combinations_tried"], 40);
    for (wrong, said) in [
        (json!({}), "tried.settings must be between 1 and"),
        (
            json!({ "settings": 0 }),
            "tried.settings must be between 1 and",
        ),
        (
            json!({ "settings": "x" }),
            "tried.settings must be a whole number",
        ),
        (
            json!({ "settings": 2, "sharpe_ratio_deviation": "much" }),
            "tried.sharpe_ratio_deviation must be a number",
        ),
        (
            json!({ "settings": 2, "sharpe_ratio_deviation": "-1" }),
            "tried.sharpe_ratio_deviation must be a number",
        ),
        (
            json!({ "settings": 2, "other": 1 }),
            "tried.other is unknown",
        ),
    ] {
        config["tried"] = wrong;
        let refused = client.post("backtest/run", &config);
        assert_eq!(refused.status, 400, "{}", refused.text());
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(said), "{detail}");
    }
}

#[test]
fn a_report_of_a_run_is_one_file_to_be_kept() {
    let client = SHARED.client();
    let mut config = defaults(&client);
    config["label"] = json!("for a <report>");
    let run = client.post("backtest/run", &config).right();
    let path = format!("backtest/result/{}/report", run["id"].as_str().unwrap());
    let report = client.get(&path);
    assert_eq!(report.status, 200, "{}", report.text());
    let kept = "attachment; filename=\"report.html\"";
    assert_eq!(report.header("content-disposition"), Some(kept));
    assert!(
        report
            .text()
            .contains("<title>for a &lt;report&gt; · hindsight</title>")
    );
    assert_eq!(client.get("backtest/result/nothing/report").status, 404);
}

#[test]
fn a_client_that_leaves_ends_its_run() {
    let workspace = crate::server::workspace();
    let server = HttpServer::start(workspace.path(), &operating());
    let client = server.client();
    let body = defaults(&client).to_string();
    let path = "/api/v1/backtest/run/stream";
    let request = client.request("POST", path, &[], body.as_bytes());
    for _ in 0..5 {
        drop(client.send(&request).unwrap());
    }
    let patience = Instant::now();
    loop {
        let history = client.get("backtest/history").right();
        let runs = history["backtests"].as_array().unwrap().clone();
        let is_over = |run: &Value| run["status"] == "cancelled" || run["status"] == "completed";
        if runs.iter().all(is_over) {
            break;
        }
        assert!(patience.elapsed() < Duration::from_secs(60), "{runs:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
