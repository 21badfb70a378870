//! Scenarios: named sets of parameters that are kept.
//!
//! A scenario holds what its author set; a parameter that is null takes its default when the
//! scenario is used. Every change is checked as a whole before anything is written.

pub mod json;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListBuilder, RecordBatch, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;

use crate::error::{Error, Result};
use crate::parameters::value::Value;
use crate::parameters::{Kind, PARAMETERS, Ranges, check_together};
use crate::schema;

/// Every scenario by its name.
pub type Scenarios = BTreeMap<String, Scenario>;

/// A named set of parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    pub name: String,
    pub description: Option<String>,
    pub tags: Option<Vec<String>>,
    /// One for each of [`PARAMETERS`], none where it is left at its default.
    pub values: Vec<Option<Value>>,
    /// Microseconds since 1970 UTC.
    pub created_at: i64,
    pub updated_at: i64,
}

/// What one statement does to one scenario.
#[derive(Debug, Clone)]
pub enum Change {
    Insert(Scenario),
    /// The scenario as it was read, and as it shall be.
    Update(Box<(Scenario, Scenario)>),
    Delete(String),
}

/// The columns of the table `scenarios`.
pub static SCHEMA: LazyLock<SchemaRef> =
    LazyLock::new(|| columns(|parameter| parameter.data_type()));

/// The same columns as a write takes them: numbers with digits to spare, so that one with too many
/// is refused and not rounded.
pub static INPUT_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    columns(|parameter| match parameter.kind {
        Kind::Decimal(_, _) | Kind::Integer => DataType::Decimal128(38, 18),
        _ => parameter.data_type(),
    })
});

fn columns(data_type: fn(&crate::parameters::Parameter) -> DataType) -> SchemaRef {
    let tag = Field::new_list_field(DataType::Utf8, true);
    let mut fields = vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("description", DataType::Utf8, true),
        Field::new("tags", DataType::List(Arc::new(tag)), true),
    ];
    fields.extend(
        PARAMETERS
            .iter()
            .map(|parameter| Field::new(parameter.name, data_type(parameter), true)),
    );
    fields.push(Field::new("created_at", schema::timestamp(), true));
    fields.push(Field::new("updated_at", schema::timestamp(), true));
    Arc::new(Schema::new(fields))
}

impl Change {
    /// Does it, if what comes of it is right.
    pub fn apply(&self, scenarios: &mut Scenarios, ranges: &Ranges) -> Result<()> {
        match self {
            Self::Insert(scenario) => {
                scenario.check(ranges)?;
                if scenarios.contains_key(&scenario.name) {
                    return Err(taken(&scenario.name));
                }
                scenarios.insert(scenario.name.clone(), scenario.clone());
            }
            Self::Update(change) => {
                let (old, new) = &**change;
                let Some(current) = scenarios.remove(&old.name) else {
                    return Err(changed_meanwhile(&old.name, "was deleted"));
                };
                let merged = merge(&current, old, new)?;
                merged.check(ranges)?;
                if scenarios.contains_key(&merged.name) {
                    return Err(taken(&merged.name));
                }
                scenarios.insert(merged.name.clone(), merged);
            }
            Self::Delete(name) => {
                scenarios.remove(name);
            }
        }
        Ok(())
    }
}

/// The current scenario with what the update changed; what it changed must be as it was read.
fn merge(current: &Scenario, old: &Scenario, new: &Scenario) -> Result<Scenario> {
    fn field<T: PartialEq + Clone>(current: &T, old: &T, new: &T, name: &str) -> Result<T> {
        match (old == new, current == old) {
            (true, _) => Ok(current.clone()),
            (false, true) => Ok(new.clone()),
            (false, false) => Err(changed_meanwhile(name, "was changed")),
        }
    }
    let name = &old.name;
    let values = PARAMETERS.iter().enumerate().map(|(position, _)| {
        let of = |scenario: &Scenario| scenario.values[position].clone();
        field(&of(current), &of(old), &of(new), name)
    });
    Ok(Scenario {
        name: field(&current.name, &old.name, &new.name, name)?,
        description: field(
            &current.description,
            &old.description,
            &new.description,
            name,
        )?,
        tags: field(&current.tags, &old.tags, &new.tags, name)?,
        values: values.collect::<Result<_>>()?,
        created_at: current.created_at,
        updated_at: new.updated_at,
    })
}

impl Scenario {
    /// Whether it could be run.
    fn check(&self, ranges: &Ranges) -> Result<()> {
        let refuse = |expected: &str| Error::Parameter {
            parameter: "name".into(),
            expected: expected.into(),
            found: format!("'{}'", self.name),
        };
        if self.name.trim().is_empty() {
            return Err(refuse("a text that is not empty"));
        }
        if self.name.chars().any(char::is_control) {
            return Err(refuse("a text on one line"));
        }
        let mut values = Vec::with_capacity(PARAMETERS.len());
        for (parameter, value) in PARAMETERS.iter().zip(&self.values) {
            let value = match value {
                Some(value) => ScalarValue::from(value.to_string()),
                None => ScalarValue::Null,
            };
            values.push(parameter.value_in(&value, ranges)?);
        }
        check_together(&values)
    }

    /// The scenarios that rows of a write hold; the time is now.
    pub fn read(batch: &RecordBatch, row: usize, now: i64, ranges: &Ranges) -> Result<Self> {
        let text = |column: usize| {
            let column = batch.column(column).as_string_opt::<i32>();
            let column = column.filter(|column| !column.is_null(row));
            column.map(|column| column.value(row).to_owned())
        };
        let tags = batch.column(2).as_list_opt::<i32>();
        let tags = tags.filter(|tags| !tags.is_null(row)).map(|tags| {
            let tags = tags.value(row);
            let tags = tags.as_string::<i32>().iter().flatten();
            tags.map(str::to_owned).collect()
        });
        let mut values = Vec::with_capacity(PARAMETERS.len());
        for (position, parameter) in PARAMETERS.iter().enumerate() {
            let value = ScalarValue::try_from_array(batch.column(3 + position), row)?;
            values.push(match value.is_null() {
                true => None,
                false => parameter.read(&value, ranges)?,
            });
        }
        Ok(Self {
            name: text(0).unwrap_or_default(),
            description: text(1),
            tags,
            values,
            created_at: now,
            updated_at: now,
        })
    }

    /// Refuses times that a write gives, which are not its to give; `expected` are those stored.
    pub fn check_times(batch: &RecordBatch, row: usize, expected: Option<&Self>) -> Result<()> {
        for (column, stored) in [
            ("created_at", expected.map(|scenario| scenario.created_at)),
            ("updated_at", expected.map(|scenario| scenario.updated_at)),
        ] {
            let given = batch.column_by_name(column);
            let given = given.and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
            let given = given.filter(|c| !c.is_null(row)).map(|c| c.value(row));
            if given != stored {
                return Err(Error::Argument {
                    function: "scenarios".into(),
                    problem: format!("{column} is set by itself, and cannot be written"),
                });
            }
        }
        Ok(())
    }
}

/// Rows of the table; wide ones as a write takes them.
pub fn batch<'a>(
    scenarios: impl IntoIterator<Item = &'a Scenario>,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let scenarios: Vec<&Scenario> = scenarios.into_iter().collect();
    let text = |pick: &dyn Fn(&Scenario) -> Option<&str>| -> ArrayRef {
        let mut column = StringBuilder::new();
        scenarios.iter().for_each(|s| column.append_option(pick(s)));
        Arc::new(column.finish())
    };
    let mut tags = ListBuilder::new(StringBuilder::new());
    for scenario in &scenarios {
        let of_one = scenario.tags.iter().flatten().map(Some);
        match scenario.tags {
            Some(_) => tags.append_value(of_one),
            None => tags.append_null(),
        }
    }
    let mut columns = vec![
        text(&|s| Some(&s.name)),
        text(&|s| s.description.as_deref()),
        Arc::new(tags.finish()),
    ];
    for (position, parameter) in PARAMETERS.iter().enumerate() {
        let data_type = schema.field(3 + position).data_type();
        let mut values = Vec::with_capacity(scenarios.len());
        for scenario in &scenarios {
            let value = scenario.values[position].as_ref();
            let value = value.and_then(|value| value.scalar(&parameter.data_type()));
            values.push(match value {
                Some(value) => value.cast_to(data_type)?,
                None => ScalarValue::try_from(data_type)?,
            });
        }
        columns.push(match values.is_empty() {
            true => datafusion::arrow::array::new_empty_array(data_type),
            false => ScalarValue::iter_to_array(values)?,
        });
    }
    for pick in [|s: &Scenario| s.created_at, |s: &Scenario| s.updated_at] {
        let times = scenarios.iter().map(|s| Some(pick(s)));
        let times: datafusion::arrow::array::TimestampMicrosecondArray = times.collect();
        columns.push(Arc::new(times.with_timezone("UTC")));
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
}

fn taken(name: &str) -> Error {
    Error::Duplicate(format!("there is a scenario '{name}' already"))
}

fn changed_meanwhile(name: &str, what: &str) -> Error {
    Error::Conflict(format!("scenario '{name}' {what} meanwhile; try again"))
}
