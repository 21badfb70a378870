//! Findings: what is odd in the merged history but usable, as rows of `data_quality`.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::TimestampMicrosecondType;

use super::prices::Piece;
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
    fn note(&mut self, example: impl FnOnce() -> String) {
        self.rows += 1;
        self.example.get_or_insert_with(example);
    }

    fn add(&mut self, later: Self) {
        self.rows += later.rows;
        self.example = self.example.take().or(later.example);
    }

    fn finding(
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
    zeros: Count,
    gaps: Count,
}

impl PriceChecks {
    /// The checks of one token's sorted prices.
    pub(super) fn of(address: &str, prices: &Piece, duplicates: u64) -> Self {
        const GAP_MICROS: u64 = GAP_MINUTES * 60_000_000;
        let mut checks = Self::default();
        if duplicates > 0 {
            checks.duplicates = Count {
                rows: duplicates,
                example: Some(format!(
                    "token {address}: the same price came again; one was kept"
                )),
            };
        }
        for (row, mantissa) in prices.mantissas.values.iter().enumerate() {
            if *mantissa == 0 {
                checks.zeros.note(|| {
                    let at = timestamp::to_text(prices.timestamps[row]);
                    format!("token {address} at {at}; a signal that meets it is untradable")
                });
            }
        }
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

    /// Adds the checks of the next token.
    pub(super) fn add(&mut self, later: Self) {
        self.duplicates.add(later.duplicates);
        self.zeros.add(later.zeros);
        self.gaps.add(later.gaps);
    }

    pub(super) fn findings(self) -> impl Iterator<Item = Finding> {
        let table = &columns::TOKEN_PRICES;
        [
            self.duplicates
                .finding(table, "duplicate_rows", Severity::Info),
            self.zeros.finding(table, "zero_prices", Severity::Warning),
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
    for row in 0..signals.num_rows() {
        let (id, token) = (ids.value(row), tokens.value(row));
        let absent = (0..FACTORS.len()).find(|factor| signals.column(5 + factor).is_null(row));
        if let Some(factor) = absent {
            factors.note(|| format!("signal {id} has no {}; it counts as 0", FACTORS[factor]));
        }
        match last_timestamps.get(token) {
            None => no_prices.note(|| format!("signal {id}: token {token} has no prices")),
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
    for row in 0..outcomes.num_rows() {
        let id = ids.value(row);
        match tokens_by_signal.get(id) {
            None => unknown.note(|| {
                format!("signal {id} is not in the dataset; its outcome enters no backtest")
            }),
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
        open.finding(table, "not_closed", Severity::Info),
    ]
    .into_iter()
    .flatten()
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
