//! `hindsight compare ID`: a stored run beside what really happened.

use clap::Args;

use super::comparison::Comparison;
use super::failure::Failure;
use super::ids::{self, Of};
use super::output::OutputArgs;
use super::settings::quoted;
use super::workspace::Workspace;

/// Compare a stored backtest with what really happened, trade by trade
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  hindsight compare 0198\n  \
                  hindsight compare 0198 --format csv > comparisons.csv")]
pub struct CompareArgs {
    /// The backtest, or enough of its id
    id: String,
    /// In all formats but table, the rows of trade_comparisons
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn execute(workspace: &Workspace, arguments: CompareArgs) -> Result<(), Failure> {
    let mut output = arguments.output.open()?;
    let engine = workspace.open().await?;
    let id = ids::resolve(&engine, Of::Backtest, &arguments.id).await?;
    if arguments.output.is_table() {
        return Comparison::of_run(&engine, &id).await?.print();
    }
    let id = quoted(&id);
    let sql = format!("select * from trade_comparisons where backtest_id = {id}");
    output.write(engine.run(&sql).await?, true).await
}
