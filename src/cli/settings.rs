//! `--set name=value`: what is typed becomes named arguments of a table function.
//!
//! Names and values are quoted as SQL, so that whatever is typed is a value and never a statement;
//! what they mean, and whether they are right, the engine says. Several values are separated by
//! commas, ladders by a slash, since a comma is between their steps.

use hindsight::parameters::value::number;
use hindsight::parameters::{Kind, PARAMETERS, position};
use rust_decimal::Decimal;

use super::failure::Failure;

/// The most values that one range may have.
const RANGE_VALUES_MAX: usize = 100_000;

/// One `--set`.
#[derive(Debug, Clone)]
pub struct Setting {
    pub name: String,
    value: String,
}

/// Reads `name=value`.
pub fn parse(text: &str) -> Result<Setting, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => Ok(Setting {
            name: name.trim().to_lowercase(),
            value: value.trim().to_owned(),
        }),
        _ => Err("a setting is name=value, as in stop_loss_percent=12".into()),
    }
}

impl Setting {
    /// `name => value`.
    pub fn argument(&self) -> String {
        format!("{} => {}", self.identifier(), literal(&self.value))
    }

    /// `name => [value, …]`, and how many values that is.
    pub fn array_argument(&self) -> Result<(String, usize), Failure> {
        let mut values = Vec::new();
        for part in self.value.split(self.separator()) {
            let part = part.trim();
            match self.is_range(part) {
                true => values.extend(self.range(part)?),
                false => values.push(part.to_owned()),
            }
        }
        // Among words, a number is a word as well: an array has one type.
        let all_numbers = values
            .iter()
            .all(|value| is_number(value) || is_none(value));
        let literals: Vec<String> = values
            .iter()
            .map(|value| match all_numbers {
                true => literal(value),
                false if is_none(value) => "null".into(),
                false => quoted(value),
            })
            .collect();
        let argument = format!("{} => [{}]", self.identifier(), literals.join(", "));
        Ok((argument, literals.len()))
    }

    /// Whether it is written as several values.
    pub fn is_several(&self) -> bool {
        self.is_range(&self.value) || self.value.contains(self.separator())
    }

    /// Whether a range is meant, written rightly or as other languages write it.
    fn is_range(&self, text: &str) -> bool {
        (text.contains(':') || text.contains("..")) && !self.is_ladder()
    }

    fn is_ladder(&self) -> bool {
        position(&self.name).is_some_and(|position| PARAMETERS[position].kind == Kind::Ladder)
    }

    fn separator(&self) -> char {
        match self.is_ladder() {
            true => '/',
            false => ',',
        }
    }

    /// The name as SQL takes it literally.
    pub fn identifier(&self) -> String {
        format!("\"{}\"", self.name.replace('"', "\"\""))
    }

    /// `first:last:step`, the last included.
    fn range(&self, text: &str) -> Result<Vec<String>, Failure> {
        let refuse = |problem: &str| {
            Failure::usage(
                format!("--set {}: {text} {problem}", self.name),
                "a range is first:last:step, as in 60:90:5, and includes its last value",
            )
        };
        let parts: Vec<&str> = text.split(':').collect();
        let [first, last, step] = parts.as_slice() else {
            return Err(refuse("is not a range"));
        };
        let read = |text: &str| number(text).ok_or_else(|| refuse("is not a range of numbers"));
        let (first, last, step) = (read(first)?, read(last)?, read(step)?);
        if step <= Decimal::ZERO || first > last {
            return Err(refuse("does not rise"));
        }
        let mut values = Vec::new();
        let mut next = Some(first);
        while let Some(value) = next.filter(|value| *value <= last) {
            if values.len() == RANGE_VALUES_MAX {
                return Err(refuse(&format!("has more than {RANGE_VALUES_MAX} values")));
            }
            values.push(value.normalize().to_string());
            next = value.checked_add(step);
        }
        Ok(values)
    }
}

fn literal(value: &str) -> String {
    match value {
        _ if is_none(value) => "null".into(),
        _ if is_number(value) => value.into(),
        _ => quoted(value),
    }
}

/// A text as SQL takes it literally.
pub fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn is_none(value: &str) -> bool {
    value.eq_ignore_ascii_case("none")
}

/// Digits with at most one point and a sign: what SQL reads as an exact number.
fn is_number(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn values_become_literals_that_cannot_break_out() {
        let argument = |text: &str| parse(text).unwrap().argument();
        assert_eq!(
            argument("stop_loss_percent=12.5"),
            "\"stop_loss_percent\" => 12.5"
        );
        assert_eq!(
            argument("Exit_Strategy = hybrid"),
            "\"exit_strategy\" => 'hybrid'"
        );
        assert_eq!(
            argument("start_date=2025-01-01"),
            "\"start_date\" => '2025-01-01'"
        );
        assert_eq!(
            argument("fill_model=x'); drop"),
            "\"fill_model\" => 'x''); drop'"
        );
        assert_eq!(argument("a\"b=1"), "\"a\"\"b\" => 1");
        assert_eq!(
            argument("max_entry_delay_minutes=none"),
            "\"max_entry_delay_minutes\" => null"
        );
        assert_eq!(argument("x=--1"), "\"x\" => '--1'");
        assert!(parse("stop_loss_percent").is_err());
        assert!(parse("=12").is_err());
    }

    #[test]
    fn ranges_are_exact_and_include_their_end() {
        let array = |text: &str| parse(text).unwrap().array_argument().unwrap();
        assert_eq!(
            array("a=60:90:10,95"),
            ("\"a\" => [60, 70, 80, 90, 95]".into(), 5)
        );
        assert_eq!(array("a=0.1:0.4:0.1").1, 4);
        assert_eq!(array("a=1:2:0.4"), ("\"a\" => [1, 1.4, 1.8]".into(), 3));
        assert_eq!(array("a=8,moon"), ("\"a\" => ['8', 'moon']".into(), 2));
        assert_eq!(array("a=none,5"), ("\"a\" => [null, 5]".into(), 2));
        assert_eq!(
            array("take_profit_ladder=50@100, 25@300/none/100@50"),
            (
                "\"take_profit_ladder\" => ['50@100, 25@300', null, '100@50']".into(),
                3
            )
        );
        for wrong in [
            "a=1:2",
            "a=1..2",
            "a=1:2:0",
            "a=2:1:1",
            "a=1:x:1",
            "a=0:1:0.000001",
        ] {
            assert!(parse(wrong).unwrap().array_argument().is_err(), "{wrong}");
        }
    }
}
