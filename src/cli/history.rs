//! `hindsight history`: the stored runs, the newest first; and taking one of them away.

use clap::Args;
use hindsight::store::DeletedRun;
use hindsight::store::run_files;
use hindsight::{Engine, Error};

use super::consent::ask;
use super::failure::Failure;
use super::ids::{self, Of};
use super::numbers::whole;
use super::output::OutputArgs;
use super::terminal::{remark, warn};
use super::values::{Form, write_value};
use super::workspace::Workspace;

/// Rows of a table, unless told otherwise.
const TABLE_ROWS: u64 = 20;

/// List the stored backtests, the newest first, or delete one
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  hindsight history\n  \
                  hindsight history --limit 0 --format csv > backtests.csv\n  \
                  hindsight history --delete 0198")]
pub struct HistoryArgs {
    /// Rows to show, 0 for all [default: 20 in a table, else all]
    #[arg(long, value_name = "N", value_parser = whole::<u64>)]
    limit: Option<u64>,
    /// Delete this backtest with its rows: its id, or enough of it
    #[arg(long, value_name = "ID", conflicts_with_all = ["limit", "format", "output"])]
    delete: Option<String>,
    /// Delete without asking
    #[arg(long, short, requires = "delete")]
    yes: bool,
    /// Delete it though its settings were applied: the settings history forgets that too, after it was
    /// printed, so that it cannot be rolled back any more
    #[arg(long, requires = "delete")]
    force: bool,
    /// In all formats but table, every column of backtests
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn execute(workspace: &Workspace, arguments: HistoryArgs) -> Result<(), Failure> {
    if let Some(id) = &arguments.delete {
        let engine = workspace.open_state().await?;
        return delete(&engine, workspace, id, &arguments).await;
    }
    let is_table = arguments.output.is_table();
    let mut output = arguments.output.open()?;
    let engine = workspace.open_state().await?;
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
             pnl_difference_sol as difference_sol, interval_lower_sol as from_sol, \
             interval_upper_sol as to_sol, is_improvement as better"
        }
        false => "*",
    };
    let sql = format!("select {columns} from backtests order by started_at desc, id desc{limit}");
    output.write(engine.run(&sql).await?, true).await
}

/// What the settings history loses with a backtest, a sentence for each row.
async fn lost(engine: &Engine, id: &str) -> Result<Vec<String>, Failure> {
    // An id that was found has no quotes.
    let sql = format!(
        "select concat('the settings history loses ', id, ', applied at ', applied_at, ' by ', \
         applied_by, case when rolled_back_at is null then ', which can then not be rolled back \
         any more' else concat(', rolled back at ', rolled_back_at) end, '; before it: ', \
         previous_values) from settings_history where backtest_id = '{id}' order by applied_at"
    );
    let mut lost = Vec::new();
    for batch in engine.sql(&sql).await? {
        for row in 0..batch.num_rows() {
            let mut text = String::new();
            write_value(&mut text, batch.column(0), row, Form::Text)?;
            lost.push(text);
        }
    }
    Ok(lost)
}

async fn delete(
    engine: &Engine,
    workspace: &Workspace,
    typed: &str,
    arguments: &HistoryArgs,
) -> Result<(), Failure> {
    let id = ids::resolve(engine, Of::Backtest, typed).await?;
    let store = engine.store();
    let Some(run) = store.run(&id).await? else {
        return Err(Error::Conflict(format!("backtest {id} was deleted meanwhile")).into());
    };
    let label = run.label.map(|label| format!(" ({label})"));
    let question = format!(
        "Delete the {} backtest {id}{} and its rows for good?",
        run.status,
        label.unwrap_or_default()
    );
    if arguments.force {
        for row in lost(engine, &id).await? {
            warn(row);
        }
    }
    if !ask(&question, arguments.yes).await? {
        return Ok(());
    }
    match store.delete_run(&id, arguments.force).await? {
        DeletedRun::Gone => {}
        DeletedRun::Running => {
            let error = Error::NotReady(format!("backtest {id} is running"));
            return Err(Failure::from(error).with_hint(format!(
                "hindsight query \"call cancel_backtest('{id}')\" stops it"
            )));
        }
        DeletedRun::Applied => {
            let error = Error::NotReady(format!("the settings of backtest {id} were applied"));
            return Err(Failure::from(error).with_hint(
                "hindsight settings history shows when; --force deletes it with that history, and \
                 what was applied cannot be rolled back any more",
            ));
        }
    }
    // The run is gone, whatever stays of its rows.
    if let Err(error) = run_files::delete(workspace, &id) {
        warn(error);
    }
    remark(format_args!("Deleted {id}."));
    Ok(())
}
