//! `hindsight rollback ID`: puts back the live settings that were there before.

use std::collections::BTreeMap;

use clap::Args;
use datafusion::arrow::array::RecordBatch;
use hindsight::Error;
use serde_json::value::RawValue;

use super::apply::text;
use super::changes::{self, Change};
use super::consent::ask;
use super::failure::Failure;
use super::ids::{self, Of};
use super::output::OutputArgs;
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
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn execute(workspace: &Workspace, arguments: RollbackArgs) -> Result<(), Failure> {
    let engine = workspace.open_state().await?;
    let id = ids::resolve(&engine, Of::Application, &arguments.id).await?;
    let applied = engine
        .sql(&format!(
            "select applied_by, to_char(applied_at, 'YYYY-MM-DD HH24:MI:SS') as applied_at, \
             array_to_string(changes_applied, ', ') as groups, previous_values, \
             case when rolled_back_at is not null then 'yes' end as is_rolled_back \
             from settings_history where id = {}",
            quoted(&id)
        ))
        .await?;
    if !text(&applied, "is_rolled_back", 0).is_empty() {
        return Err(Error::NotReady(format!("{id} is rolled back already")).into());
    }
    let live = engine
        .sql("select setting_group, setting, value from live_settings")
        .await?;
    let changes = changes(&live, &text(&applied, "previous_values", 0))?;
    remark(format_args!(
        "{} applied {} on {} UTC.",
        text(&applied, "applied_by", 0),
        text(&applied, "groups", 0),
        text(&applied, "applied_at", 0),
    ));
    match changes.is_empty() {
        true => remark(
            "The live settings are those from before already; only the history would change.",
        ),
        false => changes::print(changes, "before", &arguments.output).await?,
    }
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

/// What of the live settings is not as it was before.
fn changes(live: &[RecordBatch], before: &str) -> Result<Vec<Change>, Failure> {
    let before: BTreeMap<String, BTreeMap<String, Box<RawValue>>> = serde_json::from_str(before)
        .map_err(|error| Error::Usage(format!("the history cannot be read: {error}")))?;
    let mut changes = Vec::new();
    for batch in live {
        let batch = std::slice::from_ref(batch);
        for row in 0..batch.iter().map(RecordBatch::num_rows).sum() {
            let (group, setting) = (
                text(batch, "setting_group", row),
                text(batch, "setting", row),
            );
            let Some(group_before) = before.get(&group) else {
                continue;
            };
            let new = group_before.get(&setting).map(|value| value.get());
            let new = new.filter(|new| *new != "null").unwrap_or_default();
            let (new, live) = (new.trim_matches('"').to_owned(), text(batch, "value", row));
            if new != live {
                changes.push(Change {
                    group,
                    setting,
                    live,
                    new,
                });
            }
        }
    }
    Ok(changes)
}
