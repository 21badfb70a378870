//! How many settings were looked at before some were chosen, as whoever stores a run says it, and what
//! is left of the run's Sharpe ratio given that many.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{Date32Type, Float64Type};
use hindsight_statistics::sharpe::{deflated_sharpe_ratio, expected_best_of};

use super::call::{self, Call};
use super::config::Config;
use super::json::Object;
use super::problem::Problem;
use crate::error::Error;

/// More than anybody looks at.
const SETTINGS_MAX: u64 = 1_000_000_000;
/// Days of a year, by which a daily Sharpe ratio is made one of a year.
const YEAR: f64 = 365.0;

/// The settings that were tried.
#[derive(Debug, Clone, Copy)]
pub struct Tried {
    settings: u64,
    /// How far their Sharpe ratios spread, as results have those.
    deviation: f64,
}

impl Tried {
    /// Takes it out of the members of a request.
    pub fn take(object: &mut Object) -> Result<Option<Self>, Problem> {
        let Some(mut tried) = object.object("tried")? else {
            return Ok(None);
        };
        let settings: Option<u64> = tried.get("settings", "a whole number")?;
        let deviation = tried.text("sharpe_ratio_deviation")?;
        tried.end()?;
        let settings = settings.filter(|settings| (1..=SETTINGS_MAX).contains(settings));
        let settings = settings.ok_or_else(|| {
            Problem::request(format!(
                "tried.settings must be between 1 and {SETTINGS_MAX}"
            ))
        })?;
        let deviation = deviation.as_deref().unwrap_or("0").parse().ok();
        let deviation = deviation.filter(|deviation: &f64| (0.0..1e9).contains(deviation));
        let deviation = deviation.ok_or_else(|| {
            Problem::request(
                "tried.sharpe_ratio_deviation must be a number of 0 or more, as a text",
            )
        })?;
        Ok(Some(Self {
            settings,
            deviation,
        }))
    }

    /// What is stored of it with a run of these settings: arguments of `run_backtest`.
    pub async fn arguments(&self, call: &Call, config: &Config) -> Result<Vec<String>, Problem> {
        let mut arguments = vec![format!("combinations_tried => {}", self.settings)];
        let series = daily(call, config).await?;
        let expected = expected_best_of(self.settings as f64, self.deviation / YEAR.sqrt());
        if let Some(deflated) = deflated_sharpe_ratio(&series, expected) {
            arguments.push(format!("deflated_sharpe_ratio => {deflated}"));
        }
        Ok(arguments)
    }
}

/// What the settings make on each day of their range, in lamports; an earlier exit counts on the first
/// day, a later one on the last.
async fn daily(call: &Call, config: &Config) -> Result<Vec<f64>, Problem> {
    let arguments = config.arguments().join(", ");
    let session = call.session().await?;
    let range = format!("select start_date, end_date from backtest({arguments})");
    let range = call::rows(&session, &range).await?;
    let bound = |column: usize| {
        let batch = range.iter().find(|batch| batch.num_rows() > 0)?;
        let days = batch.column(column).as_primitive_opt::<Date32Type>()?;
        days.is_valid(0).then(|| days.value(0))
    };
    let Some((first, last)) = bound(0).zip(bound(1)) else {
        return Ok(Vec::new());
    };
    let mut series = vec![0.0; usize::try_from(last - first + 1).unwrap_or(0)];
    let by_day = format!(
        "select cast(exit_timestamp as date) as day, \
         cast(sum(net_pnl_sol) * 1000000000 as double precision) as pnl \
         from simulate_trades({arguments}) group by 1"
    );
    for batch in call::rows(&session, &by_day).await? {
        let days = batch.column(0).as_primitive_opt::<Date32Type>();
        let pnl = batch.column(1).as_primitive_opt::<Float64Type>();
        let Some((days, pnl)) = days.zip(pnl) else {
            return Err(Error::session("XX000", "a day has no sum").into());
        };
        for (day, pnl) in days.values().iter().zip(pnl.values()) {
            let place = usize::try_from((day.clamp(&first, &last)) - first).unwrap_or(0);
            if let Some(of_day) = series.get_mut(place) {
                *of_day += pnl;
            }
        }
    }
    Ok(series)
}
