//! What is wrong with a value that does not fit its column, in words that people can act on.
//!
//! Only what was refused comes here: what fits costs nothing.

use super::chunk::{Cell, Mismatch, mismatch};
use super::columns::{Column, Kind, Presence, TOO_FINE};
use super::decimal::{Decimal, NotAPrice, Rounding};
use super::timestamp;

/// Words that tools write where there is no value.
const WORDS_FOR_NOTHING: [&str; 13] = [
    "null",
    "\\n",
    "nan",
    "n/a",
    "na",
    "#n/a",
    "none",
    "nil",
    "nat",
    "<na>",
    "undefined",
    "-",
    "?",
];

/// Whether a text stands for no value.
pub(super) fn is_word_for_nothing(text: &str) -> bool {
    let text = text.trim_ascii();
    text.len() <= 9
        && WORDS_FOR_NOTHING
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether a text in a column of numbers or timestamps can be meant as nothing else than SQL's null.
pub(super) fn is_null(cell: &Cell<'_>, column: &Column) -> bool {
    let Cell::Text(text) = cell else {
        return false;
    };
    let text = text.trim_ascii();
    !matches!(column.kind, Kind::Text | Kind::Token)
        && column.presence != Presence::NotNull
        && (text == "\\N" || text.eq_ignore_ascii_case("null"))
}

/// Says of a cell why it does not fit.
#[cold]
pub(super) fn explain(column: &'static Column, row: u64, cell: &Cell<'_>) -> Mismatch {
    let refused = mismatch(column, row, cell.found());
    let text = match cell {
        Cell::Text(text) | Cell::Number(text) => text.trim_ascii(),
        Cell::Float(_) => {
            let text = cell.found();
            return match column.kind {
                Kind::Text | Kind::Token | Kind::Timestamp => refused,
                _ => number(column, refused, &text),
            };
        }
        Cell::Timestamp(instant) if !timestamp::is_plausible(instant.micros) => {
            return implausible(refused);
        }
        Cell::Object(text) | Cell::Other(text) if text.starts_with(['{', '[']) => {
            return refused.with_hint(several(column, text));
        }
        _ => return refused,
    };
    // What has not ended yet ends at 0 in some exports.
    let is_no_time = column.kind == Kind::Timestamp
        && (text.starts_with("0000-00-00") || text == "0" && column.presence != Presence::NotNull);
    if is_word_for_nothing(text) || is_no_time {
        let way_out = match column.presence {
            Presence::NotNull => "every row must have a value here; leave rows without one out",
            _ => {
                "where there is no value, write none: an empty field in CSV, null in JSON and \
                 Parquet"
            }
        };
        return refused.with_hint(format!("{text} seems to stand for nothing: {way_out}"));
    }
    if is_failed_formula(text) {
        return refused.with_hint(format!(
            "a spreadsheet shows {text} where a formula failed: mend it there, or leave the row out"
        ));
    }
    match column.kind {
        Kind::Text | Kind::Token => refused,
        Kind::Timestamp => moment(refused, text),
        Kind::Price | Kind::Decimal { .. } => number(column, refused, text),
    }
}

/// What a value that holds several is told.
fn several(column: &Column, text: &str) -> String {
    let key = text.split('"').nth(1).filter(|_| text.starts_with('{'));
    match key.filter(|key| key.starts_with(|letter: char| letter.is_alphabetic())) {
        Some(key) => format!(
            "jq takes one value out of it: jq -c '.{} = .KEY.{key}', KEY being the key that holds it",
            column.name
        ),
        None => "the value holds several: each row is an object of its own, as pandas writes them \
                 with to_json(orient='records')"
            .into(),
    }
}

/// Whether a text is what a spreadsheet shows in the place of a value, such as `#DIV/0!`.
fn is_failed_formula(text: &str) -> bool {
    let inner = text
        .strip_prefix('#')
        .and_then(|rest| rest.strip_suffix(['!', '?']));
    inner.is_some_and(|inner| {
        let is_plain = |letter: char| letter.is_ascii_uppercase() || "/0".contains(letter);
        !inner.is_empty() && inner.chars().all(is_plain)
    })
}

fn moment(mut refused: Mismatch, text: &str) -> Mismatch {
    let parsed = Decimal::parse(text.as_bytes());
    if parsed.is_some_and(|number| number.ends_before_units()) {
        refused.found += ", which has lost its last digits";
        return refused.with_hint(
            "a spreadsheet writes large numbers so: rows of different times became equal; export \
             the column with all digits, as whole numbers or as text such as 2025-01-31T12:00:00Z",
        );
    }
    if timestamp::from_text(text).is_some() {
        return implausible(refused);
    }
    // 2009 to 2099.
    let is_day = |days: f64| (39_814.0..73_050.0).contains(&days);
    if parsed.is_some() && text.parse().is_ok_and(is_day) {
        return refused.with_hint(
            "it seems to be a number of days since 1900, as a spreadsheet counts: give the column the \
             format yyyy-mm-dd hh:mm:ss before it is saved",
        );
    }
    if parsed.is_some() {
        return refused.with_hint(
            "epoch numbers count seconds, milliseconds, microseconds or nanoseconds since 1970; a \
             date is written as 2025-01-31",
        );
    }
    let parts: Vec<_> = text.split(['/', '.', '-', ' ', 'T', ',']).take(3).collect();
    let begins_well = text
        .get(..10)
        .is_some_and(|date| timestamp::from_text(date).is_some());
    let is_date = !begins_well
        && parts.len() == 3
        && parts.iter().all(|part| {
            (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        });
    let is_year_first = parts.first().is_some_and(|part| part.len() == 4);
    if is_date && is_year_first {
        let is_written_well =
            text.get(4..5) == Some("-") && parts.iter().all(|part| part.len() > 1);
        return refused.with_hint(match is_written_well {
            true => "there is no such day",
            false => {
                "a date has hyphens, and two digits for its month and its day, as in \
                 2025-01-31T12:00:00Z"
            }
        });
    }
    if is_date {
        return refused.with_hint(
            "the order of day and month is not guessed: write year, month, day as in \
             2025-01-31T12:00:00Z",
        );
    }
    let mut words = text.split(|letter: char| !letter.is_alphabetic());
    if words.any(is_month) {
        return refused.with_hint(
            "a month is written in digits, and the year comes first, as in 2025-01-31T12:00:00Z",
        );
    }
    let zone = text.rsplit(' ').next().unwrap_or_default();
    let rest = text.strip_suffix(zone).unwrap_or_default().trim_end();
    if timestamp::from_text(rest).is_some() {
        if ["AM", "PM"]
            .iter()
            .any(|half| zone.eq_ignore_ascii_case(half))
        {
            return refused.with_hint("hours are counted to 24: 01:00 PM is 13:00");
        }
        if zone.starts_with(|letter: char| letter.is_ascii_digit()) {
            return refused.with_hint(
                "a time is written as 12:00:00.123, with a point, and hours from 00 to 23",
            );
        }
        return refused.with_hint(format!(
            "{zone} is not understood: a zone is written as Z or as an offset such as +01:00"
        ));
    }
    refused
}

/// Whether a word is the name of a month in English, or its beginning.
fn is_month(word: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = word.to_ascii_lowercase();
    word.len() >= 3 && MONTHS.iter().any(|month| month.starts_with(&word))
}

/// A time before 2009 or after 2099.
fn implausible(mut refused: Mismatch) -> Mismatch {
    let read = timestamp::from_text(refused.found.trim());
    if let Some((micros, _)) = read.filter(|_| !refused.found.contains('-')) {
        refused.found += &format!(", which is {}", timestamp::to_text(micros));
    }
    refused.expected = "a time from 2009 to 2099".into();
    refused.with_hint("a time so far away is mostly an epoch number of another unit")
}

fn number(column: &Column, mut refused: Mismatch, text: &str) -> Mismatch {
    let Some(number) = Decimal::parse(text.as_bytes()) else {
        return not_a_number(refused, text);
    };
    let is_price =
        column.kind == Kind::Price || matches!(column.kind, Kind::Decimal { exact: true, .. });
    if is_price {
        match number.price(Rounding::Slight) {
            Err(NotAPrice::TooFine) => return refused.with_hint(TOO_FINE),
            Err(NotAPrice::TooLong) => {
                refused.expected = "a price in SOL below 9223372036854775807".into();
            }
            _ => {}
        }
    }
    if column.expected == FACTOR_EXPECTED && !number.is_negative() {
        // What floats make of 1 is no percentage.
        let is_beside_one = text.parse().is_ok_and(|value: f64| value < 1.01);
        return refused.with_hint(match is_beside_one {
            true => "what was computed to be a little more than 1 is written as 1",
            false => "a factor in percent is divided by 100 first",
        });
    }
    refused
}

/// What errors say of factors.
pub(super) const FACTOR_EXPECTED: &str = "a factor from 0 to 1";

fn not_a_number(mut refused: Mismatch, text: &str) -> Mismatch {
    let parses = |text: &str| Decimal::parse(text.as_bytes()).is_some();
    if let (Some(comma), point) = (text.rfind(','), text.rfind('.')) {
        let digits: String = text.chars().filter(|letter| *letter != ',').collect();
        if point.is_none() && parses(&text.replace(',', ".")) {
            refused.found += ", with a decimal comma";
            return refused.with_hint(format!(
                "numbers are written with a point: {}",
                text.replace(',', ".")
            ));
        }
        let european = text.replace('.', "").replace(',', ".");
        if point.is_some_and(|point| point < comma) && parses(&european) {
            refused.found += ", with a decimal comma";
            return refused.with_hint(format!("numbers are written with a point: {european}"));
        }
        if parses(&digits) {
            refused.found += ", with commas between thousands";
            return refused.with_hint(format!("numbers are written without them: {digits}"));
        }
    }
    let is_gap = |letter: char| letter.is_whitespace() || "_'’\u{200b}\u{feff}".contains(letter);
    let digits: String = text.chars().filter(|letter| !is_gap(*letter)).collect();
    if text.starts_with(|letter: char| letter.is_ascii_digit()) && parses(&digits) {
        return refused.with_hint(format!(
            "a number is written without anything between its digits: {digits}"
        ));
    }
    let quoted = text.trim_matches(['\'', '"', '=']);
    if quoted != text && parses(quoted) {
        return refused.with_hint(format!("a number is written without quotes: {quoted}"));
    }
    let negative = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    let negative = negative.or_else(|| text.strip_suffix(['-', '−']));
    let negative = negative.or_else(|| text.strip_prefix(['−', '–']));
    if let Some(number) = negative.filter(|number| parses(number)) {
        return refused.with_hint(format!(
            "a negative number is written with a minus before it: -{number}"
        ));
    }
    let bare = text.trim_matches(|letter: char| {
        letter.is_alphabetic() || letter.is_whitespace() || "$€£%◎".contains(letter)
    });
    if bare != text && parses(bare) {
        return refused.with_hint("write the number alone, without unit or sign of a currency");
    }
    if text.contains(|letter: char| ('₀'..='₉').contains(&letter)) {
        return refused.with_hint(
            "a small digit stands for so many zeros on a page for people: its export, or its API, has \
             all digits",
        );
    }
    match text.contains(|letter: char| letter.is_ascii_digit()) {
        true => refused.with_hint("a number is written as 0.00012 or 1.2e-4"),
        false => refused,
    }
}
