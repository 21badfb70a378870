//! `hindsight sweep`: every combination of some settings, the best first.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use hindsight::Engine;
use hindsight::whatif::estimate;

use super::failure::Failure;
use super::numbers::{grouped, whole};
use super::output::OutputArgs;
use super::progress::Bar;
use super::run::open_loaded;
use super::settings::{self, Setting};
use super::terminal::{aside, remark, seconds};
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
    aside(seconds(started.elapsed()));
    Ok(())
}

/// Shows how far the sweep is, as long as it is waited for.
async fn follow(engine: &Engine, bar: &Bar, combinations: u64) -> Infallible {
    loop {
        tokio::time::sleep(FOLLOW).await;
        bar.set(engine.combinations_done().min(combinations), combinations);
    }
}
