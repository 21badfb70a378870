//! Findings: what is odd in the merged history but usable, as rows of `data_quality`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};

use super::prices::Piece;
use super::rows::optional;
use super::{Finding, Severity, columns, timestamp};
use crate::error::Result;
use crate::schema::{DATA_QUALITY, FACTORS};

/// Neighbouring prices further apart than this are a gap.
const GAP_MINUTES: u64 = 60;

/// A count with its first example.
#[derive(Debug, Clone, Default)]
pub(super) struct Count {
    rows: u64,
    example: Option<String>,
}

impl Count {
    pub(super) fn note(&mut self, example: impl FnOnce() -> String) {
        self.rows += 1;
        self.example.get_or_insert_with(example);
    }

    pub(super) fn add(&mut self, later: Self) {
        self.rows += later.rows;
        self.example = self.example.take().or(later.example);
    }

    pub(super) fn finding(
        self,
        table: &columns::Table,
        check_name: &'static str,
        severity: Severity,
    ) -> Option<Finding> {
        self.example.map(|example| Finding {
            table_name: table.name,
            check_name,
            severity,
            row_count: self.rows,
            example,
        })
    }
}

/// What is odd about prices, token by token.
#[derive(Debug, Default)]
pub(super) struct PriceChecks {
    duplicates: Count,
    rounded: Count,
    zeros: Count,
    leaps: Count,
    noise: Count,
    gaps: Count,
}

/// Whether there may be a zero or prices that leap: some that are near each other differ by eight bits
/// or more. Found without a branch for each.
fn may_leap(values: &[i64]) -> bool {
    const AT_ONCE: usize = 64;
    // Each with the first of the next.
    let blocks = (0..values.len()).step_by(AT_ONCE);
    blocks
        .map(|start| &values[start..values.len().min(start + AT_ONCE + 1)])
        .any(|block| {
            let bits = block.iter().fold(0_i64, |bits, value| bits | value);
            let least = 1_i64 << bits.checked_ilog2().unwrap_or(0).saturating_sub(8);
            // A sign wherever one is less.
            let signs = block
                .iter()
                .fold(0, |s, value| s | value.wrapping_sub(least));
            signs < 0
        })
}

/// What was found of a token's prices on the way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Oddities {
    pub(super) duplicates: u64,
    /// How many were rounded to the digits that the largest leaves room for, and when the first.
    pub(super) rounded: Option<(u64, i64)>,
}

impl PriceChecks {
    /// The checks of one token's sorted prices.
    pub(super) fn of(address: &str, prices: &Piece, found: Oddities) -> Self {
        const GAP_MICROS: u64 = GAP_MINUTES * 60_000_000;
        let mut checks = Self::default();
        if found.duplicates > 0 {
            checks.duplicates = Count {
                rows: found.duplicates,
                example: Some(format!(
                    "token {address}: the same price came again; one was kept"
                )),
            };
        }
        if let Some((rows, at)) = found.rounded {
            checks.rounded = Count {
                rows,
                example: Some(format!(
                    "token {address} at {}: its largest price leaves room for {} fractional digits",
                    timestamp::to_text(at),
                    prices.mantissas.scale
                )),
            };
        }
        let values = &prices.mantissas.values;
        if may_leap(values) {
            checks.look_at_each(address, prices);
        }
        checks.look_for_noise(address, prices);
        for pair in prices.timestamps.windows(2) {
            // They are sorted.
            let gap = pair[1].wrapping_sub(pair[0]) as u64;
            if gap > GAP_MICROS {
                checks.gaps.note(|| {
                    format!(
                        "token {address}: no price for {} minutes after {} (counted are gaps of \
                         more than {GAP_MINUTES} minutes)",
                        gap / 60_000_000,
                        timestamp::to_text(pair[0])
                    )
                });
            }
        }
        checks
    }

    /// Counts zeros, and prices that leap a thousandfold and come back within [`LEAP_PRICES`].
    #[cold]
    fn look_at_each(&mut self, address: &str, prices: &Piece) {
        const LEAP: i64 = 1000;
        const LEAP_PRICES: usize = 60;
        let at = |row: usize| timestamp::to_text(prices.timestamps[row]);
        let values = &prices.mantissas.values;
        for (row, mantissa) in values.iter().enumerate() {
            if *mantissa == 0 {
                self.zeros.note(|| {
                    format!(
                        "token {address} at {}; a signal that meets it is untradable",
                        at(row)
                    )
                });
            }
        }
        let mut row = 1;
        while row < values.len() {
            let (before, now) = (values[row - 1], values[row]);
            let is_leap = before > 0 && now > 0 && (now / LEAP >= before || before / LEAP >= now);
            let next = values[row..].iter().take(LEAP_PRICES);
            // Back is where less than half of the way is left, in the number of digits.
            let back = next
                .enumerate()
                .find(|(_, later)| **later > 0 && **later / 30 < before && before / 30 < **later);
            if let (true, Some((rows, _))) = (is_leap, back) {
                self.leaps.note(|| {
                    let times = (now / before.max(1)).max(before / now.max(1));
                    let word = if now > before { "up" } else { "down" };
                    let later = match rows {
                        1 => "with the next price".to_owned(),
                        rows => format!("{rows} prices later"),
                    };
                    format!(
                        "token {address} leaps {times} times {word} at {} and back {later}: the \
                         price looks wrong",
                        at(row)
                    )
                });
                row += rows;
            }
            row += 1;
        }
    }

    /// Looks whether a token's prices have the digits of computed floats: of some of them, spread
    /// over all, most have 16 or more.
    fn look_for_noise(&mut self, address: &str, prices: &Piece) {
        const LOOKED_AT: usize = 32;
        const DIGITS: i64 = 1_000_000_000_000_000;
        let values = &prices.mantissas.values;
        let noisy = |value: &i64| *value >= DIGITS && *value % 10 != 0;
        let some = values.iter().step_by((values.len() / LOOKED_AT).max(1));
        let (all, with_noise) = some.fold((0_u64, 0_u64), |(all, with), value| {
            (all + 1, with + u64::from(noisy(value)))
        });
        if with_noise * 2 > all {
            self.noise.note(|| {
                format!(
                    "token {address}: most prices have 16 digits or more, as floats have that were \
                     computed; they are kept as they are written"
                )
            });
            self.noise.rows += values.len() as u64 - 1;
        }
    }

    /// Adds the checks of the next token.
    pub(super) fn add(&mut self, later: Self) {
        self.duplicates.add(later.duplicates);
        self.rounded.add(later.rounded);
        self.leaps.add(later.leaps);
        self.noise.add(later.noise);
        self.zeros.add(later.zeros);
        self.gaps.add(later.gaps);
    }

    pub(super) fn findings(self) -> impl Iterator<Item = Finding> {
        let table = &columns::TOKEN_PRICES;
        [
            self.duplicates
                .finding(table, "duplicate_rows", Severity::Info),
            self.rounded
                .finding(table, "rounded_to_fit", Severity::Info),
            self.zeros.finding(table, "zero_prices", Severity::Warning),
            self.leaps.finding(table, "price_leaps", Severity::Warning),
            self.noise.finding(table, "float_noise", Severity::Info),
            self.gaps.finding(table, "price_gaps", Severity::Info),
        ]
        .into_iter()
        .flatten()
    }
}

/// The checks of the signals of the merged history; `last_timestamps` are of each token's prices.
pub(super) fn check_signals(
    signals: &RecordBatch,
    last_timestamps: &[(Arc<str>, i64)],
) -> impl Iterator<Item = Finding> {
    let ids = signals.column(0).as_string::<i32>();
    let timestamps = signals.column(1).as_primitive::<TimestampMicrosecondType>();
    let tokens = signals.column(2).as_string::<i32>();
    let last_timestamps: HashMap<&str, i64> = last_timestamps
        .iter()
        .map(|(token, last)| (&**token, *last))
        .collect();
    let (mut factors, mut no_prices, mut no_later) =
        (Count::default(), Count::default(), Count::default());
    let mut alike = Count::default();
    let mut known: Option<Alike<'_>> = None;
    for row in 0..signals.num_rows() {
        let (id, token) = (ids.value(row), tokens.value(row));
        let absent = (0..FACTORS.len()).find(|factor| signals.column(5 + factor).is_null(row));
        if let Some(factor) = absent {
            factors.note(|| format!("signal {id} has no {}; it counts as 0", FACTORS[factor]));
        }
        match last_timestamps.get(token) {
            None => {
                no_prices.note(|| format!("signal {id}: token {token} has no prices"));
                let known = known.get_or_insert_with(|| Alike::of(last_timestamps.keys().copied()));
                if let Some(other) = known.find(token) {
                    alike.note(|| {
                        format!(
                            "signal {id} is of token {token:?}, prices are of {other:?}: the same?"
                        )
                    });
                }
            }
            Some(last) if *last < timestamps.value(row) => no_later.note(|| {
                let last = timestamp::to_text(*last);
                format!("signal {id}: the last price of token {token} is of {last}, before it")
            }),
            Some(_) => {}
        }
    }
    let table = &columns::SIGNALS;
    [
        factors.finding(table, "missing_factors", Severity::Info),
        no_prices.finding(table, "no_prices", Severity::Warning),
        no_later.finding(table, "no_later_price", Severity::Warning),
        alike.finding(table, "similar_tokens", Severity::Warning),
        similar_signals(ids),
    ]
    .into_iter()
    .flatten()
}

/// The checks of the trade outcomes of the merged history.
pub(super) fn check_outcomes(
    outcomes: &RecordBatch,
    signals: &RecordBatch,
) -> impl Iterator<Item = Finding> {
    let signal_ids = signals.column(0).as_string::<i32>();
    let signal_tokens = signals.column(2).as_string::<i32>();
    let tokens_by_signal: HashMap<&str, &str> = signal_ids
        .iter()
        .flatten()
        .zip(signal_tokens.iter().flatten())
        .collect();
    let ids = outcomes.column(0).as_string::<i32>();
    let tokens = outcomes.column(1).as_string::<i32>();
    let (mut unknown, mut other_token, mut open) =
        (Count::default(), Count::default(), Count::default());
    let mut alike = Count::default();
    let mut known: Option<Alike<'_>> = None;
    for row in 0..outcomes.num_rows() {
        let id = ids.value(row);
        match tokens_by_signal.get(id) {
            None => {
                unknown.note(|| {
                    format!("signal {id} is not in the dataset; its outcome enters no backtest")
                });
                let known = known.get_or_insert_with(|| Alike::of(signal_ids.iter().flatten()));
                if let Some(other) = known.find(id) {
                    alike.note(|| {
                        format!("an outcome is of signal {id:?}, a signal is {other:?}: the same?")
                    });
                }
            }
            Some(token) if tokens.is_valid(row) && tokens.value(row) != *token => {
                other_token.note(|| {
                    let other = tokens.value(row);
                    format!("signal {id} is of token {token}, its outcome of {other}")
                });
            }
            Some(_) => {}
        }
        if outcomes.column(3).is_null(row) || outcomes.column(6).is_null(row) {
            open.note(|| format!("signal {id}: no exit or no PnL yet; it enters no metric"));
        }
    }
    let table = &columns::TRADE_OUTCOMES;
    [
        unknown.finding(table, "unknown_signal", Severity::Warning),
        other_token.finding(table, "other_token", Severity::Warning),
        alike.finding(table, "similar_ids", Severity::Warning),
        open.finding(table, "not_closed", Severity::Info),
        without_exit(outcomes),
        one_trade(outcomes),
    ]
    .into_iter()
    .flatten()
}

/// Names by what is left of them without what tools change: case, blanks, quotes, and the `.0` of a
/// whole number that has been a float.
struct Alike<'n>(HashMap<Cow<'n, str>, &'n str>);

impl<'n> Alike<'n> {
    fn of(names: impl Iterator<Item = &'n str>) -> Self {
        Self(names.map(|name| (bare(name), name)).collect())
    }

    /// A name that is nearly the same.
    fn find(&self, name: &str) -> Option<&'n str> {
        self.0.get(bare(name).as_ref()).copied()
    }
}

/// A name without what tools change; most have nothing of it.
fn bare(name: &str) -> Cow<'_, str> {
    let is_changed = |byte: u8| {
        !byte.is_ascii()
            || byte.is_ascii_uppercase()
            || byte.is_ascii_whitespace()
            || b"\"'{}".contains(&byte)
    };
    if !name.bytes().any(is_changed) {
        return Cow::Borrowed(without_zeros(name));
    }
    // Marks without width hide at the ends of what was copied from a page.
    let hidden = |c: &char| {
        matches!(
            c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        )
    };
    let quotes = |c: &char| "\"'{}".contains(*c);
    let kept = name.chars();
    let kept = kept.filter(|c| !c.is_whitespace() && !hidden(c) && !quotes(c));
    let letters: String = kept.flat_map(char::to_lowercase).collect();
    Cow::Owned(without_zeros(&letters).to_owned())
}

/// A whole number without the zeros around it; what is none as it is.
fn without_zeros(name: &str) -> &str {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = name.split_once('.').filter(|(digits, zeros)| {
        !digits.is_empty() && is_digits(digits) && zeros.bytes().all(|byte| byte == b'0')
    });
    let digits = whole.map_or(name, |(digits, _)| digits);
    match is_digits(digits) {
        true => digits.trim_start_matches('0'),
        false => digits,
    }
}

/// Signals whose ids are nearly the same.
fn similar_signals(ids: &StringArray) -> Option<Finding> {
    // No two are the same as they stand.
    if ids.iter().flatten().all(|id| bare(id) == id) {
        return None;
    }
    let mut known: HashMap<Cow<'_, str>, &str> = HashMap::new();
    let mut similar = Count::default();
    for id in ids.iter().flatten() {
        if let Some(other) = known.insert(bare(id), id) {
            similar.note(|| format!("signals {other:?} and {id:?}: the same?"));
        }
    }
    similar.finding(&columns::SIGNALS, "similar_ids", Severity::Warning)
}

/// Profits and losses none of which has an exit: as if nothing had been traded.
fn without_exit(outcomes: &RecordBatch) -> Option<Finding> {
    let (exits, pnl) = (outcomes.column(3), outcomes.column(6));
    let with_pnl = || (0..outcomes.num_rows()).filter(|row| pnl.is_valid(*row));
    let count = with_pnl().count();
    (count > 0 && with_pnl().all(|row| exits.is_null(row))).then(|| Finding {
        table_name: columns::TRADE_OUTCOMES.name,
        check_name: "pnl_without_exit",
        severity: Severity::Warning,
        row_count: count as u64,
        example: "every trade with a PnL lacks its exit_timestamp: all count as open, and the \
                  actual side of every comparison is empty"
            .into(),
    })
}

/// One trade that makes more than half of the profit.
fn one_trade(outcomes: &RecordBatch) -> Option<Finding> {
    const TRADES_MIN: usize = 3;
    let pnl = outcomes.column(6).as_primitive::<Decimal128Type>();
    let exits = outcomes.column(3);
    let closed = || (0..pnl.len()).filter(|row| pnl.is_valid(*row) && exits.is_valid(*row));
    let profit: i128 = closed().map(|row| pnl.value(row).max(0)).sum();
    let best = closed().max_by_key(|row| (pnl.value(*row), std::cmp::Reverse(*row)))?;
    let is_most = profit > 0 && pnl.value(best).saturating_mul(2) > profit;
    (is_most && closed().count() >= TRADES_MIN).then(|| Finding {
        table_name: columns::TRADE_OUTCOMES.name,
        check_name: "one_trade_dominates",
        severity: Severity::Warning,
        row_count: 1,
        example: format!(
            "signal {}: {} SOL of {} SOL profit come from this one trade; without it there is \
             another story",
            outcomes.column(0).as_string::<i32>().value(best),
            optional(Some(pnl.value(best)), 9),
            optional(Some(profit), 9)
        ),
    })
}

/// The table `data_quality`.
pub(super) fn table(findings: &[Finding]) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(
            findings.iter().map(|f| f.table_name),
        )),
        Arc::new(StringArray::from_iter_values(
            findings.iter().map(|f| f.check_name),
        )),
        Arc::new(StringArray::from_iter_values(
            findings.iter().map(|f| f.severity.as_str()),
        )),
        Arc::new(Int64Array::from_iter_values(
            findings
                .iter()
                .map(|f| i64::try_from(f.row_count).unwrap_or(i64::MAX)),
        )),
        Arc::new(StringArray::from_iter_values(
            findings.iter().map(|f| &f.example),
        )),
    ];
    super::rows::batch(&DATA_QUALITY, columns)
}
