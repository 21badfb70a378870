//! `hindsight report`: one HTML file about one set of settings, to be sent to others.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use hindsight::server::http::report::{About, Swept, html};
use hindsight::session::Session;
use hindsight::{Engine, Error, Role};

use super::apply::text;
use super::failure::Failure;
use super::ids::{self, Of};
use super::output::FileTarget;
use super::progress::Bar;
use super::settings::{self, Setting, quoted};
use super::terminal::{aside, stdout};
use super::version::version;
use super::workspace::Workspace;

/// Write a report about a stored backtest or a scenario: one HTML file that needs no network
#[derive(Debug, Args)]
#[command(
    long_about = "Write a report about a stored backtest or a scenario: one HTML file that needs no \
                  network.\n\n\
                  Without either it is about the newest stored backtest, and where none is stored \
                  about the defaults. Its figures are computed over the history as it is now; where \
                  that is not the one that a stored backtest ran over, the report says so.",
    after_help = "Examples:\n  \
                  hindsight report 0198 -o report.html\n  \
                  hindsight report cautious -o cautious.html\n  \
                  hindsight report 0198 --sweep score_threshold=60:90:5 --sweep stop_loss_percent=8,12\n  \
                  hindsight report -o - > report.html"
)]
pub struct ReportArgs {
    /// The backtest, or enough of its id; or the name of a scenario
    #[arg(value_name = "ID|SCENARIO")]
    about: Option<String>,
    /// The file to write; - is standard output
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// A parameter of the sweep that the settings came from, and its values, as sweep --set has them
    #[arg(long, value_name = "NAME=VALUES", value_parser = settings::parse)]
    sweep: Vec<Setting>,
}

pub async fn execute(workspace: &Workspace, arguments: ReportArgs) -> Result<(), Failure> {
    let engine = super::run::open_loaded(workspace).await?;
    let spinner = Bar::spinner("writing the report");
    let session = engine.session("hindsight", Role::Operator).await?;
    let about = find(&engine, &session, arguments.about.as_deref()).await?;
    let mut grid = Vec::new();
    for setting in &arguments.sweep {
        let (argument, count) = setting.array_argument()?;
        grid.push(Swept {
            name: setting.name.clone(),
            argument,
            count,
        });
    }
    let about = about.with_grid(grid)?;
    let html = html(&session, &about, version()).await?;
    drop(spinner);
    if arguments.output.as_os_str() == "-" {
        let mut out = stdout();
        out.write_all(html.as_bytes())?;
        return Ok(out.flush()?);
    }
    let file = FileTarget::create(&arguments.output)?;
    let mut target = file.target()?;
    let written = target
        .write_all(html.as_bytes())
        .and_then(|()| target.flush());
    written.map_err(|source| Error::Io {
        path: file.name(),
        source,
    })?;
    drop(target);
    let name = file.name();
    file.finish()?;
    aside(format_args!(
        "{name}: a report about {}, {} kB",
        about.title(),
        html.len().div_ceil(1000)
    ));
    Ok(())
}

/// The run or scenario of this name; without a name the newest run, or else the defaults.
async fn find(engine: &Engine, session: &Session, named: Option<&str>) -> Result<About, Failure> {
    let id = match named {
        None => {
            let sql = "select id from backtests where status = 'completed' \
                       order by started_at desc, id desc limit 1";
            text(&engine.sql(sql).await?, "id", 0)
        }
        Some(named) => {
            let sql = format!("select name from scenarios where name = {}", quoted(named));
            if !text(&engine.sql(&sql).await?, "name", 0).is_empty() {
                return Ok(About::scenario(Some(named.to_owned())));
            }
            let id = ids::resolve(engine, Of::Backtest, named).await;
            id.map_err(|failure| {
                failure.with_hint(
                    "hindsight history lists the backtests, hindsight scenarios the scenarios",
                )
            })?
        }
    };
    let of_run = About::of_run(session, &id).await?;
    Ok(of_run.unwrap_or_else(|| About::scenario(None)))
}
