//! `hindsight rollback ID`: puts back the live settings that were there before.

use clap::Args;

use super::apply::text;
use super::consent::ask;
use super::failure::Failure;
use super::ids::{self, Of};
use super::settings::quoted;
use super::terminal::remark;
use super::workspace::Workspace;

/// Put back the live settings that were there before they were applied
#[derive(Debug, Args)]
#[command(
    long_about = "Put back the live settings that were there before they were applied.\n\n\
                  Refused where they have changed since: what came later is rolled back first.",
    after_help = "Examples:\n  \
                  hindsight settings history\n  \
                  hindsight rollback 0198"
)]
pub struct RollbackArgs {
    /// What was applied, or enough of its id
    id: String,
    /// Roll back without asking
    #[arg(long, short)]
    yes: bool,
    /// Show what would be put back, and change nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

pub async fn execute(workspace: &Workspace, arguments: RollbackArgs) -> Result<(), Failure> {
    let engine = workspace.open().await?;
    let id = ids::resolve(&engine, Of::Application, &arguments.id).await?;
    let applied = engine
        .sql(&format!(
            "select applied_by, cast(date_trunc('second', applied_at) as varchar) as applied_at, \
             array_to_string(changes_applied, ', ') as groups, previous_values \
             from settings_history where id = {}",
            quoted(&id)
        ))
        .await?;
    remark(format_args!(
        "{} applied {} at {}. Before, these were:\n{}",
        text(&applied, "applied_by", 0),
        text(&applied, "groups", 0),
        text(&applied, "applied_at", 0),
        text(&applied, "previous_values", 0)
    ));
    if arguments.dry_run {
        remark("Nothing was changed.");
        return Ok(());
    }
    if !ask("Put them back?", arguments.yes).await? {
        return Ok(());
    }
    let sql = format!(
        "select * from rollback_settings({}, confirm => true)",
        quoted(&id)
    );
    engine.sql(&sql).await?;
    remark("Rolled back: the previous values are in force again.");
    Ok(())
}
