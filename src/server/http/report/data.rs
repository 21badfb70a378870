//! What a report is about, and rows as the page reads them.

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use hindsight::parameters::PARAMETERS;
use hindsight::{Engine, Error, Result};

use crate::cli::apply::text;
use crate::cli::failure::Failure;
use crate::cli::ids::{self, Of};
use crate::cli::settings::quoted;
use crate::cli::values::{Form, is_null, write_json_text, write_value};

/// The settings that a report is about.
pub struct About {
    /// Arguments of the table functions, without the fill model.
    arguments: Vec<String>,
    fill_model: Option<String>,
    pub scenario: Option<String>,
    pub run: Option<Run>,
}

/// The stored run that they are of.
pub struct Run {
    pub id: String,
    pub label: String,
    /// The fingerprint of the history that it ran over.
    pub dataset: String,
}

impl About {
    /// The run or scenario of this name; without a name the newest run, or else the defaults.
    pub async fn find(engine: &Engine, named: Option<&str>) -> std::result::Result<Self, Failure> {
        let Some(named) = named else {
            let sql = "select id from backtests where status = 'completed' \
                       order by started_at desc, id desc limit 1";
            let newest = text(&engine.sql(sql).await?, "id", 0);
            return match newest.is_empty() {
                true => Ok(Self::scenario(None)),
                false => Self::of_run(engine, &newest).await,
            };
        };
        let sql = format!("select name from scenarios where name = {}", quoted(named));
        if engine
            .sql(&sql)
            .await?
            .iter()
            .any(|batch| batch.num_rows() > 0)
        {
            return Ok(Self::scenario(Some(named.to_owned())));
        }
        let id = ids::resolve(engine, Of::Backtest, named)
            .await
            .map_err(|failure| {
                failure.with_hint(
                    "hindsight history lists the backtests, hindsight scenarios the scenarios",
                )
            })?;
        Self::of_run(engine, &id).await
    }

    fn scenario(scenario: Option<String>) -> Self {
        let argument = scenario
            .as_deref()
            .map(|name| format!("scenario => {}", quoted(name)));
        Self {
            arguments: argument.into_iter().collect(),
            fill_model: None,
            scenario,
            run: None,
        }
    }

    async fn of_run(engine: &Engine, id: &str) -> std::result::Result<Self, Failure> {
        let sql = format!("select * from backtests where id = {}", quoted(id));
        let rows = engine.sql(&sql).await?;
        let status = text(&rows, "status", 0);
        if status != "completed" {
            let why = text(&rows, "error_message", 0);
            return Err(Error::NotReady(format!("this backtest is {status}: {why}")).into());
        }
        let mut about = Self::scenario(None);
        for parameter in &PARAMETERS {
            let Some(value) = argument(&rows, parameter.name)? else {
                continue;
            };
            match parameter.name {
                "fill_model" => about.fill_model = Some(value),
                name => about.arguments.push(format!("{name} => {value}")),
            }
        }
        let scenario = text(&rows, "scenario", 0);
        about.scenario = Some(scenario).filter(|name| !name.is_empty());
        about.run = Some(Run {
            id: id.to_owned(),
            label: text(&rows, "label", 0),
            dataset: text(&rows, "dataset", 0),
        });
        Ok(about)
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
        let own = self
            .fill_model
            .as_ref()
            .map(|value| format!("fill_model => {value}"));
        let arguments: Vec<String> = self.arguments.iter().cloned().chain(own).collect();
        arguments.join(", ")
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
        let own = format!("fill_model => {}", quoted(model));
        let arguments: Vec<String> = self.arguments.iter().cloned().chain([own]).collect();
        arguments.join(", ")
    }
}

/// A parameter of a stored run as SQL takes it literally; `None` where it has none, or is newer than the
/// run.
fn argument(rows: &[RecordBatch], name: &str) -> Result<Option<String>> {
    let found = rows.iter().find(|batch| batch.num_rows() > 0);
    let Some(column) = found.and_then(|batch| batch.column_by_name(name)) else {
        return Ok(None);
    };
    if is_null(column, 0) {
        return Ok(None);
    }
    let mut value = String::new();
    write_value(&mut value, column, 0, Form::Text)?;
    let is_bare = column.data_type().is_numeric() || column.data_type() == &DataType::Boolean;
    Ok(Some(if is_bare { value } else { quoted(&value) }))
}

/// Rows as `{"columns": […], "rows": [[…], …]}`. Decimals are texts: what reads them has floats.
pub fn table(batches: &[RecordBatch]) -> Result<String> {
    let mut out = String::from("{\"columns\":[");
    if let Some(batch) = batches.first() {
        for (position, field) in batch.schema().fields().iter().enumerate() {
            separate(&mut out, position);
            write_json_text(&mut out, field.name());
        }
    }
    out.push_str("],\"rows\":[");
    let mut written = 0;
    for batch in batches {
        for row in 0..batch.num_rows() {
            separate(&mut out, written);
            written += 1;
            out.push('[');
            for (position, column) in batch.columns().iter().enumerate() {
                separate(&mut out, position);
                cell(&mut out, column, row)?;
            }
            out.push(']');
        }
    }
    out.push_str("]}");
    Ok(out)
}

fn separate(out: &mut String, position: usize) {
    if position > 0 {
        out.push(',');
    }
}

fn cell(out: &mut String, column: &dyn Array, row: usize) -> Result<()> {
    if !column.data_type().is_decimal() || is_null(column, row) {
        return write_value(out, column, row, Form::Json);
    }
    out.push('"');
    write_value(out, column, row, Form::Text)?;
    out.push('"');
    Ok(())
}
