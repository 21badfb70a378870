//! What signals and trades ask of the prices of their tokens, answered while those are merged: how
//! late an entry would be, and how far recorded entry prices are from the prices at that time.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};

use super::prices::Piece;
use super::quality::Count;
use super::{Finding, Severity, columns, timestamp};
use crate::parameters::{self, PARAMETERS};

const MINUTE_MICROS: i64 = 60_000_000;
/// A price further away than this says nothing about the price of a trade.
const NEAR_MICROS: i64 = 60 * MINUTE_MICROS;
/// A recorded price so many times above or below is another unit rather than a fast market.
const FAR: f64 = 5.0;

/// Signals and trade outcomes by token.
pub(super) struct Probes {
    signals: RecordBatch,
    outcomes: RecordBatch,
    by_token: HashMap<Box<str>, Rows>,
    hold_minutes: i64,
}

#[derive(Default)]
struct Rows {
    signals: Vec<usize>,
    outcomes: Vec<usize>,
}

impl Probes {
    pub(super) fn new(signals: &RecordBatch, outcomes: &RecordBatch) -> Self {
        let mut by_token: HashMap<Box<str>, Rows> = HashMap::new();
        let mut of_signal: HashMap<&str, &str> = HashMap::new();
        let recorded = outcomes.column(4).null_count() < outcomes.num_rows();
        let ids = signals.column(0).as_string::<i32>();
        let tokens = signals.column(2).as_string::<i32>();
        for row in 0..signals.num_rows() {
            let token = tokens.value(row);
            match by_token.get_mut(token) {
                Some(rows) => rows.signals.push(row),
                None => by_token.entry(token.into()).or_default().signals.push(row),
            }
            if recorded {
                of_signal.insert(ids.value(row), token);
            }
        }
        if recorded {
            let ids = outcomes.column(0).as_string::<i32>();
            let tokens = outcomes.column(1).as_string::<i32>();
            for row in 0..outcomes.num_rows() {
                let own = tokens.is_valid(row).then(|| tokens.value(row));
                if let Some(token) = own.or_else(|| of_signal.get(ids.value(row)).copied()) {
                    by_token.entry(token.into()).or_default().outcomes.push(row);
                }
            }
        }
        let hold = parameters::position("max_hold_minutes");
        let hold = hold.and_then(|position| PARAMETERS[position].default?.parse().ok());
        Self {
            signals: signals.clone(),
            outcomes: outcomes.clone(),
            by_token,
            hold_minutes: hold.unwrap_or(60),
        }
    }

    /// What the sorted prices of a token say.
    pub(super) fn ask(&self, token: &str, prices: &Piece) -> Answers {
        let mut answers = Answers::default();
        let times = &prices.timestamps;
        if let (Some(first), Some(last)) = (times.first(), times.last()) {
            answers.span = Some((*first, *last));
        }
        let Some(rows) = self.by_token.get(token) else {
            return answers;
        };
        let ids = self.signals.column(0).as_string::<i32>();
        let at = self
            .signals
            .column(1)
            .as_primitive::<TimestampMicrosecondType>();
        for row in &rows.signals {
            let signal = at.value(*row);
            let next = times.partition_point(|time| *time < signal);
            let Some(entry) = times.get(next) else {
                continue;
            };
            let minutes = entry.saturating_sub(signal) / MINUTE_MICROS;
            if minutes >= self.hold_minutes {
                answers.late.note(|| {
                    format!(
                        "signal {}: the next price of token {token} comes {minutes} minutes after \
                         it, and max_hold_minutes is {} by default: the trade ends as it begins",
                        ids.value(*row),
                        self.hold_minutes
                    )
                });
            }
        }
        let entered = self
            .outcomes
            .column(2)
            .as_primitive::<TimestampMicrosecondType>();
        let recorded = self.outcomes.column(4).as_primitive::<Decimal128Type>();
        for row in &rows.outcomes {
            if entered.is_null(*row) || recorded.is_null(*row) {
                continue;
            }
            let entry = entered.value(*row);
            let next = times.partition_point(|time| *time <= entry);
            let near = [next.checked_sub(1), Some(next)].into_iter().flatten();
            let price = near
                .filter(|price| {
                    times
                        .get(*price)
                        .is_some_and(|t| t.abs_diff(entry) <= NEAR_MICROS as u64)
                })
                .map(|price| {
                    let scale = i32::from(prices.mantissas.scale);
                    prices.mantissas.values[price] as f64 / 10_f64.powi(scale)
                })
                .next();
            let recorded = recorded.value(*row) as f64 / 1e18;
            if let Some(price) = price.filter(|price| *price > 0.0 && recorded > 0.0) {
                answers.ratios.push(recorded / price);
            }
        }
        answers
    }
}

/// What prices said, of one token or of all so far.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Signals whose entry comes when they are to be sold already.
    late: Count,
    /// Recorded entry prices over the prices at that time.
    ratios: Vec<f64>,
    /// The first and the last price.
    pub(super) span: Option<(i64, i64)>,
}

impl Answers {
    /// Adds those of the next token.
    pub(super) fn add(&mut self, mut later: Self) {
        self.late.add(later.late);
        self.ratios.append(&mut later.ratios);
        self.span = match (self.span, later.span) {
            (Some((first, last)), Some((from, to))) => Some((first.min(from), last.max(to))),
            (one, other) => one.or(other),
        };
    }

    pub(super) fn findings(self) -> impl Iterator<Item = Finding> {
        let unit = unit_finding(&self.ratios);
        let late = self.late;
        let late = late.finding(
            &columns::SIGNALS,
            "entry_after_hold_limit",
            Severity::Warning,
        );
        late.into_iter().chain(unit)
    }
}

/// Recorded prices that are mostly another unit, or have other decimals.
fn unit_finding(ratios: &[f64]) -> Option<Finding> {
    let far = |below: bool| {
        let far = ratios.iter().filter(move |ratio| match below {
            true => **ratio < 1.0 / FAR,
            false => **ratio > FAR,
        });
        far.map(move |ratio| if below { 1.0 / ratio } else { *ratio })
    };
    let (below, above): (Vec<f64>, Vec<f64>) = (far(true).collect(), far(false).collect());
    let (mut factors, word) = match below.len() >= above.len() {
        true => (below, "below"),
        false => (above, "above"),
    };
    if factors.is_empty() {
        return None;
    }
    factors.sort_by(f64::total_cmp);
    let median = factors[factors.len() / 2];
    let power = median.log10().round();
    let is_power = (median.log10() - power).abs() < 0.01;
    let (factor, question) = match is_power {
        true => (format!("10^{power}"), "do they have the same decimals?"),
        false => (format!("{median:.0}"), "are they in the same unit?"),
    };
    let trades = match factors.len() {
        1 => "1 trade".to_owned(),
        many => format!("{many} trades"),
    };
    let share = match factors.len() == ratios.len() {
        true => String::new(),
        false => format!(" of {}", ratios.len()),
    };
    Some(Finding {
        table_name: columns::TRADE_OUTCOMES.name,
        check_name: "price_unit",
        severity: match factors.len() * 10 >= ratios.len() {
            true => Severity::Warning,
            false => Severity::Info,
        },
        row_count: factors.len() as u64,
        example: format!(
            "the recorded entry prices are about {factor} times {word} the token prices at that \
             time (median over {trades}{share}): {question}"
        ),
    })
}

/// The signals well before the first or after the last price of all.
pub(super) fn range_finding(signals: &RecordBatch, span: Option<(i64, i64)>) -> Option<Finding> {
    let (first, last) = span?;
    let at = signals
        .column(1)
        .as_primitive::<TimestampMicrosecondType>()
        .values();
    let covered = first.saturating_sub(NEAR_MICROS)..=last.saturating_add(NEAR_MICROS);
    let outside = at.iter().filter(|at| !covered.contains(*at)).count();
    let (from, to) = (at.iter().min()?, at.iter().max()?);
    (outside > 0).then(|| Finding {
        table_name: columns::SIGNALS.name,
        check_name: "range_not_covered",
        severity: Severity::Warning,
        row_count: outside as u64,
        example: format!(
            "the prices reach from {} to {}, the signals from {} to {}",
            timestamp::to_text(first),
            timestamp::to_text(last),
            timestamp::to_text(*from),
            timestamp::to_text(*to)
        ),
    })
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a test may stop at what it did not expect"
    )]

    use super::*;

    #[test]
    fn other_units_are_told_by_their_factor() {
        for (ratios, rows, expected) in [
            (
                &[1.0 / 150.0][..],
                1,
                "about 150 times below the token prices at that time (median over 1 trade): are they in the same unit?",
            ),
            (
                &[1e9, 1.001e9, 0.999e9],
                3,
                "about 10^9 times above the token prices at that time (median over 3 trades): do they have the same decimals?",
            ),
            (
                &[200.0, 1.0, 210.0, 190.0, 1.1],
                3,
                "about 200 times above the token prices at that time (median over 3 trades of 5): are they in the same unit?",
            ),
        ] {
            let finding = unit_finding(ratios).unwrap();
            assert_eq!(
                finding.example,
                format!("the recorded entry prices are {expected}")
            );
            assert_eq!(
                (finding.row_count, finding.severity),
                (rows, Severity::Warning)
            );
        }
        assert_eq!(unit_finding(&[1.0, 0.5, 4.0, 0.21]), None);
        assert_eq!(unit_finding(&[]), None);
    }
}
