//! `hindsight run`: one backtest, compared with what really happened.

use std::time::Instant;

use clap::Args;
use hindsight::{Engine, Error};

use super::comparison::Comparison;
use super::failure::Failure;
use super::output::{Format, Output};
use super::progress::Bar;
use super::settings::{self, Setting};
use super::terminal::{aside, seconds};
use super::workspace::Workspace;

/// Backtest one set of settings and compare it with what really happened
#[derive(Debug, Args)]
#[command(
    long_about = "Backtest one set of settings and compare it with what really happened.\n\n\
                  What is not set takes its default; hindsight query \"select * from parameters\" \
                  lists them all.",
    after_help = "Examples:\n  \
                  hindsight run --set stop_loss_percent=12\n  \
                  hindsight run --set start_date=2025-01-01 --set exit_strategy=hybrid\n  \
                  hindsight run --set score_threshold=80 --format json"
)]
pub struct RunArgs {
    /// A parameter and its value; none is no value
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::parse)]
    settings: Vec<Setting>,
    /// How the result is written; all but table write the row of backtest(…)
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn execute(workspace: &Workspace, arguments: RunArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let mut output = Output::new(arguments.format)?;
    let engine = open_loaded(workspace).await?;
    let call = settings::arguments(&arguments.settings);
    let outcome = if arguments.format == Format::Table {
        let spinner = Bar::spinner("backtesting");
        let comparison = Comparison::run(&engine, &call).await;
        drop(spinner);
        match comparison {
            Ok(comparison) => comparison.print(),
            Err(error) => Err(error.into()),
        }
    } else {
        match engine.run(&format!("select * from backtest({call})")).await {
            Ok(outcome) => output.write(outcome, true).await,
            Err(error) => Err(error.into()),
        }
    };
    outcome.map_err(|failure| {
        let is_several = arguments.settings.iter().any(Setting::is_several);
        match failure.error() {
            Error::Parameter { .. } if is_several => {
                failure.with_hint("hindsight sweep takes several values, run takes one")
            }
            _ => failure,
        }
    })?;
    aside(seconds(started.elapsed()));
    Ok(())
}

/// Opens a workspace that has something to backtest.
pub async fn open_loaded(workspace: &Workspace) -> Result<Engine, Failure> {
    let engine = workspace.open().await?;
    if engine.dataset().generation == 0 {
        let error = Error::Workspace {
            path: workspace.to_path_buf(),
            problem: "nothing is loaded yet".into(),
        };
        return Err(Failure::from(error).with_hint(
            "hindsight demo makes a history to try; hindsight load --signals FILE… --prices FILE… \
             --trades FILE… loads yours",
        ));
    }
    Ok(engine)
}
