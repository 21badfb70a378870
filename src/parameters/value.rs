//! Values of parameters outside of Arrow and the kernels: as scenarios keep them, as settings are
//! written, as somebody types them. Numbers are exact decimals.

use std::fmt;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::Kind;

/// The digits that a decimal always holds.
const DIGITS_MAX: usize = 28;

/// A value; where none is one, it is an `Option`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A day, counted from 1970-01-01.
    Date(i32),
    /// Without zeros behind its last digit.
    Number(Decimal),
    Boolean(bool),
    Text(String),
}

/// An exact number such as `-12.50` or `1.5e-7`; `None` where the text is none, or has more than 28
/// digits.
pub fn number(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let unsigned = text.trim_start_matches(['-', '+']);
    // What else the parser takes, such as 1_000, is no number here.
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.contains(|c: char| c.is_ascii_digit())
        && !unsigned.contains('_');
    if !is_number {
        return None;
    }
    let number = match (text.split_once(['e', 'E']), text.contains('.')) {
        // Of more digits the parser would round away.
        (Some((digits, _)), _) if digits.len() > DIGITS_MAX => return None,
        (Some(_), _) => Decimal::from_scientific(text),
        (None, true) => Decimal::from_str_exact(text.trim_end_matches('0').trim_end_matches('.')),
        (None, false) => Decimal::from_str_exact(text),
    };
    number.ok().map(|number| number.normalize())
}

impl Value {
    /// What a column of a parameter holds; `None` where that is null.
    pub fn of(value: &ScalarValue) -> Option<Self> {
        match value {
            ScalarValue::Date32(day) => day.map(Self::Date),
            ScalarValue::Decimal128(Some(mantissa), _, scale) => {
                let scale = u32::try_from(*scale).ok()?;
                let number = Decimal::try_from_i128_with_scale(*mantissa, scale).ok()?;
                Some(Self::Number(number.normalize()))
            }
            ScalarValue::Int64(number) => number.map(|number| Self::Number(number.into())),
            ScalarValue::Boolean(value) => value.map(Self::Boolean),
            ScalarValue::Utf8(text) => text.clone().map(Self::Text),
            _ => None,
        }
    }

    /// A text that was stored or set by somebody, as a value of this kind if it is one.
    pub fn stored(kind: Kind, text: &str) -> Self {
        let value = match kind {
            Kind::Decimal(_, _) | Kind::Integer => number(text).map(Self::Number),
            Kind::Boolean => text.parse().ok().map(Self::Boolean),
            Kind::Date => ScalarValue::try_from_string(text.to_owned(), &DataType::Date32)
                .ok()
                .and_then(|day| Self::of(&day)),
            Kind::Choice(_) | Kind::Ladder => None,
        };
        value.unwrap_or_else(|| Self::Text(text.to_owned()))
    }

    /// The value in the type of a parameter's column; `None` where that does not hold it.
    pub fn scalar(&self, data_type: &DataType) -> Option<ScalarValue> {
        match (self, data_type) {
            (Self::Date(day), DataType::Date32) => Some(ScalarValue::Date32(Some(*day))),
            (Self::Number(number), DataType::Int64) => {
                let is_whole = number.is_integer();
                let whole = number.to_i64().filter(|_| is_whole)?;
                Some(ScalarValue::Int64(Some(whole)))
            }
            (Self::Number(number), DataType::Decimal128(precision, scale)) => {
                let missing = u32::try_from(*scale).ok()?.checked_sub(number.scale())?;
                let unit = 10_i128.checked_pow(missing)?;
                let mantissa = number.mantissa().checked_mul(unit)?;
                let limit = 10_i128.checked_pow(u32::from(*precision))?;
                (mantissa.abs() < limit).then_some(ScalarValue::Decimal128(
                    Some(mantissa),
                    *precision,
                    *scale,
                ))
            }
            (Self::Boolean(value), DataType::Boolean) => Some(ScalarValue::Boolean(Some(*value))),
            (Self::Text(text), DataType::Utf8) => Some(ScalarValue::Utf8(Some(text.clone()))),
            _ => None,
        }
    }

    /// As JSON: numbers and booleans bare, unless they are to be a text.
    pub fn json(&self, is_text: bool) -> String {
        match self {
            Self::Number(_) | Self::Boolean(_) if !is_text => self.to_string(),
            value => serde_json::Value::from(value.to_string()).to_string(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(day) => write!(f, "{}", ScalarValue::Date32(Some(*day))),
            Self::Number(number) => write!(f, "{number}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::parameters::PARAMETERS;

    #[test]
    fn numbers_are_read_to_their_last_digit() {
        for (text, expected) in [
            ("12.50", "12.5"),
            ("-0.000000001", "-0.000000001"),
            (" 1.5e-7 ", "0.00000015"),
            ("3E2", "300"),
            ("+7", "7"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-0", "0"),
            ("08.50", "8.5"),
            ("90000000000.000000000000000000", "90000000000"),
        ] {
            let read = number(text).map(|number| number.to_string());
            assert_eq!(read.as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            ".",
            "-",
            "e5",
            "1_000",
            "12x",
            "1.00000000000000000000000000000001e2",
            "--1",
            "NaN",
            "1e40",
            "0x10",
            "1.2.3",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn values_go_into_their_columns_and_come_back() {
        for parameter in &PARAMETERS {
            let data_type = parameter.data_type();
            let text = match parameter.kind {
                Kind::Date => "2025-01-31",
                Kind::Boolean => "false",
                Kind::Integer => "17",
                Kind::Decimal(_, _) => "1.25",
                Kind::Choice(words) => words[0],
                Kind::Ladder => "50@100",
            };
            let value = Value::stored(parameter.kind, text);
            assert_eq!(value.to_string(), text, "{}", parameter.name);
            let scalar = value.scalar(&data_type).unwrap();
            assert_eq!(scalar.data_type(), data_type, "{}", parameter.name);
            assert_eq!(Value::of(&scalar), Some(value), "{}", parameter.name);
        }
        let number = |text| Value::stored(Kind::Integer, text);
        assert_eq!(number("1.5").scalar(&DataType::Int64), None);
        assert_eq!(number("1.55").scalar(&DataType::Decimal128(9, 1)), None);
        assert_eq!(number("1000").scalar(&DataType::Decimal128(3, 0)), None);
        assert_eq!(number("many"), Value::Text("many".into()));
    }

    #[test]
    fn numbers_are_bare_in_json() {
        assert_eq!(Value::stored(Kind::Integer, "8.50").json(false), "8.5");
        assert_eq!(Value::stored(Kind::Integer, "8.50").json(true), "\"8.5\"");
        assert_eq!(Value::Boolean(true).json(false), "true");
        assert_eq!(Value::Text("a\"b".into()).json(false), r#""a\"b""#);
    }
}
