//! The one table of parameters: named arguments, validation, columns and help all read it.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, OnceLock};

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use hindsight_udfs::decimal;
use hindsight_udfs::exits::walk::{ExitStrategy, FillModel};

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
    pub description: &'static str,
}

const STRATEGIES: [&str; 4] = [
    ExitStrategy::NAMES[0].0,
    ExitStrategy::NAMES[1].0,
    ExitStrategy::NAMES[2].0,
    ExitStrategy::NAMES[3].0,
];
const FILL_MODELS: [&str; 3] = [
    FillModel::NAMES[0].0,
    FillModel::NAMES[1].0,
    FillModel::NAMES[2].0,
];
const SOL: Kind = Kind::Decimal(20, 9);
const PERCENT: Kind = Kind::Decimal(9, 4);

const BLANK: Parameter = Parameter {
    name: "",
    group: "",
    kind: Kind::Boolean,
    unit: "",
    default: None,
    minimum: None,
    above_minimum: false,
    maximum: None,
    description: "",
};

const fn weight(name: &'static str, default: &'static str, description: &'static str) -> Parameter {
    Parameter {
        name,
        group: "scoring_weights",
        kind: Kind::Decimal(5, 4),
        unit: "fraction",
        default: Some(default),
        minimum: Some("0"),
        maximum: Some("1"),
        description,
        ..BLANK
    }
}

/// Every parameter, in the order of the columns of `backtest`.
pub static PARAMETERS: [Parameter; 22] = [
    Parameter {
        name: "start_date",
        group: "date_range",
        kind: Kind::Date,
        unit: "date, UTC",
        description: "first day of the signals; by default 29 days before end_date",
        ..BLANK
    },
    Parameter {
        name: "end_date",
        group: "date_range",
        kind: Kind::Date,
        unit: "date, UTC",
        description: "last day of the signals, included; by default the last signal's day",
        ..BLANK
    },
    weight(
        "wallet_score_weight",
        "0.30",
        "weight of the wallet's record; the five weights sum to 1",
    ),
    weight(
        "token_metrics_weight",
        "0.25",
        "weight of the token's metrics",
    ),
    weight("liquidity_weight", "0.20", "weight of the liquidity"),
    weight(
        "holder_distribution_weight",
        "0.15",
        "weight of how widely the token is held",
    ),
    weight("momentum_weight", "0.10", "weight of the price's momentum"),
    Parameter {
        name: "score_threshold",
        group: "score_threshold",
        kind: Kind::Decimal(7, 2),
        unit: "points",
        default: Some("70"),
        minimum: Some("0"),
        maximum: Some("100"),
        description: "signals that score at least this are traded",
        ..BLANK
    },
    Parameter {
        name: "base_position_sol",
        group: "position_sizing",
        kind: SOL,
        unit: "SOL",
        default: Some("0.1"),
        minimum: Some("0"),
        above_minimum: true,
        description: "size of a position before the score scales it",
        ..BLANK
    },
    Parameter {
        name: "max_position_sol",
        group: "position_sizing",
        kind: SOL,
        unit: "SOL",
        default: Some("0.5"),
        minimum: Some("0"),
        above_minimum: true,
        description: "largest size of a scaled position",
        ..BLANK
    },
    Parameter {
        name: "scale_with_confidence",
        group: "position_sizing",
        kind: Kind::Boolean,
        unit: "true or false",
        default: Some("true"),
        description: "whether the score scales the size of a position",
        ..BLANK
    },
    Parameter {
        name: "confidence_multiplier",
        group: "position_sizing",
        kind: Kind::Decimal(9, 4),
        unit: "factor",
        default: Some("1.5"),
        minimum: Some("1"),
        description: "factor on base position × score/100",
        ..BLANK
    },
    Parameter {
        name: "exit_strategy",
        group: "exit_strategy",
        kind: Kind::Choice(&STRATEGIES),
        unit: "name",
        default: Some("trailing_stop"),
        description: "which exit rules are armed; the stop loss and the time limit always are",
        ..BLANK
    },
    Parameter {
        name: "stop_loss_percent",
        group: "exit_strategy",
        kind: PERCENT,
        unit: "percent",
        default: Some("15"),
        minimum: Some("1"),
        maximum: Some("50"),
        description: "fall below the entry price that ends a trade",
        ..BLANK
    },
    Parameter {
        name: "take_profit_percent",
        group: "exit_strategy",
        kind: PERCENT,
        unit: "percent",
        default: Some("50"),
        minimum: Some("5"),
        maximum: Some("500"),
        description: "rise above the entry price that ends a trade",
        ..BLANK
    },
    Parameter {
        name: "trailing_stop_percent",
        group: "exit_strategy",
        kind: PERCENT,
        unit: "percent",
        default: Some("10"),
        minimum: Some("1"),
        maximum: Some("30"),
        description: "fall below the peak that ends a trade once it has risen",
        ..BLANK
    },
    Parameter {
        name: "max_hold_minutes",
        group: "exit_strategy",
        kind: Kind::Integer,
        unit: "minutes",
        default: Some("60"),
        minimum: Some("5"),
        maximum: Some("1440"),
        description: "time after the signal at which a trade ends",
        ..BLANK
    },
    Parameter {
        name: "slippage_percent",
        group: "simulation",
        kind: PERCENT,
        unit: "percent",
        default: Some("1.0"),
        minimum: Some("0"),
        maximum: Some("10"),
        description: "cost of slippage, of the position's size",
        ..BLANK
    },
    Parameter {
        name: "include_gas_costs",
        group: "simulation",
        kind: Kind::Boolean,
        unit: "true or false",
        default: Some("true"),
        description: "whether each trade pays for gas",
        ..BLANK
    },
    Parameter {
        name: "gas_cost_sol",
        group: "simulation",
        kind: SOL,
        unit: "SOL",
        default: Some("0.0001"),
        minimum: Some("0"),
        description: "cost of gas of a trade",
        ..BLANK
    },
    Parameter {
        name: "fill_model",
        group: "simulation",
        kind: Kind::Choice(&FILL_MODELS),
        unit: "name",
        default: Some("level"),
        description: "price a crossed level fills at: the level, the observed price, or the worse",
        ..BLANK
    },
    Parameter {
        name: "max_entry_delay_minutes",
        group: "simulation",
        kind: PERCENT,
        unit: "minutes",
        minimum: Some("0"),
        description: "latest first price after the signal to enter at; by default any",
        ..BLANK
    },
];

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

/// The values a parameter may have, as text; `None` where there is no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub minimum: Option<Cow<'static, str>>,
    pub maximum: Option<Cow<'static, str>>,
}

/// How far the range of a parameter can be widened: where the rules still mean something.
const WIDEST: [(&str, &str, &str); 6] = [
    ("stop_loss_percent", "0.0001", "99.9999"),
    ("take_profit_percent", "0.0001", "99999"),
    ("trailing_stop_percent", "0.0001", "99.9999"),
    ("max_hold_minutes", "1", "525600"),
    ("slippage_percent", "0", "100"),
    ("confidence_multiplier", "0", "99999"),
];

/// The ranges that a configuration has widened, in the order of [`PARAMETERS`].
static WIDENED: OnceLock<Vec<Option<Range>>> = OnceLock::new();

/// Widens ranges for the rest of the process; the first configuration stays in force.
pub fn widen(ranges: Vec<(usize, Range)>) {
    let mut widened = vec![None; PARAMETERS.len()];
    for (position, range) in ranges {
        widened[position] = Some(range);
    }
    WIDENED.get_or_init(|| widened);
}

impl Range {
    /// The range of a parameter with other bounds, or what is wrong with them.
    pub fn widened(
        position: usize,
        minimum: Option<String>,
        maximum: Option<String>,
    ) -> std::result::Result<Self, String> {
        let parameter = &PARAMETERS[position];
        let name = parameter.name;
        let Some((_, least, most)) = WIDEST.iter().find(|(widest, _, _)| *widest == name) else {
            return Err(format!("widens {name}, which has no range to widen"));
        };
        let number = |text: &str| {
            let (mantissa, digits) = decimal::parse(text)?;
            decimal::rescale_exact(mantissa, digits, 9)
        };
        let is_before = |a: &str, b: &str| number(a).zip(number(b)).is_some_and(|(a, b)| a < b);
        let own = [parameter.minimum, parameter.maximum].map(|bound| bound.map(Cow::Borrowed));
        let [own_minimum, own_maximum] = own;
        let minimum = minimum.map(Cow::Owned).or(own_minimum.clone());
        let maximum = maximum.map(Cow::Owned).or(own_maximum.clone());
        let narrows =
            |own: &Option<Cow<'_, str>>, new: &Option<Cow<'_, str>>, is_least: bool| match (
                own, new,
            ) {
                (Some(own), Some(new)) if is_least => is_before(own, new),
                (Some(own), Some(new)) => is_before(new, own),
                (None, Some(_)) => true,
                _ => false,
            };
        if narrows(&own_minimum, &minimum, true) || narrows(&own_maximum, &maximum, false) {
            let problem = parameter.expectation_in(parameter.minimum, parameter.maximum);
            return Err(format!("narrows {name}, which is {problem}"));
        }
        let is_past = minimum
            .as_ref()
            .is_some_and(|minimum| is_before(minimum, least))
            || maximum
                .as_ref()
                .is_some_and(|maximum| is_before(most, maximum));
        match is_past {
            true => Err(format!("widens {name} past {least} to {most}")),
            false => Ok(Self { minimum, maximum }),
        }
    }
}

impl Parameter {
    fn range(&self) -> Option<&'static Range> {
        let widened = WIDENED.get()?;
        widened.get(position(self.name)?)?.as_ref()
    }

    /// The least value in force.
    pub fn minimum(&self) -> Option<&'static str> {
        self.range()
            .map_or(self.minimum, |range| range.minimum.as_deref())
    }

    /// The greatest value in force.
    pub fn maximum(&self) -> Option<&'static str> {
        self.range()
            .map_or(self.maximum, |range| range.maximum.as_deref())
    }

    /// The type of its column.
    pub fn data_type(&self) -> DataType {
        match self.kind {
            Kind::Date => DataType::Date32,
            Kind::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
            Kind::Integer => DataType::Int64,
            Kind::Boolean => DataType::Boolean,
            Kind::Choice(_) => DataType::Utf8,
        }
    }

    /// The name of its type in SQL.
    pub fn type_name(&self) -> String {
        match self.kind {
            Kind::Date => "date".into(),
            Kind::Decimal(precision, scale) => format!("numeric({precision},{scale})"),
            Kind::Integer => "bigint".into(),
            Kind::Boolean => "boolean".into(),
            Kind::Choice(_) => "text".into(),
        }
    }

    /// What a value must be, as a refusal says it.
    pub fn expectation(&self) -> String {
        self.expectation_in(self.minimum(), self.maximum())
    }

    fn expectation_in(&self, minimum: Option<&str>, maximum: Option<&str>) -> String {
        match (self.kind, minimum, maximum) {
            (Kind::Date, _, _) => "a date such as 2024-01-31".into(),
            (Kind::Boolean, _, _) => "true or false".into(),
            (Kind::Choice(words), _, _) => format!("one of {}", words.join(", ")),
            (Kind::Integer, Some(least), Some(most)) => {
                format!("a whole number between {least} and {most}")
            }
            (_, Some(least), Some(most)) => format!("between {least} and {most}"),
            (_, Some(least), None) if self.above_minimum => format!("above {least}"),
            (_, Some(least), None) => format!("{least} or more"),
            (_, None, _) => "a number".into(),
        }
    }

    /// The default as a value, null where there is none or where it depends on the data.
    pub fn default_value(&self) -> Result<ScalarValue> {
        match self.default {
            None => Ok(ScalarValue::try_from(self.data_type())?),
            Some(text) => self.value(&ScalarValue::Utf8(Some(text.into()))),
        }
    }

    /// Takes a value exactly in the parameter's type, or refuses it. Null is the default.
    pub fn value(&self, value: &ScalarValue) -> Result<ScalarValue> {
        let refuse = |expected: String| Error::Parameter {
            parameter: self.name.into(),
            expected,
            found: display(value),
        };
        if value.is_null() {
            return self.default_value();
        }
        let text = match value.cast_to(&DataType::Utf8) {
            Ok(ScalarValue::Utf8(Some(text))) => text.trim().to_string(),
            _ => return Err(refuse(self.expectation())),
        };
        match self.kind {
            Kind::Date => value
                .cast_to(&DataType::Date32)
                .map_err(|_| refuse(self.expectation())),
            Kind::Boolean => match value.cast_to(&DataType::Boolean) {
                Ok(value) if matches!(value, ScalarValue::Boolean(Some(_))) => Ok(value),
                _ => Err(refuse(self.expectation())),
            },
            Kind::Choice(words) => match words.contains(&text.as_str()) {
                true => Ok(ScalarValue::Utf8(Some(text))),
                false => Err(refuse(self.expectation())),
            },
            Kind::Integer => match self.number(&text, 0) {
                Ok(number) => match i64::try_from(number) {
                    Ok(number) => Ok(ScalarValue::Int64(Some(number))),
                    Err(_) => Err(refuse(self.expectation())),
                },
                Err(expected) => Err(refuse(expected)),
            },
            Kind::Decimal(_, _) if self.default.is_none() && text == "none" => self.default_value(),
            Kind::Decimal(precision, scale) => match self.number(&text, scale) {
                Ok(number) if number < decimal::pow10(precision.into()) => {
                    Ok(ScalarValue::Decimal128(Some(number), precision, scale))
                }
                Ok(_) => Err(refuse(format!("small enough for {}", self.type_name()))),
                Err(expected) => Err(refuse(expected)),
            },
        }
    }

    /// The number in units of its last digit, or what it should have been.
    fn number(&self, text: &str, scale: i8) -> std::result::Result<i128, String> {
        let Some((mantissa, digits)) = decimal::parse(text) else {
            return Err(self.expectation());
        };
        let bound = |bound: Option<&str>| {
            let (mantissa, digits) = decimal::parse(bound?)?;
            decimal::rescale_exact(mantissa, digits, scale)
        };
        let Some(number) = decimal::rescale_exact(mantissa, digits, scale) else {
            return Err(match scale {
                0 => self.expectation(),
                _ => format!("a number of at most {scale} fractional digits"),
            });
        };
        let least = bound(self.minimum());
        let too_small = match self.above_minimum {
            true => least.is_some_and(|least| number <= least),
            false => least.is_some_and(|least| number < least),
        };
        if too_small || bound(self.maximum()).is_some_and(|most| number > most) {
            return Err(self.expectation());
        }
        Ok(number)
    }
}

/// A value as a refusal shows it: text in quotes, numbers without the zeros of their type.
fn display(value: &ScalarValue) -> String {
    match value {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text))
        | ScalarValue::Utf8View(Some(text)) => match decimal::parse(text) {
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
        text("description"),
    ]))
});

/// The table `parameters`: what can be set, and to what.
pub fn table() -> Result<RecordBatch> {
    let column = |pick: fn(&Parameter) -> Option<String>| -> ArrayRef {
        Arc::new(PARAMETERS.iter().map(pick).collect::<StringArray>())
    };
    let columns = vec![
        column(|p| Some(p.name.into())),
        column(|p| Some(p.group.into())),
        column(|p| Some(p.type_name())),
        column(|p| Some(p.unit.into())),
        column(|p| p.default.map(Into::into)),
        column(|p| p.minimum().map(Into::into)),
        column(|p| p.maximum().map(Into::into)),
        column(|p| Some(p.description.into())),
    ];
    Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), columns)
        .map_err(datafusion::error::DataFusionError::from)?)
}

/// The weights sum to 1 within 0.01, and the range does not end before it starts.
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
    Ok(())
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
        assert_eq!(
            refusal("exit_strategy", "moon".into()),
            "exit_strategy must be one of trailing_stop, fixed_targets, time_based, hybrid, found \
             'moon'"
        );
    }
}
