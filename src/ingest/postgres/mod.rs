//! Loading from a live PostgreSQL: which rows of its tables to read.
//!
//! The three tables are read in one snapshot. Of signals and prices, days that the workspace holds
//! with as many rows are left out (see [`days`]), so that a load that is repeated reads what is new
//! and what came late. Trades are few and change when they close: they are always read.

mod clock;
mod days;
mod tables;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::prelude::ToPrimitive;

use super::columns::{SIGNALS, TOKEN_PRICES, TRADE_OUTCOMES, Table};
use super::decimal::Rounding;
use super::input::{Input, Inputs};
use super::names::Unused;
use super::{Finding, OnConflict, Phase, Progress, sources, timestamp};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::parameters::{self, PARAMETERS, Ranges};
use crate::store::source::{Copy, Source};

use clock::Span;
use days::Days;
use tables::{SourceTable, describe, describe_query};
pub use window::Window;

/// What to load from a live PostgreSQL. It has no `Debug`, since the URL may hold a password.
#[derive(Clone, Default)]
pub struct DatabaseRequest {
    /// `postgres://user@host:port/database`.
    pub url: String,
    pub period: Period,
    /// Whether to read again what the workspace seems to hold.
    pub full: bool,
    /// The tables to load by their names; all where there is none.
    pub only: Vec<String>,
    /// What holds where rows contradict each other.
    pub on_conflict: OnConflict,
    /// Whether prices are rounded to the digits that there is room for, however far that moves them.
    pub round_prices: bool,
    /// Queries that stand for tables, by the names of the tables.
    pub queries: BTreeMap<&'static str, String>,
}

impl DatabaseRequest {
    /// Reads queries such as `signals=select …`; prices and trades are also called so.
    pub fn read_queries(queries: &[String]) -> Result<BTreeMap<&'static str, String>> {
        let mut read = BTreeMap::new();
        for text in queries {
            let (name, query) = text.split_once('=').unwrap_or((text, ""));
            let table = match name.trim() {
                "signals" => SIGNALS.name,
                "prices" | "token_prices" => TOKEN_PRICES.name,
                "trades" | "trade_outcomes" => TRADE_OUTCOMES.name,
                _ => {
                    return Err(Error::Usage(format!(
                        "a query is given for signals, prices or trades, as in \
                         signals='select …', found {text}"
                    )));
                }
            };
            let first = query.split_whitespace().next().unwrap_or_default();
            let reads = ["select", "with", "values", "table"];
            if !reads.iter().any(|word| first.eq_ignore_ascii_case(word)) && !first.starts_with('(')
            {
                return Err(Error::Usage(format!(
                    "the query of {table} must be a select, found {text}"
                )));
            }
            if read.insert(table, query.trim().to_owned()).is_some() {
                return Err(Error::Usage(format!("{table} has two queries")));
            }
        }
        Ok(read)
    }
}

/// The time that signals are loaded of, in microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    since: Option<i64>,
    /// Exclusive.
    until: Option<i64>,
}

/// How much further than signals prices are read, for the trades that the last signals make: as long
/// as a trade may be held, and a day more to find the price of its exit.
fn beyond_until_micros(ranges: &Ranges) -> i64 {
    let longest = ["max_hold_minutes", "moonbag_max_hold_minutes"].map(|name| {
        parameters::position(name)
            .and_then(|position| ranges.of(&PARAMETERS[position]).maximum)
            .and_then(|minutes| minutes.to_i64())
            .unwrap_or(0)
    });
    longest
        .into_iter()
        .fold(0, i64::max)
        .saturating_mul(60_000_000)
        .saturating_add(clock::DAY_MICROS)
}

impl Period {
    /// Reads timestamps or dates; a date includes its whole day.
    pub fn parse(since: Option<&str>, until: Option<&str>) -> Result<Self> {
        let read = |name: &str, text: &str| {
            let read = timestamp::from_text(text.trim());
            read.map(|(micros, _)| micros).ok_or_else(|| {
                Error::Usage(format!(
                    "{name} must be a date such as 2025-01-31 or a timestamp such as \
                     2025-01-31T12:00:00Z, found {text}"
                ))
            })
        };
        let since = since.map(|text| read("since", text)).transpose()?;
        let until = until.map(|text| {
            let is_date = text.trim().len() == "2025-01-31".len() && text.contains('-');
            let day = if is_date { clock::DAY_MICROS } else { 0 };
            Ok::<_, Error>(read("until", text)?.saturating_add(day))
        });
        let until = until.transpose()?;
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(Error::Usage(format!(
                "until must be after since: {} is not after {}",
                timestamp::to_text(until),
                timestamp::to_text(since)
            )));
        }
        Ok(Self { since, until })
    }

    fn span(self, beyond_micros: i64) -> Span {
        Span {
            from: self.since.unwrap_or(i64::MIN),
            to: self
                .until
                .map_or(i64::MAX, |until| until.saturating_add(beyond_micros)),
        }
    }
}

/// The rows of one query, in the columns of a table.
#[derive(Clone)]
pub(super) struct Query {
    source: Arc<Source>,
    /// For errors: the table and its database.
    pub(super) place: String,
    statement: String,
    by_policy: bool,
    pub(super) rounding: Rounding,
    /// Columns of the database that are not read.
    pub(super) unused: Vec<Unused>,
    /// The columns of the table that are binary floats in the database.
    pub(super) floats: Vec<usize>,
    /// The columns by which people find a row, since rows of a database have no number.
    pub(super) keys: &'static [usize],
    /// What the database expects, which may be far off.
    pub(super) expected_rows: u64,
}

impl Query {
    pub(super) fn run(&self) -> Copy {
        self.source
            .copy(&self.place, &self.statement, self.by_policy)
    }
}

/// An open database whose tables can be read.
pub(super) struct Database {
    source: Arc<Source>,
    signals: Option<SourceTable>,
    prices: Option<SourceTable>,
    outcomes: Option<SourceTable>,
    period: Period,
    full: bool,
    rounding: Rounding,
}

/// What to read, the rows of the days that are left out, and what was looked at to tell.
pub(super) struct Selected {
    pub(super) inputs: Inputs,
    pub(super) unread: u64,
    pub(super) windows: Vec<Window>,
}

/// What was looked at to tell what is new.
#[derive(Default)]
struct NewRows {
    unread: u64,
    windows: Vec<Window>,
}

impl Database {
    /// Connects, and checks that the tables have the columns they need.
    pub(super) fn open(request: &DatabaseRequest, progress: &dyn Progress) -> Result<Self> {
        let should_stop = || progress.should_stop();
        let source = Source::connect(&request.url, &should_stop)?;
        let mut found = describe(&source, &should_stop)?;
        let mut wanted = |table: &'static Table| {
            let all = request.only.is_empty();
            let wanted = all || request.only.iter().any(|name| name == table.name);
            let read = || {
                let found = match request.queries.get(table.name) {
                    Some(query) => describe_query(&source, table, query, &should_stop)?,
                    None => found.remove(table.name).unwrap_or_default(),
                };
                SourceTable::new(table, &found, &source)
            };
            wanted.then(read).transpose()
        };
        Ok(Self {
            signals: wanted(&SIGNALS)?,
            prices: wanted(&TOKEN_PRICES)?,
            outcomes: wanted(&TRADE_OUTCOMES)?,
            source: Arc::new(source),
            period: request.period,
            full: request.full,
            rounding: match request.round_prices {
                true => Rounding::Any,
                false => Rounding::Slight,
            },
        })
    }

    /// What is odd about how its tables can be read.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let tables = [
            (&SIGNALS, &self.signals),
            (&TOKEN_PRICES, &self.prices),
            (&TRADE_OUTCOMES, &self.outcomes),
        ];
        let by_policy = tables
            .iter()
            .filter(|(_, found)| found.as_ref().is_some_and(|found| found.by_policy));
        by_policy
            .map(|(table, _)| sources::by_policy(table.name))
            .collect()
    }

    /// What of it the workspace does not hold.
    pub(super) fn select(
        &self,
        stored: &Dataset,
        ranges: &Ranges,
        progress: &dyn Progress,
    ) -> Result<Selected> {
        progress.begin(Phase::Comparing, 0);
        let mut windows = NewRows::default();
        let mut inputs = Inputs::default();
        if let Some(table) = &self.signals {
            let span = self.period.span(0);
            let held = || days::of_signals(stored, span);
            let condition = self.new_days(table, span, held, &mut windows, progress)?;
            inputs.signals = self.query(table, condition, progress)?;
        }
        if let Some(table) = &self.prices {
            let span = self.period.span(beyond_until_micros(ranges));
            let held = || days::of_prices(stored, span);
            let condition = self.new_days(table, span, held, &mut windows, progress)?;
            inputs.prices = self.query(table, condition, progress)?;
        }
        if let Some(table) = &self.outcomes {
            let condition = self.entered(table);
            inputs.outcomes = self.query(table, condition, progress)?;
        }
        Ok(Selected {
            inputs,
            unread: windows.unread,
            windows: windows.windows,
        })
    }

    /// The rows of the days in the span of which the workspace holds another number.
    fn new_days(
        &self,
        table: &SourceTable,
        span: Span,
        held: impl FnOnce() -> Days,
        looked_at: &mut NewRows,
        progress: &dyn Progress,
    ) -> Result<Option<String>> {
        let whole = || (!span.is_open()).then(|| table.clock.with_unreadable(&[span]));
        let held = if self.full { Days::default() } else { held() };
        if held.is_empty() {
            return Ok(whole());
        }
        let counted = self.source.rows_of(
            &table.place,
            table.count_by_day(span),
            table.by_policy,
            &|| progress.should_stop(),
        )?;
        let new = days::to_read(&held, &days::counted(&counted), span);
        looked_at.unread += new.unread;
        looked_at.windows.push(Window::new(table.name, &new));
        Ok(Some(table.clock.with_unreadable(&new.spans)))
    }

    /// The trades entered in the period, and all trades of its signals.
    fn entered(&self, table: &SourceTable) -> Option<String> {
        let span = self.period.span(0);
        if span.is_open() {
            return None;
        }
        let mut condition = table.clock.with_unreadable(&[span]);
        if let Some(signals) = &self.signals {
            condition = format!(
                "({condition}) or {}::text in (select {}::text from {} where {})",
                table.first,
                signals.first,
                signals.relation,
                signals.clock.within(span)
            );
        }
        Some(condition)
    }

    fn query(
        &self,
        table: &SourceTable,
        condition: Option<String>,
        progress: &dyn Progress,
    ) -> Result<Vec<Input>> {
        let statement = table.select(condition.as_deref());
        let plan = self.source.rows_of(
            &table.place,
            format!("explain {statement}"),
            table.by_policy,
            &|| progress.should_stop(),
        )?;
        Ok(vec![Input::Query(Query {
            source: Arc::clone(&self.source),
            place: table.place.clone(),
            statement,
            by_policy: table.by_policy,
            rounding: self.rounding,
            unused: table.unused.clone(),
            floats: table.floats.clone(),
            keys: table.keys,
            expected_rows: expected_rows(&plan).unwrap_or(0),
        })])
    }
}

/// The number of rows in the first line of a plan: `Seq Scan on … (cost=0.00..35.50 rows=2550 …)`.
fn expected_rows(plan: &[Vec<Option<String>>]) -> Option<u64> {
    let line = plan.first()?.first()?.as_ref()?;
    let digits = line.split("rows=").nth(1)?;
    digits.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a test may stop at what it did not expect"
    )]

    use super::*;

    #[test]
    fn a_period_includes_the_day_of_its_end() {
        let day = |n: i64| 1_735_689_600_000_000 + n * clock::DAY_MICROS;
        let period = Period::parse(Some("2025-01-01"), Some("2025-01-31")).unwrap();
        assert_eq!((period.since, period.until), (Some(day(0)), Some(day(31))));
        let period = Period::parse(None, Some("2025-01-02T00:00:00Z")).unwrap();
        assert_eq!((period.since, period.until), (None, Some(day(1))));
        for (since, until, expected) in [
            ("yesterday", "2025-01-01", "since must be a date such as"),
            ("2025-01-01", "20250131", "until must be a date such as"),
            ("2025-01-02", "2025-01-01", "until must be after since"),
        ] {
            let error = Period::parse(Some(since), Some(until)).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
        assert!(Period::parse(Some("2025-01-01"), Some("2025-01-01")).is_ok());
    }
}
