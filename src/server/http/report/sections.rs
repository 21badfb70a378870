//! The rows of each section of a report, as queries that anybody can run.

use std::fmt::Write;

use datafusion::arrow::array::RecordBatch;
use serde_json::{Map, Value, json};

use super::super::call::{collected, quoted};
use super::super::json::Columns;
use super::about::About;
use crate::error::Result;
use crate::metrics::{Better, METRICS};
use crate::session::Session;

/// What every backtest takes for granted.
const ASSUMPTIONS: [&str; 9] = [
    "A trade is entered at the first price of its token at or after its signal. Nothing is known of what \
     lies behind that instant, and no trade depends on a price after its exit.",
    "Levels are exact; under the fill model level they fill at the level, even where the price jumped \
     past it. In thin markets it does: the section Gaps says what that is worth.",
    "Simulated trades move no price of the market, but for the impact where a pool is given.",
    "Slippage, gas and fees are as set, the same for every trade.",
    "Both sides cover the same signals, those of the period. An actual trade whose signal is not in the \
     history is in no figure.",
    "Actual trades that are not closed yet are in no figure.",
    "Amounts are exact decimals in SOL; what is rounded is rounded once, half to even.",
    "Interval, calibration and all else under How far to believe it are statistics in floating point.",
    "What would have been is no promise: the market, and those who trade in it, change.",
];

/// All of it as one JSON object.
pub async fn collect(session: &Session, about: &About, version: &str) -> Result<String> {
    let arguments = about.arguments();
    let mut out = String::from("{");
    for (name, sql) in queries(
        &arguments,
        &about.days(),
        &about.filled("level"),
        &about.filled("conservative"),
    ) {
        let rows = collected(session, &sql).await?;
        // To a string nothing cannot be written.
        let _ = write!(out, "\"{name}\":{},", table(&rows)?);
    }
    if let Some((names, arguments)) = about.grid() {
        let rows = collected(session, &sweep(&names, &arguments)).await?;
        let _ = write!(out, "\"sweep\":{},", table(&rows)?);
        let weighed = format!("select * from overfitting({arguments})");
        match collected(session, &weighed).await {
            Ok(rows) => {
                let _ = write!(out, "\"overfitting\":{},", table(&rows)?);
            }
            // One combination, or such of different days, cannot be weighed.
            Err(error) if error.sqlstate() == "22023" => {}
            Err(error) => return Err(error),
        }
    }
    let choice = about.run.as_ref().map(|run| run.choice.clone());
    for (name, value) in [
        ("metrics", metrics()),
        ("choice", choice.map_or(Value::Null, Value::Object)),
        ("assumptions", ASSUMPTIONS.as_slice().into()),
        ("manifest", manifest(session, about, version).into()),
    ] {
        let _ = write!(out, "\"{name}\":{value},");
    }
    out.pop();
    out.push('}');
    Ok(out)
}

/// Rows as `{"columns": […], "rows": [[…], …]}`.
fn table(batches: &[RecordBatch]) -> Result<String> {
    let names = batches.first().map(RecordBatch::schema);
    let names = names.iter().flat_map(|schema| schema.fields().iter());
    let names: Value = names.map(|field| field.name().as_str()).collect();
    let mut out = format!("{{\"columns\":{names},\"rows\":[");
    for batch in batches {
        let columns = Columns::new(batch)?;
        for row in 0..batch.num_rows() {
            if !out.ends_with('[') {
                out.push(',');
            }
            columns.list(row, &mut out)?;
        }
    }
    out.push_str("]}");
    Ok(out)
}

fn metrics() -> Value {
    let metrics = METRICS.iter().map(|metric| {
        json!({
            "name": metric.name,
            "unit": metric.unit(),
            "better": match metric.better {
                Better::More => "more",
                Better::Less => "less",
                Better::Neither => "neither",
            },
            "description": metric.description,
        })
    });
    metrics.collect()
}

fn manifest(session: &Session, about: &About, version: &str) -> Map<String, Value> {
    let run = about.run.as_ref();
    let fingerprint = session.fingerprint();
    let label = run.map(|run| run.label.clone());
    let ran_over = run.map(|run| run.dataset.clone());
    let entries = [
        ("backtest", run.map(|run| run.id.clone())),
        ("label", label.filter(|label| !label.is_empty())),
        ("scenario", about.scenario.clone()),
        (
            "other_dataset_of_the_run",
            ran_over.filter(|of_run| *of_run != fingerprint),
        ),
        ("dataset", Some(fingerprint)),
        ("engine_version", Some(version.to_owned())),
        (
            "statement",
            Some(format!("select * from backtest({})", about.arguments())),
        ),
    ];
    let entries = entries.into_iter();
    let known = entries.filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    known.collect()
}

/// Every combination of the sweep that the settings came from.
fn sweep(names: &[&str], arguments: &str) -> String {
    let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
    format!(
        "select {}, simulated_total_trades, simulated_win_rate, simulated_total_pnl_sol, \
         simulated_pnl_conservative_sol, pnl_difference_sol from backtest({arguments})",
        names.join(", ")
    )
}

/// A section, and what gives its rows.
fn queries(
    arguments: &str,
    days: &str,
    level: &str,
    conservative: &str,
) -> Vec<(&'static str, String)> {
    let compared = format!("compare_trades({arguments})");
    let simulated = format!("simulate_trades({arguments})");
    let by = |key: &str, name: &str, order: &str| {
        format!(
            "select {key} as {name}, count(simulated_pnl_sol) as trades, \
             sum(coalesce(actual_pnl_sol, 0)) as actual_pnl_sol, \
             sum(coalesce(simulated_pnl_sol, 0)) as simulated_pnl_sol, \
             sum(coalesce(simulated_pnl_sol, 0) - coalesce(actual_pnl_sol, 0)) as difference_sol \
             from {compared} group by 1 order by {order}"
        )
    };
    let largest =
        "abs(sum(coalesce(simulated_pnl_sol, 0) - coalesce(actual_pnl_sol, 0))) desc, 1 limit 200";
    let gap = format!(
        "from simulate_trades({level}) as level join simulate_trades({conservative}) as worst \
         on worst.signal_id = level.signal_id and worst.part = level.part \
         where worst.net_pnl_sol <> level.net_pnl_sol"
    );
    let lost = "worst.net_pnl_sol - level.net_pnl_sol";
    vec![
        ("row", format!("select * from backtest({arguments})")),
        ("made", "select now() as generated_at".into()),
        (
            "parameters",
            "select name, \"group\", unit, \"default\" from parameters".into(),
        ),
        (
            "interval",
            format!("select * from pnl_interval({arguments})"),
        ),
        ("calibration", format!("select * from calibration({days})")),
        (
            "equity",
            format!(
                "select timestamp, actual_pnl_sol, simulated_pnl_sol from equity_curve({arguments}) \
                 order by timestamp, signal_id"
            ),
        ),
        (
            "changes",
            format!(
                "select timestamp, signal_id, token_address, source_wallet, actual_pnl_sol, \
                 simulated_pnl_sol, change, skip_reason from {compared} where change <> 'unchanged' \
                 order by abs(coalesce(simulated_pnl_sol, 0) - coalesce(actual_pnl_sol, 0)) desc, \
                 timestamp, signal_id"
            ),
        ),
        (
            "exits",
            format!(
                "select exit_reason, count(*) as trades, sum(net_pnl_sol) as net_pnl_sol \
                 from {simulated} group by exit_reason order by trades desc, exit_reason"
            ),
        ),
        ("wallets", by("source_wallet", "wallet", largest)),
        ("tokens", by("token_address", "token", largest)),
        (
            "hours",
            by("cast(extract(hour from timestamp) as bigint)", "hour", "1"),
        ),
        (
            "gaps",
            format!(
                "select level.exit_reason, count(*) as trades, sum({lost}) as difference_sol {gap} \
                 group by level.exit_reason order by difference_sol, level.exit_reason"
            ),
        ),
        (
            "gap_trades",
            format!(
                "select level.signal_timestamp, level.token_address, level.exit_reason, \
                 level.net_pnl_sol as level_sol, worst.net_pnl_sol as conservative_sol {gap} \
                 order by {lost}, level.signal_id, level.part limit 10"
            ),
        ),
        (
            "exposure",
            format!(
                "select cast(timestamp as date) as day, max(open_positions) as open_positions, \
                 max(capital_sol) as capital_sol from exposure({arguments}) group by 1 order by 1"
            ),
        ),
        (
            "costs",
            format!(
                "select sum(gross_pnl_sol) as gross_pnl_sol, sum(slippage_cost_sol) as slippage_cost_sol, \
                 sum(gas_cost_sol) as gas_cost_sol, sum(fees_sol) as fees_sol, \
                 sum(impact_cost_sol) as impact_cost_sol, sum(net_pnl_sol) as net_pnl_sol from {simulated}"
            ),
        ),
        ("quality", "select * from data_quality".into()),
    ]
}
