//! `hindsight config`: every setting, its value and where that comes from.

use std::path::Path;

use clap::Args;
use hindsight::store::Place;

use super::failure::Failure;
use super::options::Setting;
use super::output::{OutputArgs, texts};

/// Show every setting with its value and where that comes from
#[derive(Debug, Args)]
#[command(
    long_about = "Show every setting with its value and where that comes from.\n\n\
                  Settings come from hindsight.toml in the current directory, then from \
                  hindsight/hindsight.toml in the user's configuration directory, then from the \
                  environment, then from flags; each beats those before it. A key of the file is the \
                  name of an option, with _ for -: data, state, quiet, and those of hindsight serve.",
    after_help = "Examples:\n  \
                  hindsight config\n  \
                  echo \"data = '/srv/hindsight'\" > hindsight.toml && hindsight config --format csv"
)]
pub struct ConfigArgs {
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn execute(settings: Vec<Setting>, arguments: ConfigArgs) -> Result<(), Failure> {
    let rows = settings.into_iter().map(|setting| {
        let value = match setting.key.as_str() {
            "state" => setting.value.map(|url| without_password(&url)),
            _ => setting.value,
        };
        [Some(setting.key), value, Some(setting.origin)]
    });
    let batch = texts(["setting", "value", "origin"], rows)?;
    arguments.output.open()?.write_batch(batch).await
}

/// A URL as it may be shown.
fn without_password(url: &str) -> String {
    Place::of(Path::new(""), Some(url)).map_or_else(|_| "no URL".into(), |place| place.to_string())
}
