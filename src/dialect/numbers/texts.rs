//! Numbers and truth values read from texts, and values as PostgreSQL casts them to text.

use std::str::FromStr;

use bytes::BytesMut;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::datatypes::Field;
use datafusion::common::Result;
use num_bigint::BigInt;

use super::columns::failed;
use super::exact::Exact;
use crate::catalog::time::Zone;
use crate::dialect::output::cells::Cells;
use crate::dialect::output::types::PgType;
use crate::dialect::output::{IntervalStyle, Style};

/// A number as PostgreSQL reads it, with its exponent.
pub fn parse(text: &str) -> Option<Exact> {
    const MOST_EXPONENT: i64 = 1_000;
    // More than a numeric has; reading takes as long as the square of their number.
    const MOST_DIGITS: usize = 10_000;
    if text.len() > MOST_DIGITS {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    if exponent.abs() > MOST_EXPONENT {
        return None;
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let unsigned = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    let is_digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if unsigned.is_empty() && fraction.is_empty() || !is_digits(unsigned) || !is_digits(fraction) {
        return None;
    }
    let digits = BigInt::from_str(&format!("{whole}{fraction}")).ok()?;
    let places = i64::try_from(fraction.len()).ok()? - exponent;
    let value = Exact::new(digits, places);
    Some(if places < 0 { value.rounded(0) } else { value })
}

/// Values as PostgreSQL casts them to text.
pub fn texts(array: &ArrayRef, zone: Zone) -> Result<StringArray> {
    if let Some(texts) = array.as_string_opt::<i32>() {
        return Ok(texts.clone());
    }
    if let Some(values) = array.as_boolean_opt() {
        let words = values
            .iter()
            .map(|value| value.map(|value| value.to_string()));
        return Ok(words.collect());
    }
    let field = Field::new("value", array.data_type().clone(), true);
    let style = Style {
        zone: Some(zone),
        bytea_is_escaped: false,
        interval: IntervalStyle::Postgres,
        float_digits: 1,
    };
    let cells = Cells::new(array, PgType::of(&field).oid).map_err(failed)?;
    let mut out = BytesMut::new();
    (0..array.len())
        .map(|row| {
            if cells.is_null(row) {
                return Ok(None);
            }
            out.clear();
            cells.text(row, &style, &mut out).map_err(failed)?;
            Ok(Some(String::from_utf8_lossy(&out).into_owned()))
        })
        .collect()
}

/// Texts cut to a length, and with blanks up to it.
pub(super) fn fitted(texts: &StringArray, length: i64, is_padded: bool) -> StringArray {
    let length = usize::try_from(length).unwrap_or_default();
    let fit = |text: &str| -> String {
        let mut fit: String = text.chars().take(length).collect();
        if is_padded {
            let missing = length.saturating_sub(fit.chars().count());
            fit.extend(std::iter::repeat_n(' ', missing));
        }
        fit
    };
    texts.iter().map(|text| text.map(fit)).collect()
}
