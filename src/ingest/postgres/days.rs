//! Which days to read again: those of which the workspace holds another number of rows.
//!
//! Rows may come late, so the newest timestamp alone does not tell what is new. Counting is cheap
//! beside reading, and finds every day that has gained rows, however old. The last day held is read
//! in any case, since the newest rows are those that are still completed.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::TimestampMicrosecondType;

use super::clock::{DAY_MICROS, Span};
use crate::dataset::Dataset;

/// Rows by day since 1970.
pub(super) type Days = BTreeMap<i64, u64>;

/// More stretches than this are read as fewer and longer ones.
const SPANS_MAX: usize = 64;

/// The stretches to read, and the rows of the days between them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewDays {
    pub(super) spans: Vec<Span>,
    pub(super) unread: u64,
    /// The days that have gained rows, or lost some; and the last held, where that is another.
    pub(super) gained: Vec<i64>,
    pub(super) lost: Vec<i64>,
    pub(super) last: Option<i64>,
}

pub(super) fn of_signals(stored: &Dataset, span: Span) -> Days {
    let mut days = Days::new();
    let timestamps = stored.signals.column(1);
    if let Some(timestamps) = timestamps.as_primitive_opt::<TimestampMicrosecondType>() {
        count(timestamps.values(), span, &mut days);
    }
    days
}

pub(super) fn of_prices(stored: &Dataset, span: Span) -> Days {
    let mut days = Days::new();
    for (_, prices) in stored.price_book.iter() {
        count(&prices.timestamps, span, &mut days);
    }
    days
}

/// Adds ascending timestamps; costs a search for each day, not a look at each row.
fn count(ascending: &[i64], span: Span, days: &mut Days) {
    let end = ascending.partition_point(|t| *t < span.to);
    let mut start = ascending.partition_point(|t| *t < span.from);
    while start < end {
        let day = ascending[start].div_euclid(DAY_MICROS);
        let rest = &ascending[start..end];
        let rows = rest.partition_point(|t| t.div_euclid(DAY_MICROS) == day);
        *days.entry(day).or_default() += rows as u64;
        start += rows;
    }
}

/// The days and counts that the database answered.
pub(super) fn counted(rows: &[Vec<Option<String>>]) -> Days {
    let number = |cell: Option<&Option<String>>| cell?.as_ref()?.parse::<i64>().ok();
    let days = rows.iter().filter_map(|row| {
        let rows = u64::try_from(number(row.get(1))?).ok()?;
        Some((number(row.first())?, rows))
    });
    days.collect()
}

/// What to read of a span, where `held` is what the workspace has and `found` what the database has.
pub(super) fn to_read(held: &Days, found: &Days, span: Span) -> NewDays {
    let last = held.last_key_value().map(|(day, _)| *day);
    let new: BTreeSet<i64> = found
        .iter()
        .filter(|(day, rows)| held.get(day) != Some(rows) || Some(**day) == last)
        .map(|(day, _)| *day)
        .collect();
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for day in new {
        match stretches.last_mut() {
            Some((_, to)) if *to == day => *to = day + 1,
            _ => stretches.push((day, day + 1)),
        }
    }
    while stretches.len() > SPANS_MAX {
        let gap = |at: usize| stretches[at + 1].0 - stretches[at].1;
        let smallest = (0..stretches.len() - 1)
            .min_by_key(|at| gap(*at))
            .unwrap_or(0);
        let (_, to) = stretches.remove(smallest + 1);
        stretches[smallest].1 = to;
    }
    let is_read = |day: i64| {
        stretches
            .iter()
            .any(|(from, to)| (*from..*to).contains(&day))
    };
    let unread = found.iter().filter(|(day, _)| !is_read(**day));
    let number = |day: &i64| held.get(day).copied().unwrap_or(0);
    let days = |differ: fn(u64, u64) -> bool| {
        let days = found
            .iter()
            .filter(|(day, rows)| differ(number(day), **rows));
        days.map(|(day, _)| *day).collect::<Vec<_>>()
    };
    NewDays {
        gained: days(|held, found| found > held),
        lost: days(|held, found| found < held),
        last: last.filter(|day| found.get(day) == Some(&number(day))),
        unread: unread.map(|(_, rows)| rows).sum(),
        spans: stretches
            .iter()
            .map(|(from, to)| Span {
                from: from.saturating_mul(DAY_MICROS).max(span.from),
                to: to.saturating_mul(DAY_MICROS).min(span.to),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Span = Span {
        from: i64::MIN,
        to: i64::MAX,
    };

    fn span(from: i64, to: i64) -> Span {
        Span {
            from: from * DAY_MICROS,
            to: to * DAY_MICROS,
        }
    }

    #[test]
    fn days_that_differ_and_the_last_are_read() {
        let held = Days::from([(10, 5), (11, 5), (12, 5), (14, 5)]);
        let found = Days::from([(9, 1), (10, 5), (11, 6), (12, 4), (13, 0), (14, 5), (15, 2)]);
        assert_eq!(
            to_read(&held, &found, OPEN),
            NewDays {
                spans: vec![span(9, 10), span(11, 16)],
                unread: 5,
                gained: vec![9, 11, 15],
                lost: vec![12],
                last: Some(14),
            }
        );
        // A day that the database has no more is no reason to read.
        assert_eq!(
            to_read(&held, &Days::from([(10, 5), (11, 5)]), OPEN),
            NewDays {
                spans: vec![],
                unread: 10,
                gained: vec![],
                lost: vec![],
                last: None,
            }
        );
        let within = Span {
            from: 9 * DAY_MICROS + 7,
            to: 15 * DAY_MICROS + 7,
        };
        let spans = to_read(&held, &found, within).spans;
        assert_eq!(spans[0].from, within.from);
        assert_eq!(spans[1].to, within.to);
    }

    #[test]
    fn many_stretches_become_fewer() {
        let held = Days::from_iter((0..1000).map(|day| (day, 1)));
        let found = Days::from_iter((0..1000).map(|day| (day, 1 + (day as u64 + 1) % 2)));
        let new = to_read(&held, &found, OPEN);
        assert_eq!(new.spans.len(), SPANS_MAX);
        let covered = |day: i64| {
            let micros = day * DAY_MICROS;
            new.spans.iter().any(|s| (s.from..s.to).contains(&micros))
        };
        assert!((0..1000).step_by(2).all(covered));
        assert_eq!(
            new.unread,
            (0..1000).filter(|day| !covered(*day)).count() as u64
        );
    }

    #[test]
    fn timestamps_are_counted_by_day() {
        let day = DAY_MICROS;
        let mut days = Days::new();
        let ascending = [-1, 0, day - 1, day, 3 * day, 3 * day + 1, 4 * day];
        count(&ascending, OPEN, &mut days);
        assert_eq!(days, Days::from([(-1, 1), (0, 2), (1, 1), (3, 2), (4, 1)]));
        days.clear();
        let within = Span {
            from: 1,
            to: 3 * day + 1,
        };
        count(&ascending, within, &mut days);
        assert_eq!(days, Days::from([(0, 1), (1, 1), (3, 1)]));
    }
}
