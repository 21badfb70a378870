//! `BacktestConfig`: the parameters as the routes nest them, by the table of parameters alone.
//!
//! A group of parameters is an object of its name, but for those in [`FLAT`], whose parameters stand
//! on top. What is left out, or null, takes its default, or the scenario's value where one is named.

use datafusion::common::ScalarValue;
use hindsight_udfs::decimal;
use serde_json::{Map, Value};

use super::json::{Object, scalar};
use super::problem::Problem;
use super::tried::Tried;
use crate::error::Error;
use crate::parameters::{Kind, PARAMETERS, Parameter, Ranges, check_together, position};
use crate::records::runs::Texts;

/// The groups whose parameters stand on top.
const FLAT: [&str; 3] = ["date_range", "score_threshold", "simulation"];
/// What answers add to a configuration, and requests may send back: it is not read.
const ANSWERED: [&str; 4] = [
    "date_range_days",
    "parameters",
    "metrics",
    "settings_version",
];
const WEIGHTS: &str = "scoring_weights";
const WEIGHTS_ANSWERED: [&str; 2] = ["total_weight", "is_valid"];
/// Lengths of the texts of a run.
const TEXT_LIMIT: usize = 1_000;

/// What a request wants to be run.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The parameters given, with what was written.
    pub given: Vec<(&'static Parameter, String)>,
    pub scenario: Option<String>,
    pub label: Option<String>,
    /// The settings that were looked at before these were chosen.
    pub tried: Option<Tried>,
}

/// The object that a parameter stands in; `None` on top.
pub fn group(parameter: &Parameter) -> Option<&'static str> {
    (!FLAT.contains(&parameter.group)).then_some(parameter.group)
}

/// The name of a parameter where it stands.
pub fn member(parameter: &Parameter) -> &'static str {
    match parameter.name == parameter.group && group(parameter).is_some() {
        true => "strategy",
        false => parameter.name,
    }
}

/// The groups that are objects, in the order of the parameters.
pub fn groups() -> Vec<&'static str> {
    let mut groups = Vec::new();
    for name in PARAMETERS.iter().filter_map(group) {
        if !groups.contains(&name) {
            groups.push(name);
        }
    }
    groups
}

/// Where a parameter stands, for people and pages.
pub fn path(parameter: &Parameter) -> String {
    match group(parameter) {
        Some(group) => format!("{group}.{}", member(parameter)),
        None => member(parameter).to_owned(),
    }
}

impl Config {
    /// Reads the whole of an object, and checks every value.
    pub fn read(mut object: Object, ranges: &Ranges) -> Result<Self, Problem> {
        let config = Self::take(&mut object, ranges)?;
        object.end()?;
        Ok(config)
    }

    /// Takes a configuration out of the members of an object.
    fn take(object: &mut Object, ranges: &Ranges) -> Result<Self, Problem> {
        let mut config = Self::default();
        for group in groups() {
            let Some(mut nested) = object.object(group)? else {
                continue;
            };
            for parameter in PARAMETERS.iter().filter(|p| self::group(p) == Some(group)) {
                config.take_value(&mut nested, parameter)?;
            }
            if group == WEIGHTS {
                for name in WEIGHTS_ANSWERED {
                    nested.take(name);
                }
            }
            nested.end()?;
        }
        for parameter in PARAMETERS.iter().filter(|p| group(p).is_none()) {
            config.take_value(object, parameter)?;
        }
        config.scenario = object.text("scenario")?;
        config.label = object.text("label")?;
        config.tried = Tried::take(object)?;
        for (name, text) in [("scenario", &config.scenario), ("label", &config.label)] {
            if text.as_ref().is_some_and(|text| text.len() > TEXT_LIMIT) {
                let detail = format!("{name} is longer than {TEXT_LIMIT} bytes");
                return Err(Problem::request(detail));
            }
        }
        for name in ANSWERED {
            object.take(name);
        }
        config.check(ranges)?;
        Ok(config)
    }

    fn take_value(
        &mut self,
        object: &mut Object,
        parameter: &'static Parameter,
    ) -> Result<(), Problem> {
        if let Some(value) = object.take(member(parameter)) {
            let text = scalar(&path(parameter), &value)?;
            self.given.push((parameter, text));
        }
        Ok(())
    }

    /// Every value alone, and where no scenario adds others, all of them together.
    fn check(&self, ranges: &Ranges) -> Result<(), Problem> {
        let mut values = Vec::with_capacity(PARAMETERS.len());
        for parameter in &PARAMETERS {
            let value = match self.text(parameter) {
                Some(text) => {
                    parameter.value_in(&ScalarValue::Utf8(Some(text.to_owned())), ranges)?
                }
                None => parameter.default_value()?,
            };
            values.push(value);
        }
        if self.scenario.is_none() {
            check_together(&values)?;
        }
        Ok(())
    }

    /// What was written for a parameter.
    pub fn text(&self, parameter: &Parameter) -> Option<&str> {
        let given = self.given.iter().find(|(p, _)| p.name == parameter.name);
        given.map(|(_, text)| text.as_str())
    }

    /// The arguments of a call in SQL, without the label.
    pub fn arguments(&self) -> Vec<String> {
        let given = self.given.iter();
        let mut arguments: Vec<String> = given
            .map(|(parameter, text)| format!("{} => {}", parameter.name, literal(text)))
            .collect();
        if let Some(scenario) = &self.scenario {
            arguments.push(format!("scenario => {}", literal(scenario)));
        }
        arguments
    }

    /// The arguments of a call in SQL but for some parameters, whose values follow as arrays.
    pub fn arguments_with(&self, arrays: &[(&'static Parameter, Vec<String>)]) -> String {
        let mut rest = self.clone();
        rest.given
            .retain(|(p, _)| !arrays.iter().any(|(array, _)| array.name == p.name));
        let mut arguments = rest.arguments();
        let arrays = arrays.iter();
        arguments.extend(arrays.map(|(parameter, values)| array(parameter, values)));
        arguments.join(", ")
    }
}

/// The argument that gives a parameter several values.
pub fn array(parameter: &Parameter, values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
    format!("{} => array[{}]", parameter.name, values.join(", "))
}

/// A text in SQL.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The parameter of this name, which may be that of its place.
pub fn named(name: &str) -> Result<&'static Parameter, Problem> {
    let found = position(name).map(|position| &PARAMETERS[position]);
    let found = found.or_else(|| PARAMETERS.iter().find(|p| path(p) == name));
    found.ok_or_else(|| {
        let name: String = name.chars().take(100).collect();
        let error = Error::UnknownArgument {
            function: "backtest".into(),
            argument: name,
            hint: "GET backtest/defaults lists the parameters".into(),
        };
        error.into()
    })
}

/// A value as JSON has it: decimals as texts without needless zeros.
pub fn value(parameter: &Parameter, text: &str) -> Value {
    match parameter.kind {
        Kind::Boolean => Value::Bool(matches!(text, "true" | "t" | "1")),
        Kind::Integer => text
            .parse::<i64>()
            .map_or_else(|_| Value::from(text), Value::from),
        _ => Value::from(plain(text)),
    }
}

/// A number without needless zeros; any other text as it is.
pub fn plain(text: &str) -> String {
    match decimal::parse(text) {
        Some((mantissa, scale)) => decimal::format(mantissa, scale),
        None => text.to_owned(),
    }
}

/// The whole configuration of these values; what is missing is null.
pub fn document(values: &Texts) -> Map<String, Value> {
    let mut document = Map::new();
    for parameter in &PARAMETERS {
        let value = values
            .get(parameter.name)
            .map_or(Value::Null, |text| value(parameter, text));
        let place = match group(parameter) {
            None => &mut document,
            Some(group) => {
                let nested = document.entry(group);
                match nested.or_insert_with(|| Value::Object(Map::new())) {
                    Value::Object(nested) => nested,
                    _ => continue,
                }
            }
        };
        place.insert(member(parameter).to_owned(), value);
    }
    compute(values, &mut document);
    document
}

/// What the story computes from a configuration.
fn compute(values: &Texts, document: &mut Map<String, Value>) {
    let weights = PARAMETERS.iter().filter(|p| p.group == WEIGHTS);
    let mut total: i128 = 0;
    for parameter in weights {
        let weight = values.get(parameter.name).and_then(|t| decimal::parse(t));
        let weight = weight.and_then(|(m, scale)| decimal::rescale_exact(m, scale, 4));
        total += weight.unwrap_or(0);
    }
    if let Some(Value::Object(nested)) = document.get_mut(WEIGHTS) {
        nested.insert("total_weight".into(), decimal::format(total, 4).into());
        nested.insert("is_valid".into(), ((total - 10_000).abs() < 100).into());
    }
    let day = |name: &str| values.get(name)?.parse::<chrono::NaiveDate>().ok();
    let days = day("start_date").zip(day("end_date"));
    let days = days.map(|(start, end)| (end - start).num_days() + 1);
    document.insert(
        "date_range_days".into(),
        days.map_or(Value::Null, Value::from),
    );
}
