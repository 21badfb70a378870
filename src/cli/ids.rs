//! Ids on the command line: enough of one to tell it from all others will do.

use datafusion::arrow::array::AsArray;
use hindsight::Engine;

use super::failure::Failure;
use super::settings::quoted;

/// What an id is of.
#[derive(Clone, Copy)]
pub enum Of {
    Backtest,
    /// What was applied once.
    Application,
}

impl Of {
    fn table(self) -> &'static str {
        match self {
            Self::Backtest => "backtests",
            Self::Application => "settings_history",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Backtest => "backtest",
            Self::Application => "application of settings",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Backtest => "hindsight history lists them",
            Self::Application => "hindsight settings history lists them",
        }
    }
}

/// The one id that begins so.
pub async fn resolve(engine: &Engine, of: Of, typed: &str) -> Result<String, Failure> {
    let sql = format!(
        "select id from {} where starts_with(id, {}) order by id limit 2",
        of.table(),
        quoted(&typed.to_lowercase())
    );
    let mut ids = Vec::new();
    for batch in engine.sql(&sql).await? {
        if let Some(column) = batch
            .columns()
            .first()
            .and_then(|c| c.as_string_opt::<i32>())
        {
            ids.extend(column.iter().flatten().map(str::to_owned));
        }
    }
    match (ids.pop(), ids.pop()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(Failure::usage(
            format!("there is no {} {typed}", of.name()),
            of.hint(),
        )),
        (Some(_), Some(_)) => Err(Failure::usage(
            format!("more than one {} begins with {typed}", of.name()),
            format!("give more of it; {}", of.hint()),
        )),
    }
}
