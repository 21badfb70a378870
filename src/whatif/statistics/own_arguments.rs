//! The arguments that a statistic has beside the parameters: a row of their own, read and checked when
//! it is executed.

use std::fmt::Display;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::{ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};

use crate::error::Error;
use crate::whatif::table_functions::{Argument, TableFunction, is_list};

/// One of them; what is not given, or null, is its default.
#[derive(Debug, Clone, Copy)]
pub struct OwnArgument {
    pub name: &'static str,
    pub kind: Kind,
}

/// What it may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A number between two that are excluded, and its default.
    Between(f64, f64, f64),
    /// A whole number from the first to the second, and its default.
    Whole(i64, i64, i64),
    /// True or false.
    Switch(bool),
    Word(&'static str),
}

impl OwnArgument {
    pub fn data_type(&self) -> DataType {
        match self.kind {
            Kind::Between(..) => DataType::Float64,
            Kind::Whole(..) => DataType::Int64,
            Kind::Switch(_) => DataType::Boolean,
            Kind::Word(_) => DataType::Utf8,
        }
    }
}

/// Takes its own arguments from those of a call, as a plan of one row.
pub fn row(
    function: &TableFunction,
    own: &[OwnArgument],
    arguments: &mut Vec<Argument>,
) -> Result<LogicalPlan> {
    let mut columns = vec![lit(ScalarValue::Null).alias("no_argument")];
    for argument in own {
        let given = arguments
            .iter()
            .position(|given| given.name == argument.name);
        let Some(given) = given else { continue };
        let value = arguments.remove(given).value;
        if is_list(&value.get_type(&DFSchema::empty())?) {
            return Err(Error::Argument {
                function: function.name.into(),
                problem: format!("{} is an array; give one value", argument.name),
            }
            .into());
        }
        columns.push(value.alias(argument.name));
    }
    LogicalPlanBuilder::empty(true).project(columns)?.build()
}

/// The row of a call that gives none of them.
pub fn none() -> Result<LogicalPlan> {
    let nothing = lit(ScalarValue::Null).alias("no_argument");
    LogicalPlanBuilder::empty(true).project([nothing])?.build()
}

/// The row of a call.
#[derive(Debug, Clone)]
pub struct Given(pub RecordBatch);

impl Given {
    /// Its value as text; `None` where it is not given.
    fn text(&self, name: &str) -> Result<Option<String>> {
        let Some(column) = self.0.column_by_name(name) else {
            return Ok(None);
        };
        let value = ScalarValue::try_from_array(column, 0)?;
        let text = value.cast_to(&DataType::Utf8)?;
        Ok(text
            .try_as_str()
            .flatten()
            .map(|text| text.trim().to_owned()))
    }

    pub fn number(&self, argument: &OwnArgument) -> Result<f64> {
        let Kind::Between(least, most, default) = argument.kind else {
            return Err(internal_datafusion_err!("{} is no number", argument.name));
        };
        let Some(text) = self.text(argument.name)? else {
            return Ok(default);
        };
        let number = text.parse::<f64>().ok();
        let number = number.filter(|number| *number > least && *number < most);
        number.ok_or_else(|| {
            let expected = format!("a number above {least} and below {most}");
            refusal(argument, expected, text)
        })
    }

    pub fn whole(&self, argument: &OwnArgument) -> Result<i64> {
        let Kind::Whole(least, most, default) = argument.kind else {
            return Err(internal_datafusion_err!(
                "{} is no whole number",
                argument.name
            ));
        };
        let Some(text) = self.text(argument.name)? else {
            return Ok(default);
        };
        let number = text.parse::<i64>().ok();
        let number = number.filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| {
            let expected = format!("a whole number between {least} and {most}");
            refusal(argument, expected, text)
        })
    }

    pub fn switch(&self, argument: &OwnArgument) -> Result<bool> {
        let Kind::Switch(default) = argument.kind else {
            return Err(internal_datafusion_err!("{} is no switch", argument.name));
        };
        match self.text(argument.name)?.as_deref() {
            None => Ok(default),
            Some("true" | "t") => Ok(true),
            Some("false" | "f") => Ok(false),
            Some(other) => Err(refusal(argument, "true or false", other)),
        }
    }

    pub fn word(&self, argument: &OwnArgument) -> Result<String> {
        let Kind::Word(default) = argument.kind else {
            return Err(internal_datafusion_err!("{} is no word", argument.name));
        };
        Ok(self
            .text(argument.name)?
            .unwrap_or_else(|| default.to_owned()))
    }
}

/// The refusal of a value.
pub fn refusal(
    argument: &OwnArgument,
    expected: impl Into<String>,
    found: impl Display,
) -> datafusion::error::DataFusionError {
    Error::Parameter {
        parameter: argument.name.into(),
        expected: expected.into(),
        found: found.to_string(),
    }
    .into()
}
