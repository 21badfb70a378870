//! `hindsight settings`: the live settings, and what was applied to them.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output::OutputArgs;
use super::workspace::Workspace;

/// Show the settings of the live system, or their history
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  hindsight settings\n  \
                  hindsight settings history --format json")]
pub struct SettingsArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What was applied, by whom, the newest first
    History,
}

pub async fn execute(workspace: &Workspace, arguments: SettingsArgs) -> Result<(), Failure> {
    let is_table = arguments.output.is_table();
    let mut output = arguments.output.open()?;
    let engine = workspace.open_state().await?;
    let sql = match arguments.what {
        None => "select * from live_settings",
        Some(What::History) if is_table => {
            "select id, cast(date_trunc('second', applied_at) as timestamp(0)) as applied, \
             applied_by, array_to_string(changes_applied, ', ') as groups, backtest_id, \
             cast(date_trunc('second', rolled_back_at) as timestamp(0)) as rolled_back \
             from settings_history order by applied_at desc, id desc"
        }
        Some(What::History) => "select * from settings_history order by applied_at desc, id desc",
    };
    output.write(engine.run(sql).await?, true).await
}
