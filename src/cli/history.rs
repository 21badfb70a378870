//! `hindsight history`: the stored runs, the newest first.

use clap::Args;

use super::failure::Failure;
use super::output::{Format, Output};
use super::workspace::Workspace;

/// Rows of a table, unless told otherwise.
const TABLE_ROWS: u64 = 20;

/// List the stored backtests, the newest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  hindsight history\n  \
                  hindsight history --limit 0 --format csv > backtests.csv")]
pub struct HistoryArgs {
    /// Rows to show, 0 for all [default: 20 in a table, else all]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// How the result is written; all but table write every column of backtests
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn execute(workspace: &Workspace, arguments: HistoryArgs) -> Result<(), Failure> {
    let mut output = Output::new(arguments.format)?;
    let engine = workspace.open().await?;
    let is_table = arguments.format == Format::Table;
    let limit = match arguments
        .limit
        .unwrap_or(if is_table { TABLE_ROWS } else { 0 })
    {
        0 => String::new(),
        rows => format!(" limit {rows}"),
    };
    let columns = match is_table {
        true => {
            "id, cast(date_trunc('second', started_at) as timestamp(0)) as started, status, \
             scenario, label, start_date, end_date, simulated_total_trades as trades, \
             simulated_win_rate as win_rate, simulated_total_pnl_sol as pnl_sol, \
             pnl_difference_sol as difference_sol, is_improvement as better"
        }
        false => "*",
    };
    let sql = format!("select {columns} from backtests order by started_at desc, id desc{limit}");
    output.write(engine.run(&sql).await?, true).await
}
