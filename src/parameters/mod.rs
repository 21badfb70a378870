//! The one table of parameters: named arguments, validation, columns and help all read it.

pub mod effect;
mod range;
mod rows;
pub mod value;

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use hindsight_udfs::decimal;
use hindsight_udfs::exits::ladder::{self, Ladder};
use rust_decimal::Decimal;

pub use self::range::{Range, Ranges};
pub use self::rows::PARAMETERS;
use self::value::{Value, number};
use crate::error::{Error, Result};

/// What values a parameter has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Date,
    /// An exact number with so many digits in all, so many of them fractional.
    Decimal(u8, i8),
    /// A whole number.
    Integer,
    Boolean,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Steps of selling, each a share of the position at a gain.
    Ladder,
}

/// One parameter of a backtest.
#[derive(Debug)]
pub struct Parameter {
    pub name: &'static str,
    /// The settings it belongs to; four of the groups can be applied to the live system.
    pub group: &'static str,
    pub kind: Kind,
    pub unit: &'static str,
    /// As text; `None` where it depends on the data, or where none is a value.
    pub default: Option<&'static str>,
    /// Of its range, which a configuration may widen.
    pub minimum: Option<&'static str>,
    /// Whether the minimum itself is out of range.
    pub above_minimum: bool,
    pub maximum: Option<&'static str>,
    /// Between two values that somebody who tries some would try; `None` where values have no order.
    pub step: Option<&'static str>,
    pub description: &'static str,
}

/// The way out of an error: its own, or where the range of the parameter is that it is about.
pub fn hint(error: &Error) -> Option<String> {
    match error {
        Error::Located { error, .. } => hint(error),
        Error::Parameter { parameter, .. } if position(parameter).is_some() => Some(format!(
            "select * from parameters where name = '{parameter}' shows its range"
        )),
        error => error.hint(),
    }
}

/// The position in [`PARAMETERS`] of the parameter with this name.
pub fn position(name: &str) -> Option<usize> {
    PARAMETERS.iter().position(|p| p.name == name)
}

impl Parameter {
    /// Whether none is a value, as it is where nothing is limited or armed unless somebody says so.
    pub fn is_optional(&self) -> bool {
        self.default.is_none() && self.kind != Kind::Date
    }

    /// The least value, where no configuration widens the range.
    pub fn minimum(&self) -> Option<&'static str> {
        self.minimum
    }

    /// The greatest value, where no configuration widens the range.
    pub fn maximum(&self) -> Option<&'static str> {
        self.maximum
    }

    /// The type of its column.
    pub fn data_type(&self) -> DataType {
        match self.kind {
            Kind::Date => DataType::Date32,
            Kind::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
            Kind::Integer => DataType::Int64,
            Kind::Boolean => DataType::Boolean,
            Kind::Choice(_) | Kind::Ladder => DataType::Utf8,
        }
    }

    /// The name of its type in SQL.
    pub fn type_name(&self) -> String {
        match self.kind {
            Kind::Date => "date".into(),
            Kind::Decimal(precision, scale) => format!("numeric({precision},{scale})"),
            Kind::Integer => "bigint".into(),
            Kind::Boolean => "boolean".into(),
            Kind::Choice(_) | Kind::Ladder => "text".into(),
        }
    }

    /// What a value in this range must be, as a refusal says it.
    fn expectation_in(&self, range: &Range) -> String {
        let number = match self.kind {
            Kind::Integer => "a whole number ",
            _ => "",
        };
        let expected = match (self.kind, range.minimum, range.maximum) {
            (Kind::Date, _, _) => "a date such as 2024-01-31".into(),
            (Kind::Boolean, _, _) => "true or false".into(),
            (Kind::Choice(words), _, _) => format!("one of {}", words.join(", ")),
            (Kind::Ladder, _, _) => ladder::EXPECTED.into(),
            (_, Some(least), Some(most)) => format!("{number}between {least} and {most}"),
            (_, Some(least), None) if self.above_minimum => format!("{number}above {least}"),
            (Kind::Integer, Some(least), None) => format!("a whole number of {least} or more"),
            (_, Some(least), None) => format!("{least} or more"),
            (_, None, _) => "a number".into(),
        };
        // A limit is no range between two values, in which one would be found.
        let example = self.step.filter(|_| range.maximum.is_none());
        match (self.is_optional(), example) {
            (true, Some(example)) => format!("{expected}, such as {example}, or none"),
            (true, None) => format!("{expected}, or none"),
            (false, _) => expected,
        }
    }

    /// The default as a value, null where there is none or where it depends on the data.
    pub fn default_value(&self) -> Result<ScalarValue> {
        self.value(&ScalarValue::Null)
    }

    /// Takes a value exactly in the parameter's type, or refuses it. Null is the default.
    pub fn value(&self, value: &ScalarValue) -> Result<ScalarValue> {
        self.value_in(value, &Ranges::default())
    }

    /// The same where a configuration may have widened ranges.
    pub fn value_in(&self, value: &ScalarValue, ranges: &Ranges) -> Result<ScalarValue> {
        let data_type = self.data_type();
        let Some(read) = self.read(value, ranges)? else {
            return Ok(ScalarValue::try_from(data_type)?);
        };
        read.scalar(&data_type).ok_or_else(|| Error::Parameter {
            parameter: self.name.into(),
            expected: format!("small enough for {}", self.type_name()),
            found: display(value),
        })
    }

    /// What a value means, or that it is wrong; null is the default, `None` none.
    pub fn read(&self, value: &ScalarValue, ranges: &Ranges) -> Result<Option<Value>> {
        let refuse = |expected: String| Error::Parameter {
            parameter: self.name.into(),
            expected,
            found: display(value),
        };
        if value.is_null() {
            return Ok(self.default.map(|text| Value::stored(self.kind, text)));
        }
        let range = ranges.of(self);
        let unexpected = || refuse(self.expectation_in(&range));
        let text = match value.cast_to(&DataType::Utf8) {
            Ok(ScalarValue::Utf8(Some(text))) => text.trim().to_string(),
            _ => return Err(unexpected()),
        };
        if self.is_optional() && text == "none" {
            return Ok(None);
        }
        let read = match self.kind {
            Kind::Date | Kind::Boolean => {
                let value = value.cast_to(&self.data_type()).ok();
                value.as_ref().and_then(Value::of).ok_or_else(unexpected)?
            }
            Kind::Choice(words) => match words.contains(&text.as_str()) {
                true => Value::Text(text),
                false => return Err(unexpected()),
            },
            Kind::Ladder => match text.parse::<Ladder>() {
                Ok(ladder) => Value::Text(ladder.to_string()),
                Err(expected) => return Err(refuse(format!("{expected}, or none"))),
            },
            Kind::Integer => Value::Number(self.number(&text, 0, &range).map_err(refuse)?),
            Kind::Decimal(_, scale) => {
                let digits = scale.unsigned_abs().into();
                Value::Number(self.number(&text, digits, &range).map_err(refuse)?)
            }
        };
        Ok(Some(read))
    }

    /// The number, or what it should have been.
    fn number(
        &self,
        text: &str,
        digits: u32,
        range: &Range,
    ) -> std::result::Result<Decimal, String> {
        let expected = || self.expectation_in(range);
        let number = number(text).ok_or_else(expected)?;
        if number.scale() > digits {
            return Err(match digits {
                0 => expected(),
                _ => format!("a number of at most {digits} fractional digits"),
            });
        }
        let is_too_small = range.minimum.is_some_and(|least| match self.above_minimum {
            true => number <= least,
            false => number < least,
        });
        match is_too_small || range.maximum.is_some_and(|most| number > most) {
            true => Err(expected()),
            false => Ok(number),
        }
    }
}

/// A value as a refusal shows it: text in quotes, numbers without the zeros of their type.
fn display(value: &ScalarValue) -> String {
    match value {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text))
        | ScalarValue::Utf8View(Some(text)) => match number(text) {
            Some(_) => text.clone(),
            None => format!("'{text}'"),
        },
        ScalarValue::Decimal128(Some(mantissa), _, scale) => decimal::format(*mantissa, *scale),
        other => other.to_string(),
    }
}

/// The schema of the table `parameters`.
pub static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, false),
        text("group"),
        text("type"),
        text("unit"),
        text("default"),
        text("minimum"),
        text("maximum"),
        text("step"),
        text("description"),
    ]))
});

/// The table `parameters`: what can be set, and to what.
pub fn table(ranges: &Ranges) -> Result<RecordBatch> {
    let column = |pick: fn(&Parameter) -> Option<String>| -> ArrayRef {
        Arc::new(PARAMETERS.iter().map(pick).collect::<StringArray>())
    };
    let bound = |pick: fn(Range) -> Option<Decimal>| -> ArrayRef {
        let bounds = PARAMETERS
            .iter()
            .map(|parameter| pick(ranges.of(parameter)));
        let texts = bounds.map(|bound| bound.map(|bound| bound.to_string()));
        Arc::new(texts.collect::<StringArray>())
    };
    let columns = vec![
        column(|p| Some(p.name.into())),
        column(|p| Some(p.group.into())),
        column(|p| Some(p.type_name())),
        column(|p| Some(p.unit.into())),
        column(|p| p.default.map(Into::into)),
        bound(|range| range.minimum),
        bound(|range| range.maximum),
        column(|p| p.step.map(Into::into)),
        column(|p| Some(p.description.into())),
    ];
    Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), columns)
        .map_err(datafusion::error::DataFusionError::from)?)
}

/// Whether [`check_together`] looks at the parameter at this position.
pub fn is_checked_with_others(position: usize) -> bool {
    let parameter = &PARAMETERS[position];
    parameter.kind == Kind::Date
        || parameter.group == "scoring_weights"
        || matches!(parameter.name, "take_profit_ladder" | "moonbag_percent")
}

/// The weights sum to 1 within 0.01, the range does not end before it starts, and no more of a
/// position is sold than there is.
pub fn check_together(values: &[ScalarValue]) -> Result<()> {
    let weight_sum: i128 = PARAMETERS
        .iter()
        .zip(values)
        .filter(|(parameter, _)| parameter.group == "scoring_weights")
        .filter_map(|(_, value)| match value {
            ScalarValue::Decimal128(weight, _, _) => *weight,
            _ => None,
        })
        .sum();
    if (weight_sum - 10_000).abs() >= 100 {
        return Err(Error::Parameter {
            parameter: "the sum of the five weights".into(),
            expected: "1 within 0.01".into(),
            found: decimal::format(weight_sum, 4),
        });
    }
    if let [
        ScalarValue::Date32(Some(start)),
        ScalarValue::Date32(Some(end)),
        ..,
    ] = values
        && start > end
    {
        return Err(Error::Parameter {
            parameter: "end_date".into(),
            expected: format!("start_date {} or later", values[0]),
            found: values[1].to_string(),
        });
    }
    check_shares(values)
}

/// The steps of a ladder are of what the moonbag leaves.
fn check_shares(values: &[ScalarValue]) -> Result<()> {
    let value = |name| position(name).and_then(|position| values.get(position));
    let (Some(ScalarValue::Utf8(Some(text))), Some(ScalarValue::Decimal128(Some(moonbag), _, _))) =
        (value("take_profit_ladder"), value("moonbag_percent"))
    else {
        return Ok(());
    };
    let ladder: std::result::Result<Ladder, String> = text.parse();
    // What a moonbag must be is checked by itself.
    let moonbag = i64::try_from(*moonbag).unwrap_or(0);
    match ladder.and_then(|ladder| ladder.check_beside(moonbag)) {
        Ok(()) => Ok(()),
        Err(expected) => Err(Error::Parameter {
            parameter: "take_profit_ladder".into(),
            expected,
            found: format!("'{text}'"),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn refusal(name: &str, value: ScalarValue) -> String {
        let parameter = &PARAMETERS[position(name).unwrap()];
        parameter.value(&value).unwrap_err().to_string()
    }

    #[test]
    fn every_default_is_in_range() {
        for parameter in &PARAMETERS {
            let value = parameter.default_value().unwrap();
            assert_eq!(
                value.data_type(),
                parameter.data_type(),
                "{}",
                parameter.name
            );
        }
    }

    #[test]
    fn none_is_a_value_of_what_is_optional() {
        for parameter in &PARAMETERS {
            let none = parameter.value(&"none".into());
            match parameter.is_optional() {
                true => assert!(none.unwrap().is_null(), "{}", parameter.name),
                false => assert!(none.is_err(), "{}", parameter.name),
            }
        }
    }

    #[test]
    fn steps_lead_from_the_least_to_the_greatest_value() {
        let number = |text: &str| number(text).unwrap();
        for parameter in &PARAMETERS {
            let name = parameter.name;
            let is_number = matches!(parameter.kind, Kind::Decimal(_, _) | Kind::Integer);
            assert_eq!(parameter.step.is_some(), is_number, "{name}");
            let (Some(step), Some(least)) = (parameter.step, parameter.minimum) else {
                continue;
            };
            for bound in [parameter.maximum, parameter.default].into_iter().flatten() {
                let steps = (number(bound) - number(least)) / number(step);
                assert!(steps.is_integer(), "{name}");
            }
        }
    }

    #[test]
    fn a_ladder_and_a_moonbag_are_one_position_at_most() {
        let together = |ladder: &str, moonbag: &str| {
            let mut values: Vec<_> = PARAMETERS
                .iter()
                .map(|parameter| parameter.default_value().unwrap())
                .collect();
            for (name, text) in [("take_profit_ladder", ladder), ("moonbag_percent", moonbag)] {
                let position = position(name).unwrap();
                values[position] = PARAMETERS[position].value(&text.into()).unwrap();
            }
            check_together(&values).map_err(|error| error.to_string())
        };
        assert_eq!(together("60@10, 30@20", "10"), Ok(()));
        assert_eq!(together("60@10, 30@20", "none"), Ok(()));
        assert_eq!(
            together("60@10, 30@20", "10.5"),
            Err(
                "take_profit_ladder must be of shares that sum to at most 89.5, beside a \
                 moonbag_percent of 10.5, such as 89.5@100, found '60@10, 30@20'"
                    .into()
            )
        );
        assert_eq!(
            together("0.5@10", "100"),
            Err(
                "take_profit_ladder must be none beside a moonbag_percent of 100, found '0.5@10'"
                    .into()
            )
        );
    }

    #[test]
    fn a_refusal_names_parameter_value_and_range() {
        assert_eq!(
            refusal("stop_loss_percent", 60_i64.into()),
            "stop_loss_percent must be between 1 and 50, found 60"
        );
        assert_eq!(
            refusal("stop_loss_percent", "12.34567".into()),
            "stop_loss_percent must be a number of at most 4 fractional digits, found 12.34567"
        );
        assert_eq!(
            refusal("max_hold_minutes", "7.5".into()),
            "max_hold_minutes must be a whole number between 5 and 1440, found 7.5"
        );
        assert_eq!(
            refusal("base_position_sol", 0_i64.into()),
            "base_position_sol must be above 0, found 0"
        );
        for (name, value, expected) in [
            (
                "max_open_positions",
                "0",
                "a whole number of 1 or more, such as 1, or none, found 0",
            ),
            (
                "stagnation_minutes",
                "0",
                "a whole number between 1 and 1440, or none, found 0",
            ),
            (
                "max_daily_loss_sol",
                "0",
                "above 0, such as 0.1, or none, found 0",
            ),
            (
                "token_cooldown_minutes",
                "-1",
                "a whole number of 0 or more, such as 5, or none, found -1",
            ),
            (
                "moonbag_percent",
                "100.5",
                "between 0 and 100, or none, found 100.5",
            ),
            (
                "platform_fee_percent",
                "none",
                "between 0 and 10, found 'none'",
            ),
        ] {
            let expected = format!("{name} must be {expected}");
            assert_eq!(refusal(name, value.into()), expected);
        }
        assert_eq!(
            refusal("exit_strategy", "moon".into()),
            "exit_strategy must be one of trailing_stop, fixed_targets, time_based, hybrid, found \
             'moon'"
        );
    }
}
