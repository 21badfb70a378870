//! `hindsight walk-forward`: what would have come of choosing the best combination again and again, from
//! what was known by then.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use datafusion::arrow::array::RecordBatch;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use hindsight::{Engine, Outcome};

use super::apply::text;
use super::failure::Failure;
use super::numbers::{grouped, signed, whole};
use super::output::OutputArgs;
use super::progress::Bar;
use super::run::open_loaded;
use super::settings::{self, Setting, quoted};
use super::terminal::{aside, remark, seconds};
use super::workspace::Workspace;

/// Choose the best of a grid again and again, and test each choice on the days after it
#[derive(Debug, Args)]
#[command(
    long_about = "Choose the best of a grid again and again, and test each choice on the days after \
                  it.\n\n\
                  Every fold backtests all combinations over its training days, takes the best, and \
                  runs it over the test days that follow, which the choice has not seen. What the \
                  tests earn is what the best of a sweep is worth.",
    after_help = "Examples:\n  \
                  hindsight walk-forward --set start_date=2025-01-01 --set stop_loss_percent=8,10,12,15\n  \
                  hindsight walk-forward --set start_date=2025-01-01 --set score_threshold=60:90:5 \
                  --train-days 30 --test-days 7"
)]
pub struct WalkForwardArgs {
    /// A parameter and its values
    #[arg(long = "set", value_name = "NAME=VALUES", value_parser = settings::parse, required = true)]
    settings: Vec<Setting>,
    /// Days that each choice is made from
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = whole::<u32>)]
    train_days: u32,
    /// Days after them that it is tested on
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = whole::<u32>)]
    test_days: u32,
    /// Train on all days from the first on
    #[arg(long)]
    anchored: bool,
    /// The column of backtest by which the best is chosen
    #[arg(long, value_name = "COLUMN", default_value = "simulated_total_pnl_sol")]
    objective: String,
    /// In all formats but table, every column of walk_forward
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn execute(workspace: &Workspace, arguments: WalkForwardArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let is_table = arguments.output.is_table();
    let mut output = arguments.output.open()?;
    let (mut call, mut swept, mut combinations) = (Vec::new(), Vec::new(), 1_u64);
    for setting in &arguments.settings {
        let (argument, count) = setting.array_argument()?;
        call.push(argument);
        if count > 1 {
            swept.push(setting.identifier());
        }
        combinations = combinations.saturating_mul(count as u64);
    }
    call.push(format!(
        "train_days => {}, test_days => {}, anchored => {}, objective => {}",
        arguments.train_days,
        arguments.test_days,
        arguments.anchored,
        quoted(&arguments.objective)
    ));
    swept.push("train_pnl_sol".into());
    let columns = match is_table {
        true => format!(
            "fold, test_start, test_end, {}, test_trades, test_pnl_sol, test_win_rate, \
             test_actual_pnl_sol, round(cast(efficiency as numeric), 2) as efficiency",
            swept.join(", ")
        ),
        false => "*".to_owned(),
    };
    let engine = open_loaded(workspace).await?;
    let spinner = Bar::spinner("walking forward");
    let call = call.join(", ");
    let table = "create temp table walked as select * from";
    engine.sql(&format!("{table} walk_forward({call})")).await?;
    let rows = engine
        .sql(&format!("select {columns} from walked order by fold"))
        .await?;
    drop(spinner);
    if let Some(schema) = rows.first().map(RecordBatch::schema) {
        let rows = stream::iter(rows.into_iter().map(Ok));
        let rows = Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), rows));
        output.write(Outcome::Rows(rows), true).await?;
    }
    if is_table {
        summarize(&engine, combinations).await?;
    }
    aside(seconds(started.elapsed()));
    Ok(())
}

/// What a day of all tests earned beside one of all trainings, of the temporary table `walked`.
pub const EFFICIENCY: &str = "case when sum(train_pnl_sol) > 0 then \
     (cast(sum(test_pnl_sol) as float8) / sum(test_end - test_start + 1)) \
     / (cast(sum(train_pnl_sol) as float8) / sum(train_end - train_start + 1)) end";

async fn summarize(engine: &Engine, combinations: u64) -> Result<(), Failure> {
    let sql = format!(
        "select count(*) as folds, sum(test_end - test_start + 1) as days, sum(test_pnl_sol) as tested, \
         sum(test_actual_pnl_sol) as actual, {EFFICIENCY} as efficiency from walked"
    );
    let row = engine.sql(&sql).await?;
    let text = |name: &str| text(&row, name, 0);
    if text("folds") == "0" {
        remark("No fold: the training days leave no day of the range to test.");
        return Ok(());
    }
    let sol = |name: &str| {
        let amount = hindsight_udfs::decimal::parse(&text(name));
        amount.map_or_else(
            || text(name),
            |(mantissa, scale)| signed(mantissa, scale, 4),
        )
    };
    remark(format_args!(
        "The best of {} combinations, on {} days that the choice had not seen: {} SOL, where what really \
         happened was {} SOL.",
        grouped(combinations),
        text("days"),
        sol("tested"),
        sol("actual")
    ));
    if let Ok(efficiency) = text("efficiency").parse::<f64>() {
        remark(format_args!(
            "A day of the tests earned {:.0} % of a day of training.",
            efficiency * 100.0
        ));
    }
    Ok(())
}
