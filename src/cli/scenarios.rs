//! `hindsight scenarios`: lists them beside the live settings, and takes them out and in as JSON.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use datafusion::arrow::array::RecordBatch;
use hindsight::records::scenarios::Change;
use hindsight::records::scenarios::json::{export, import};
use hindsight::{Engine, Error};

use super::failure::Failure;
use super::output::{Format, OutputArgs, texts};
use super::terminal::remark;
use super::workspace::Workspace;

/// List, export and import scenarios
#[derive(Debug, Args)]
#[command(
    long_about = "List scenarios, with what each would change of the live settings; export and \
                  import them as JSON.\n\n\
                  They are made in SQL, as in hindsight query \"insert into scenarios (name, \
                  stop_loss_percent) values ('cautious', 8)\".",
    after_help = "Examples:\n  \
                  hindsight scenarios\n  \
                  hindsight scenarios export cautious > cautious.json\n  \
                  hindsight scenarios import cautious.json"
)]
pub struct ScenariosArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write scenarios as JSON to standard output
    Export {
        /// Those of these names; all where none is given
        names: Vec<String>,
    },
    /// Add the scenarios of a JSON file, all or none
    Import {
        /// The file; - is standard input
        file: PathBuf,
        /// Replace scenarios that are there already
        #[arg(long)]
        replace: bool,
    },
}

pub async fn execute(workspace: &Workspace, arguments: ScenariosArgs) -> Result<(), Failure> {
    let output = arguments.output;
    match &arguments.what {
        Some(What::Export { .. }) if output.format()? != Format::Json && output.is_given() => {
            return Err(Failure::usage(
                "scenarios are exported as JSON",
                "hindsight scenarios --format lists them in other formats",
            ));
        }
        Some(What::Import { .. }) if output.is_given() => {
            return Err(Failure::usage(
                "an import prints no result",
                "leave --format and -o out",
            ));
        }
        _ => {}
    }
    let engine = workspace.open_state().await?;
    match arguments.what {
        None => output.open()?.write_batch(list(&engine).await?).await,
        Some(What::Export { names }) => {
            let scenarios = engine.store().scenarios().await?;
            if let Some(unknown) = names.iter().find(|name| !scenarios.contains_key(*name)) {
                return Err(Failure::usage(
                    format!("there is no scenario '{unknown}'"),
                    "hindsight scenarios lists them",
                ));
            }
            let is_wanted = |name: &String| names.is_empty() || names.contains(name);
            let wanted = scenarios
                .values()
                .filter(|scenario| is_wanted(&scenario.name));
            output.write_text(&format!("{}\n", export(wanted)?))
        }
        Some(What::Import { file, replace }) => {
            let text = read(&file)?;
            let changes = import(
                &text,
                &file.display().to_string(),
                replace,
                engine.store().ranges(),
            )?;
            let is_insert = |change: &&Change| matches!(change, Change::Insert(_));
            let count = changes.iter().filter(is_insert).count();
            engine.store().change_scenarios(&changes).await?;
            let noun = if count == 1 { "scenario" } else { "scenarios" };
            remark(format_args!("Imported {count} {noun}."));
            Ok(())
        }
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().read_to_string(&mut text).map(|_| text),
        false => std::fs::read_to_string(file),
    };
    read.map_err(|source| {
        let path = file.display().to_string();
        Error::Io { path, source }.into()
    })
}

/// The scenarios, with what they set and what of the live settings that would change.
async fn list(engine: &Engine) -> Result<RecordBatch, Failure> {
    let scenarios = engine.store().scenarios().await?;
    let live = engine.store().live_settings().await?;
    let mut rows = Vec::new();
    for scenario in scenarios.values() {
        rows.push([
            Some(scenario.name.clone()),
            scenario.description.clone(),
            scenario.tags.as_ref().map(|tags| tags.join(", ")),
            Some(scenario.settings().join(", ")),
            Some(scenario.differences(&live)?.join(", ")),
        ]);
    }
    let names = [
        "name",
        "description",
        "tags",
        "settings",
        "differs_from_live",
    ];
    texts(names, rows)
}
