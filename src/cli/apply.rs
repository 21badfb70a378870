//! `hindsight apply ID`: shows what a run would change of the live settings, asks, and applies it.

use clap::Args;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use hindsight::records::objections::objections;
use hindsight::records::runs::texts;
use hindsight::records::settings::Group;
use hindsight::{Engine, Error};

use super::changes::{self, Change};
use super::consent::ask;
use super::failure::Failure;
use super::ids::{self, Of};
use super::output::OutputArgs;
use super::settings::quoted;
use super::terminal::{aside, remark, warn};
use super::workspace::Workspace;

/// Make the settings of a stored backtest those of the live system
#[derive(Debug, Args)]
#[command(
    long_about = "Make the settings of a stored backtest those of the live system.\n\n\
                  Shows what would change and asks first. Whatever else changes the settings \
                  meanwhile, nothing is applied but what was shown. hindsight rollback undoes it.",
    after_help = "Examples:\n  \
                  hindsight apply 0198 --dry-run\n  \
                  hindsight apply 0198 --only exit_strategy,score_threshold\n  \
                  hindsight apply 0198 --without take_profit_ladder,max_open_positions\n  \
                  hindsight apply 0198 --yes"
)]
pub struct ApplyArgs {
    /// The backtest, or enough of its id
    id: String,
    /// Apply these groups alone: scoring_weights, score_threshold, position_sizing, exit_strategy
    #[arg(long, value_name = "GROUP", value_delimiter = ',', value_parser = group)]
    only: Vec<Group>,
    /// Apply the rest of a backtest that was run with these parameters, which the live system does not know
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    without: Vec<String>,
    /// Apply without asking
    #[arg(long, short)]
    yes: bool,
    /// Show what would change, and change nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Make the tables scoring_weights and system_config in the PostgreSQL of --state where they are
    /// missing; otherwise they are the trading system's to make
    #[arg(long)]
    create_settings: bool,
    #[command(flatten)]
    output: OutputArgs,
}

fn group(text: &str) -> Result<Group, String> {
    Group::named(text).ok_or_else(|| {
        let names: Vec<&str> = Group::ALL.into_iter().map(Group::name).collect();
        format!("the groups are {}", names.join(", "))
    })
}

pub async fn execute(workspace: &Workspace, arguments: ApplyArgs) -> Result<(), Failure> {
    let engine = workspace.open_state().await?;
    let id = ids::resolve(&engine, Of::Backtest, &arguments.id).await?;
    let groups: Vec<Group> = match arguments.only.is_empty() {
        true => Group::ALL.to_vec(),
        false => arguments.only,
    };
    let preview = engine
        .sql(&format!("select * from preview_settings({})", quoted(&id)))
        .await?;
    let unknown = unknown(&preview);
    let changes = changes(&preview, &groups);
    if changes.is_empty() {
        remark("The live settings are these already; nothing is changed.");
        return Ok(());
    }
    let question = match changes.len() {
        1 => "Apply this change to the live system?".to_owned(),
        count => format!("Apply these {count} changes to the live system?"),
    };
    changes::print(changes, "proposed", &arguments.output).await?;
    check_left_out(&id, &unknown, &arguments.without, arguments.dry_run)?;
    warn_of_chance(&engine, &id).await?;
    if arguments.dry_run {
        remark("Nothing was changed.");
        return Ok(());
    }
    if !ask(&question, arguments.yes).await? {
        return Ok(());
    }
    apply(
        &engine,
        &id,
        &groups,
        &arguments.without,
        &text(&preview, "settings_version", 0),
        arguments.create_settings,
    )
    .await
}

/// What the backtest was run with that the live system does not know: name and value.
fn unknown(preview: &[RecordBatch]) -> Vec<(String, String)> {
    let mut unknown = Vec::new();
    for batch in preview {
        let groups = batch.column_by_name("setting_group");
        for row in 0..batch.num_rows() {
            if groups.is_some_and(|groups| groups.is_null(row)) {
                let batch = std::slice::from_ref(batch);
                unknown.push((text(batch, "setting", row), text(batch, "proposed", row)));
            }
        }
    }
    unknown
}

/// Says what will be missing, and refuses where it is not said that it may be.
fn check_left_out(
    id: &str,
    unknown: &[(String, String)],
    without: &[String],
    is_dry: bool,
) -> Result<(), Failure> {
    if unknown.is_empty() {
        return Ok(());
    }
    let values: Vec<String> = unknown
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let values = values.join(", ");
    if is_dry || unknown.iter().all(|(name, _)| without.contains(name)) {
        warn(format_args!(
            "the live system does not know {values}, and will not trade as the backtest did"
        ));
        return Ok(());
    }
    let names: Vec<&str> = unknown.iter().map(|(name, _)| name.as_str()).collect();
    let error = Error::Argument {
        function: "apply".into(),
        problem: format!(
            "backtest {id} was run with {values}, which the live system does not know"
        ),
    };
    Err(Failure::from(error).with_hint(format!(
        "--without {} applies the rest, which will not trade as the backtest did",
        names.join(",")
    )))
}

/// Says what speaks against the settings, before anybody is asked.
async fn warn_of_chance(engine: &Engine, id: &str) -> Result<(), Failure> {
    let sql = format!("select * from backtests where id = {}", quoted(id));
    for run in engine.sql(&sql).await? {
        for row in 0..run.num_rows() {
            objections(&texts(&run, row)?).iter().for_each(warn);
        }
    }
    Ok(())
}

/// What would change in these groups.
fn changes(preview: &[RecordBatch], groups: &[Group]) -> Vec<Change> {
    let mut changes = Vec::new();
    for batch in preview {
        let batch = std::slice::from_ref(batch);
        for row in 0..batch.iter().map(RecordBatch::num_rows).sum() {
            let group = text(batch, "setting_group", row);
            let is_asked = groups.iter().any(|asked| asked.name() == group);
            if is_asked && is_true(batch, "changed", row) {
                changes.push(Change {
                    group,
                    setting: text(batch, "setting", row),
                    live: text(batch, "current", row),
                    new: text(batch, "proposed", row),
                });
            }
        }
    }
    changes
}

async fn apply(
    engine: &Engine,
    id: &str,
    groups: &[Group],
    without: &[String],
    version: &str,
    create_settings: bool,
) -> Result<(), Failure> {
    let left_out = Group::ALL.iter().filter(|group| !groups.contains(group));
    let left_out: Vec<String> = left_out
        .map(|g| format!(", {} => false", g.name()))
        .collect();
    let done = engine
        .sql(&format!(
            "select * from apply_settings({}, confirm => true, without => {}, settings_version => {}, \
             create_settings => {create_settings}{})",
            quoted(id),
            quoted(&without.join(", ")),
            quoted(version),
            left_out.concat()
        ))
        .await?;
    let history = text(&done, "history_id", 0);
    remark(format_args!(
        "Applied, as {}.",
        text(&done, "applied_by", 0)
    ));
    aside(format_args!("hindsight rollback {history} undoes it"));
    Ok(())
}

/// A text of a result; empty where there is none.
pub fn text(batches: &[RecordBatch], name: &str, row: usize) -> String {
    let column = batches.first().and_then(|batch| batch.column_by_name(name));
    let texts = column.and_then(|column| cast(column, &DataType::Utf8).ok());
    let texts = texts
        .as_ref()
        .and_then(|column| column.as_string_opt::<i32>());
    let texts = texts.filter(|column| row < column.len() && column.is_valid(row));
    texts.map_or_else(String::new, |column| column.value(row).to_owned())
}

fn is_true(batches: &[RecordBatch], name: &str, row: usize) -> bool {
    let column = batches.first().and_then(|batch| batch.column_by_name(name));
    let column = column.and_then(|column| column.as_boolean_opt());
    column.is_some_and(|column| row < column.len() && column.is_valid(row) && column.value(row))
}
