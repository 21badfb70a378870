//! `hindsight sweep`: every combination of some settings, the best first.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use datafusion::arrow::array::RecordBatch;
use hindsight::whatif::estimate;
use hindsight::{Engine, Error};

use super::apply::text;
use super::failure::Failure;
use super::numbers::{grouped, whole};
use super::output::OutputArgs;
use super::progress::Bar;
use super::run::open_loaded;
use super::settings::{self, Setting, quoted};
use super::terminal::{aside, remark, seconds, warn};
use super::walk_forward::EFFICIENCY;
use super::workspace::Workspace;

/// A wait that is announced.
const WORTH_SAYING: Duration = Duration::from_secs(5);
/// How often the progress is looked at.
const FOLLOW: Duration = Duration::from_millis(100);
/// The rows of a table, unless told otherwise.
const TABLE_ROWS: u64 = 20;

/// Backtest every combination of some settings, best first
#[derive(Debug, Args)]
#[command(
    long_about = "Backtest every combination of some settings, the most profitable first.\n\n\
                  Several values are separated by commas; first:last:step is a range that includes \
                  its last value. Ladders are separated by a slash: \
                  take_profit_ladder=50@100,25@300/100@50.",
    after_help = "Examples:\n  \
                  hindsight sweep --set stop_loss_percent=8,10,12,15 --set score_threshold=60:90:5\n  \
                  hindsight sweep --set exit_strategy=hybrid,trailing_stop --set start_date=2025-01-01\n  \
                  hindsight sweep --set trailing_stop_percent=5:30:1 --format csv > sweep.csv"
)]
pub struct SweepArgs {
    /// A parameter and its values
    #[arg(long = "set", value_name = "NAME=VALUES", value_parser = settings::parse, required = true)]
    settings: Vec<Setting>,
    /// Rows to show, 0 for all [default: 20 in a table, else all]
    #[arg(long, value_name = "N", value_parser = whole::<u64>)]
    limit: Option<u64>,
    /// Run the best once more and store it, with how many were tried
    #[arg(long)]
    store: bool,
    /// What the stored run is for, beside it in the history
    #[arg(long, requires = "store")]
    label: Option<String>,
    /// Store with it what choosing the best again and again would have brought
    #[arg(long, requires = "store")]
    walk_forward: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn execute(workspace: &Workspace, arguments: SweepArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let is_table = arguments.output.is_table();
    let mut output = arguments.output.open()?;
    let (mut call, mut swept, mut combinations) = (Vec::new(), Vec::new(), 1_u64);
    for setting in &arguments.settings {
        let (argument, count) = setting.array_argument()?;
        call.push(argument);
        swept.push(setting.identifier());
        combinations = combinations.saturating_mul(count as u64);
    }
    let (call, swept) = (call.join(", "), swept.join(", "));
    let default_limit = if is_table { TABLE_ROWS } else { 0 };
    let limit = match arguments.limit.unwrap_or(default_limit) {
        0 => String::new(),
        rows => format!(" limit {rows}"),
    };
    let engine = open_loaded(workspace).await?;
    let outcome = engine
        .run(&format!(
            "select {swept}, simulated_total_trades, simulated_win_rate, simulated_total_pnl_sol, \
             simulated_pnl_conservative_sol, simulated_max_drawdown_sol, pnl_difference_sol \
             from backtest({call}) \
             order by simulated_total_pnl_sol desc, {swept}{limit}"
        ))
        .await?;
    let signals = engine.dataset().signals.num_rows();
    let time = estimate::estimate(usize::try_from(combinations).unwrap_or(usize::MAX), signals);
    match combinations {
        1 => remark("1 combination"),
        _ if time < WORTH_SAYING => remark(format_args!("{} combinations", grouped(combinations))),
        _ => remark(format_args!(
            "{} combinations, about {}",
            grouped(combinations),
            estimate::in_words(time)
        )),
    }
    let bar = Arc::new(Bar::counting("combinations", combinations));
    let shown = Arc::clone(&bar);
    tokio::select! {
        written = output.write_after(outcome, true, move || shown.clear()) => written?,
        never = follow(&engine, &bar, combinations) => match never {},
    }
    let overfitting = match (is_table || arguments.store) && combinations > 1 {
        true => overfitting(&engine, &call).await?,
        false => None,
    };
    if let Some(overfitting) = overfitting.as_deref().filter(|_| is_table) {
        say(overfitting, combinations);
    }
    if arguments.store {
        let mut chosen = vec![format!("combinations_tried => {combinations}")];
        chosen.extend(
            arguments
                .label
                .map(|label| format!("label => {}", quoted(&label))),
        );
        for column in ["deflated_sharpe_ratio", "probability_of_overfitting"] {
            let number = overfitting
                .as_deref()
                .map(|row| text(row, column, 0))
                .unwrap_or_default();
            if !number.is_empty() {
                chosen.push(format!("{column} => {number}"));
            }
        }
        if arguments.walk_forward {
            let walked = format!("with walked as (select * from walk_forward({call}))");
            let sql = format!("{walked} select {EFFICIENCY} as efficiency from walked");
            let efficiency = text(&engine.sql(&sql).await?, "efficiency", 0);
            match efficiency.is_empty() {
                true => warn("there is no walk-forward: too few days, or no gain in training"),
                false => chosen.push(format!("walk_forward_efficiency => {efficiency}")),
            }
        }
        let id = store(&engine, &call, &swept, &chosen.join(", ")).await?;
        aside(format_args!("the best of them, stored as {id}"));
    }
    aside(seconds(started.elapsed()));
    Ok(())
}

/// Blocks of days that are enough to judge a month by, and few enough for a large grid.
const BLOCKS: u32 = 10;

/// The row of `overfitting`; `None` where combinations of different days cannot be judged together.
async fn overfitting(engine: &Engine, call: &str) -> Result<Option<Vec<RecordBatch>>, Failure> {
    let sql = format!("select * from overfitting({call}, blocks => {BLOCKS})");
    match engine.sql(&sql).await {
        Ok(row) => Ok(Some(row)),
        Err(error) if error.sqlstate() == "22023" => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Says what the number of combinations leaves of the best.
fn say(row: &[RecordBatch], combinations: u64) {
    let number = |column: &str| text(row, column, 0).parse::<f64>().ok();
    let (Some(best), Some(expected)) = (number("best_sharpe"), number("expected_best_sharpe"))
    else {
        return;
    };
    let likely = number("deflated_sharpe_ratio").map_or(String::new(), |likely| {
        format!(
            ", so that it is real with a likelihood of {:.0} %",
            likely * 100.0
        )
    });
    remark(format_args!(
        "{} tried: the best daily Sharpe ratio is {best:.3}, and that of as many without any merit would be \
         about {expected:.3}{likely} (deflated Sharpe ratio).",
        grouped(combinations)
    ));
    if let Some(probability) = number("probability_of_overfitting") {
        remark(format_args!(
            "Chosen by one half of the days, the best is below the middle in the other half in {:.0} % of all \
             ways to halve them (probability of overfitting). hindsight walk-forward shows what choosing \
             would have brought.",
            probability * 100.0
        ));
    }
}

/// Runs and stores the best combination; returns its id.
async fn store(engine: &Engine, call: &str, swept: &str, chosen: &str) -> Result<String, Failure> {
    let sql = format!(
        "select {swept} from backtest({call}) order by simulated_total_pnl_sol desc, {swept} limit 1"
    );
    let best = engine.sql(&sql).await?;
    let Some(first) = best.first().filter(|batch| batch.num_rows() > 0) else {
        return Err(Error::NotReady("there is no combination to store".into()).into());
    };
    let mut settings = Vec::new();
    for field in first.schema().fields() {
        let value = match text(&best, field.name(), 0) {
            value if value.is_empty() => "null".to_owned(),
            value => quoted(&value),
        };
        settings.push(format!("\"{}\" => {value}", field.name()));
    }
    let sql = format!(
        "select * from run_backtest({}, {chosen})",
        settings.join(", ")
    );
    Ok(text(&engine.sql(&sql).await?, "backtest_id", 0))
}

/// Shows how far the sweep is, as long as it is waited for.
async fn follow(engine: &Engine, bar: &Bar, combinations: u64) -> Infallible {
    loop {
        tokio::time::sleep(FOLLOW).await;
        bar.set(engine.combinations_done().min(combinations), combinations);
    }
}
