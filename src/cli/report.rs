//! `hindsight report`: one HTML file about one set of settings, to be sent to others. It holds the page's
//! own modules and, compressed, the rows that they show; its policy allows those and nothing else, so it
//! asks no server. What is in it is computed over the history as it is now.

mod bundle;
mod data;
mod sections;

use std::io::Write;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use hindsight::Error;
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::output::FileTarget;
use super::progress::Bar;
use super::terminal::{aside, stdout};
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
                  hindsight report -o - > report.html"
)]
pub struct ReportArgs {
    /// The backtest, or enough of its id; or the name of a scenario
    #[arg(value_name = "ID|SCENARIO")]
    about: Option<String>,
    /// The file to write; - is standard output
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
}

pub async fn execute(workspace: &Workspace, arguments: ReportArgs) -> Result<(), Failure> {
    let engine = super::run::open_loaded(workspace).await?;
    let spinner = Bar::spinner("writing the report");
    let about = data::About::find(&engine, arguments.about.as_deref()).await?;
    let json = sections::collect(&engine, &about).await?;
    let html = page(&about.title(), &json)?;
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

/// The whole file: styles, data, modules, and a policy that allows these and no more.
fn page(title: &str, json: &str) -> Result<String, Failure> {
    let (style, script) = (bundle::style(), bundle::script()?);
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(json.as_bytes())?;
    let packed = STANDARD.encode(packed.finish()?);
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        hash(&script),
        hash(&style)
    );
    let title = escaped(title);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · hindsight</title>\n\
         <style>{style}</style>\n</head>\n<body class=\"report-body\">\n\
         <div id=\"page\">This report draws itself with JavaScript.</div>\n\
         <script type=\"application/octet-stream\" id=\"data\">{packed}</script>\n\
         <script type=\"module\">{script}</script>\n</body>\n</html>\n"
    ))
}

/// As a policy names what it allows.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
