//! Two different values for one instant of one token: reads the prices again to say where they are.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{Decimal128Type, DecimalType};

use super::chunk::Chunk;
use super::columns::TOKEN_PRICES;
use super::input::Input;
use super::mantissas::plain_scale;
use super::prices::PriceRows;
use super::read::{self, Failure, Place, Sink};
use super::{Finding, Progress, Severity, timestamp};
use crate::error::{Error, Result};

/// What shall hold where two rows contradict each other: what was stored or read before, or what is
/// read later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// Neither: the load is refused as a whole.
    #[default]
    Refuse,
    /// The earlier row.
    Keep,
    /// The later row.
    Replace,
}

/// How to go on where a load was refused.
pub(super) const WAYS_OUT: &str =
    "--on-conflict replace takes the later value, --on-conflict keep the earlier one";

impl OnConflict {
    /// The words for it.
    pub const NAMES: [&str; 3] = ["refuse", "keep", "replace"];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "refuse" => Some(Self::Refuse),
            "keep" => Some(Self::Keep),
            "replace" => Some(Self::Replace),
            _ => None,
        }
    }

    /// What was done about rows that contradict others, the first of them `at` a place.
    pub(super) fn finding(
        self,
        table_name: &'static str,
        row_count: u64,
        at: &str,
        earlier: &str,
        later: &str,
    ) -> Finding {
        let (check_name, example) = match self {
            Self::Replace => (
                "replaced_rows",
                format!("{at}: {later} took the place of {earlier}"),
            ),
            _ => (
                "kept_rows",
                format!("{at}: {later} was left out, {earlier} was kept"),
            ),
        };
        Finding {
            table_name,
            check_name,
            severity: Severity::Info,
            row_count,
            example,
        }
    }
}

/// One instant of one token with two values.
#[derive(Debug, Clone)]
pub(super) struct Conflict {
    pub(super) address: Arc<str>,
    pub(super) timestamp: i64,
    pub(super) value: Value,
    pub(super) other: Value,
    /// Whether one of the values is in the stored history.
    pub(super) stored: bool,
}

/// A value as it was read, with the scale it had there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Price(i64, u8),
    Volume(i128),
}

impl Value {
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Price(..) => "price",
            Self::Volume(_) => "volume_24h",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::Price(mantissa, scale) => {
                Decimal128Type::format_decimal(mantissa.into(), 38, scale as i8)
            }
            Self::Volume(volume) => Decimal128Type::format_decimal(volume, 38, 9),
        };
        let short = match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.'),
            false => &text,
        };
        f.write_str(short)
    }
}

/// The error that names both places of a conflict.
pub(super) fn locate(conflict: &Conflict, files: &[Input], progress: &dyn Progress) -> Error {
    match try_locate(conflict, files, progress) {
        Ok(error) | Err(error) => error,
    }
}

fn try_locate(conflict: &Conflict, files: &[Input], progress: &dyn Progress) -> Result<Error> {
    let finder = || Finder {
        conflict: conflict.clone(),
        found: Vec::new(),
    };
    let mut reading = read::read(files, &TOKEN_PRICES, finder, &Silent(progress))?;
    let sinks = std::mem::take(&mut reading.sinks);
    let mut found: Vec<_> = sinks.into_iter().flat_map(|finder| finder.found).collect();
    found.sort_by_key(|(place, _)| *place);
    let texts: Vec<_> = found
        .iter()
        .map(|(place, value)| (*place, value.to_string()))
        .collect();
    let of = format!(
        "for token {} at {}",
        conflict.address,
        timestamp::to_text(conflict.timestamp)
    );
    let (place, text, expected) = if conflict.stored {
        // Either value may be the stored one; it is the one that no file has.
        let values = [conflict.value.to_string(), conflict.other.to_string()];
        let stored = values
            .iter()
            .find(|value| texts.iter().all(|(_, text)| text != *value));
        let stored = stored.unwrap_or(&values[0]);
        let Some((place, text)) = texts.iter().find(|(_, text)| text != stored) else {
            return Ok(changed(files));
        };
        (
            place,
            text,
            format!("{stored}, which the stored history holds for that instant; {WAYS_OUT}"),
        )
    } else {
        let Some((first, first_text)) = texts.first() else {
            return Ok(changed(files));
        };
        let Some((place, text)) = texts.iter().find(|(_, text)| text != first_text) else {
            return Ok(changed(files));
        };
        let (file, row) = reading.locate(*first);
        (
            place,
            text,
            format!("{first_text} as in {file}, row {row}: one value for each instant; {WAYS_OUT}"),
        )
    };
    let (file, row) = reading.locate(*place);
    Ok(Error::InputValue {
        file,
        row,
        column: conflict.value.column().into(),
        found: format!("{text} {of}"),
        expected,
    })
}

fn changed(files: &[Input]) -> Error {
    Error::InputFile {
        file: files.first().map(Input::name).unwrap_or_default(),
        found: "other prices than a moment ago".into(),
        expected: "files that do not change while they are loaded".into(),
    }
}

/// Notes where the token has a value at the instant.
struct Finder {
    conflict: Conflict,
    found: Vec<(Place, Value)>,
}

impl Sink for Finder {
    fn take(&mut self, chunk: &Chunk, place: Place) -> Result<(), Failure> {
        let Some(rows) = PriceRows::of(chunk) else {
            return Ok(());
        };
        let tokens = rows.tokens.values().as_string::<i32>();
        let keys = rows.tokens.keys().values();
        for (row, timestamp) in rows.timestamps.values().iter().enumerate() {
            if *timestamp != self.conflict.timestamp
                || tokens.value(keys[row] as usize) != &*self.conflict.address
            {
                continue;
            }
            let value = match (self.conflict.value, rows.volumes) {
                (Value::Price(..), _) => {
                    Value::Price(rows.mantissas[row], plain_scale(rows.scales[row]))
                }
                (Value::Volume(_), Some(volumes)) if volumes.is_valid(row) => {
                    Value::Volume(volumes.value(row))
                }
                _ => continue,
            };
            let row = place.row + row as u64;
            self.found.push((Place { row, ..place }, value));
        }
        Ok(())
    }
}

/// The second reading counts for nobody, but may be stopped too.
struct Silent<'p>(&'p dyn Progress);

impl Progress for Silent<'_> {
    fn begin(&self, _: super::Phase, _: u64) {}
    fn advance(&self, _: super::Phase, _: u64) {}
    fn should_stop(&self) -> bool {
        self.0.should_stop()
    }
}
