//! What a report is about.

use async_recursion::async_recursion as door;
use serde_json::{Map, Value};

use super::super::call::collected;
use super::super::config::literal;
use super::super::json::objects;
use crate::error::{Error, Result};
use crate::parameters::{Kind, PARAMETERS, Parameter};
use crate::session::Session;
use crate::state_sql::backtests::CHOICE;

/// Combinations that a report can show.
const COMBINATIONS_MAX: usize = 10_000;

/// The settings that a report is about.
#[derive(Debug, Default)]
pub struct About {
    /// Arguments of the table functions, without the fill model.
    arguments: Vec<String>,
    fill_model: Option<String>,
    pub(super) scenario: Option<String>,
    pub(super) run: Option<Run>,
    grid: Vec<Swept>,
}

/// A parameter of the sweep that the settings came from.
#[derive(Debug, Clone)]
pub struct Swept {
    pub name: String,
    /// Its values as SQL takes them: `name => array[…]`.
    pub argument: String,
    /// How many they are.
    pub count: usize,
}

/// The stored run that they are of.
#[derive(Debug)]
pub(super) struct Run {
    pub id: String,
    pub label: String,
    /// The fingerprint of the history that it ran over.
    pub dataset: String,
    /// How its settings were chosen, as whoever stored it has said.
    pub choice: Map<String, Value>,
}

impl About {
    /// The settings of a scenario, or the defaults.
    pub fn scenario(scenario: Option<String>) -> Self {
        let argument = scenario
            .as_deref()
            .map(|name| format!("scenario => {}", literal(name)));
        Self {
            arguments: argument.into_iter().collect(),
            scenario,
            ..Self::default()
        }
    }

    /// The settings of a stored run; `None` where there is none of this id.
    #[door]
    pub async fn of_run(session: &Session, id: &str) -> Result<Option<Self>> {
        let sql = format!("select * from backtests where id = {}", literal(id));
        let Some(mut row) = objects(&collected(session, &sql).await?)?.pop() else {
            return Ok(None);
        };
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let status = text("status");
        if status != "completed" {
            let why = match text("error_message") {
                "" => String::new(),
                why => format!(": {why}"),
            };
            return Err(Error::NotReady(format!("this backtest is {status}{why}")));
        }
        let mut about = Self::default();
        for parameter in &PARAMETERS {
            let Some(value) = row.get(parameter.name).and_then(|v| argument(parameter, v)) else {
                continue;
            };
            match parameter.name {
                "fill_model" => about.fill_model = Some(value),
                name => about.arguments.push(format!("{name} => {value}")),
            }
        }
        about.scenario = Some(text("scenario").to_owned()).filter(|name| !name.is_empty());
        let (label, dataset) = (text("label").to_owned(), text("dataset").to_owned());
        let choice = CHOICE.iter();
        let choice = choice.filter_map(|(name, _)| row.remove_entry(*name));
        about.run = Some(Run {
            id: id.to_owned(),
            label,
            dataset,
            choice: choice.collect(),
        });
        Ok(Some(about))
    }

    /// With the sweep that the settings came from; all that is not swept is as in them.
    pub fn with_grid(mut self, grid: Vec<Swept>) -> Result<Self> {
        let sizes = grid.iter().map(|swept| swept.count);
        let combinations = sizes.fold(1, usize::saturating_mul);
        if combinations > COMBINATIONS_MAX {
            return Err(Error::Parameter {
                parameter: "the sweep of a report".into(),
                expected: format!("at most {COMBINATIONS_MAX} combinations"),
                found: combinations.to_string(),
            });
        }
        self.grid = grid;
        Ok(self)
    }

    /// The names of the parameters that are swept, and the arguments that sweep them.
    pub(super) fn grid(&self) -> Option<(Vec<&str>, String)> {
        let names: Vec<&str> = self.grid.iter().map(|swept| swept.name.as_str()).collect();
        let is_swept = |argument: &&String| {
            let (name, _) = argument.split_once(" => ").unwrap_or((argument, ""));
            names.contains(&name)
        };
        let all = self.arguments_apart();
        let fixed = all.iter().filter(|argument| !is_swept(argument)).cloned();
        let swept = self.grid.iter().map(|swept| swept.argument.clone());
        let arguments: Vec<String> = fixed.chain(swept).collect();
        (!names.is_empty()).then(|| (names, arguments.join(", ")))
    }

    pub fn title(&self) -> String {
        match (&self.run, &self.scenario) {
            (Some(run), _) if !run.label.is_empty() => run.label.clone(),
            (_, Some(scenario)) => scenario.clone(),
            (Some(run), None) => format!("backtest {}", run.id),
            (None, None) => "the defaults".into(),
        }
    }

    /// The arguments of a table function.
    pub fn arguments(&self) -> String {
        self.arguments_apart().join(", ")
    }

    fn arguments_apart(&self) -> Vec<String> {
        let own = self
            .fill_model
            .as_ref()
            .map(|value| format!("fill_model => {value}"));
        self.arguments.iter().cloned().chain(own).collect()
    }

    /// The arguments that say over which days.
    pub fn days(&self) -> String {
        let is_day = |argument: &&String| {
            argument.starts_with("start_date ") || argument.starts_with("end_date ")
        };
        let days: Vec<String> = self.arguments.iter().filter(is_day).cloned().collect();
        days.join(", ")
    }

    /// As [`Self::arguments`], under another fill model.
    pub fn filled(&self, model: &str) -> String {
        let own = format!("fill_model => {}", literal(model));
        let arguments: Vec<String> = self.arguments.iter().cloned().chain([own]).collect();
        arguments.join(", ")
    }
}

/// A parameter of a stored run as SQL takes it literally; `None` where it has none, or is newer than the
/// run.
fn argument(parameter: &Parameter, value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    Some(match parameter.kind {
        Kind::Decimal(_, _) | Kind::Integer | Kind::Boolean => text,
        _ => literal(&text),
    })
}
