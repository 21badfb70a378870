//! The default `BacktestConfig` over the last 30 days of data, and what is known of each parameter.

use axum::body::Body;
use axum::http::Response;
use chrono::NaiveDate;
use datafusion::common::ScalarValue;
use hindsight_udfs::decimal;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::config;
use super::json::objects;
use super::problem::Problem;
use super::settings;
use crate::metrics::{Better, METRICS};
use crate::parameters::{Kind, PARAMETERS, Parameter, Ranges};
use crate::records::runs::Texts;

/// Days of the range that a backtest takes without one.
const RANGE_DAYS: u64 = 30;
/// Values of a parameter that are tried, at most.
const POSITIONS: i128 = 40;

pub async fn defaults(call: Call) -> Result<Response<Body>, Problem> {
    let version = settings::version(&call).await?;
    // The range that a backtest takes without one.
    let last = "select cast(max(timestamp) as date) as last_day from signals";
    let last = objects(&call.rows(last).await?)?.pop();
    let last = last.and_then(|mut row| row.remove("last_day")?.as_str()?.parse().ok());
    let mut values = Texts::new();
    if let Some(last) = last {
        let last: NaiveDate = last;
        let first = last - chrono::Days::new(RANGE_DAYS - 1);
        values.insert("start_date".into(), first.to_string());
        values.insert("end_date".into(), last.to_string());
    }
    for parameter in &PARAMETERS {
        if let Some(default) = parameter.default {
            values.insert(parameter.name.into(), default.into());
        }
    }
    let live = objects(
        &call
            .rows("select setting, value from live_settings")
            .await?,
    )?;
    let live = |name: &str| {
        let row = live
            .iter()
            .find(|row| row.get("setting") == Some(&Value::from(name)));
        row.and_then(|row| row.get("value"))
            .cloned()
            .unwrap_or_default()
    };
    let mut document = config::document(&values);
    for name in ["scenario", "label"] {
        document.insert(name.into(), Value::Null);
    }
    let parameters = PARAMETERS
        .iter()
        .map(|parameter| describe(parameter, call.ranges(), live(parameter.name)));
    document.insert("parameters".into(), parameters.collect());
    document.insert("metrics".into(), metrics());
    document.insert("settings_version".into(), version.into());
    Ok(call.json(&Value::Object(document)))
}

/// What a page must know of a parameter.
fn describe(parameter: &'static Parameter, ranges: &Ranges, live: Value) -> Value {
    let kind = match parameter.kind {
        Kind::Date => "date",
        Kind::Decimal(_, _) => "decimal",
        Kind::Integer => "integer",
        Kind::Boolean => "boolean",
        Kind::Choice(_) => "choice",
        Kind::Ladder => "ladder",
    };
    let mut about = Map::new();
    about.insert("name".into(), parameter.name.into());
    about.insert("path".into(), config::path(parameter).into());
    about.insert("group".into(), parameter.group.into());
    about.insert("kind".into(), kind.into());
    about.insert("type".into(), parameter.type_name().into());
    about.insert("unit".into(), parameter.unit.into());
    about.insert("description".into(), parameter.description.into());
    let default = parameter.default.map(|text| config::value(parameter, text));
    about.insert("default".into(), default.unwrap_or_default());
    let range = ranges.of(parameter);
    for (name, bound) in [("minimum", range.minimum), ("maximum", range.maximum)] {
        let bound = bound.map(|bound| bound.normalize().to_string());
        about.insert(name.into(), bound.into());
    }
    about.insert("above_minimum".into(), parameter.above_minimum.into());
    about.insert("step".into(), parameter.step.into());
    if let Kind::Choice(words) = parameter.kind {
        about.insert("choices".into(), json!(words));
    }
    about.insert("live".into(), live);
    Value::Object(about)
}

/// The metrics that both sides of a result have.
fn metrics() -> Value {
    let metrics = METRICS.iter().map(|metric| {
        json!({
            "name": metric.name,
            "title": metric.title,
            "unit": metric.unit(),
            "better": match metric.better {
                Better::More => "more",
                Better::Less => "less",
                Better::Neither => "neither",
            },
            "description": metric.description,
        })
    });
    metrics.collect()
}

/// The digits behind the point that a parameter has.
fn scale(parameter: &Parameter) -> Option<i8> {
    match parameter.kind {
        Kind::Decimal(_, scale) => Some(scale),
        Kind::Integer => Some(0),
        _ => None,
    }
}

/// A number in units of a parameter's last digit.
fn units(text: &str, scale: i8) -> Option<i128> {
    let (mantissa, digits) = decimal::parse(text)?;
    decimal::rescale_exact(mantissa, digits, scale)
}

/// At most so many values over a parameter's range, evenly, its ends and what it is now among them.
/// Where there is no greatest value, up to five times what is usual.
pub fn positions(
    parameter: &'static Parameter,
    current: Option<&str>,
    ranges: &Ranges,
) -> Vec<String> {
    match parameter.kind {
        Kind::Choice(words) => return words.iter().map(|word| (*word).to_owned()).collect(),
        Kind::Boolean => return vec!["false".into(), "true".into()],
        _ => {}
    }
    let Some(scale) = scale(parameter) else {
        return Vec::new();
    };
    let of = |text: Option<&str>| text.and_then(|text| units(text, scale));
    let range = ranges.of(parameter);
    let bound = |bound: Option<Decimal>| of(bound.map(|bound| bound.to_string()).as_deref());
    let now = of(current.or(parameter.default));
    let least = bound(range.minimum).unwrap_or(0);
    let usual = now.filter(|usual| *usual > 0);
    let usual = usual.or_else(|| of(parameter.step)?.checked_mul(20));
    let greatest = bound(range.maximum).or_else(|| usual?.checked_mul(5));
    let Some(greatest) = greatest.filter(|greatest| *greatest > least) else {
        return Vec::new();
    };
    let count = POSITIONS - 2;
    let mut all: Vec<i128> = (0..=count)
        .map(|place| least + (greatest - least) * place / count)
        .chain(now.filter(|now| (least..=greatest).contains(now)))
        .collect();
    all.sort_unstable();
    all.dedup();
    let texts = all.into_iter().map(|units| decimal::format(units, scale));
    let is_allowed = |text: &String| {
        let value = ScalarValue::Utf8(Some(text.clone()));
        parameter.value_in(&value, ranges).is_ok()
    };
    texts.filter(is_allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_allowed_ascend_and_hold_the_ends() {
        for parameter in &PARAMETERS {
            let positions = positions(parameter, None, &Ranges::default());
            assert!(positions.len() <= 40, "{}", parameter.name);
            if let Some(scale) = scale(parameter) {
                let numbers: Vec<i128> = positions.iter().filter_map(|t| units(t, scale)).collect();
                assert_eq!(numbers.len(), positions.len(), "{}", parameter.name);
                assert!(numbers.is_sorted_by(|a, b| a < b), "{}", parameter.name);
                if let Some(maximum) = parameter.maximum {
                    assert_eq!(numbers.last().copied(), units(maximum, scale));
                }
            }
        }
    }
}
