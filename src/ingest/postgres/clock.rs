//! The time column of a table in SQL, whatever its type: conditions that an index can help with.

use std::fmt::Write;

use super::super::timestamp;

pub(super) const DAY_MICROS: i64 = 86_400_000_000;

/// A stretch of time in microseconds since 1970 UTC, its end excluded; the extremes are open ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Span {
    pub(super) fn is_open(self) -> bool {
        self.from == i64::MIN && self.to == i64::MAX
    }
}

/// How a column says when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockKind {
    /// `timestamptz`.
    Zoned,
    /// `timestamp` and `date`, in UTC.
    Naive,
    /// Numbers since 1970 in the unit that their size tells, as files have them.
    Epoch { whole: bool },
    /// Timestamps as text.
    Text,
}

/// A time column.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    /// Its name, quoted.
    pub(super) column: String,
    pub(super) kind: ClockKind,
}

/// A unit of epoch numbers: below which number they are in it, and what they are in microseconds.
struct Unit {
    below: i128,
    micros: i128,
    per: i128,
}

const UNITS: [Unit; 4] = [
    unit(100_000_000_000, 1_000_000, 1),
    unit(100_000_000_000_000, 1_000, 1),
    unit(100_000_000_000_000_000, 1, 1),
    unit(EPOCH_END, 1, 1_000),
];
/// Numbers below are dates or mistakes.
const EPOCH_BEGIN: i128 = 100_000_000;
/// No whole number of the database is above; NaN, which it takes for larger than all numbers, is.
const EPOCH_END: i128 = i64::MAX as i128;

const fn unit(below: i128, micros: i128, per: i128) -> Unit {
    Unit { below, micros, per }
}

impl Unit {
    /// The number that stands for an instant: a whole number is at or after the instant if it is at
    /// or after this one.
    fn literal(&self, micros: i128, whole: bool) -> String {
        let micros = micros * self.per;
        let quotient = micros.div_euclid(self.micros);
        match micros.rem_euclid(self.micros) {
            0 => quotient.to_string(),
            _ if whole => (quotient + 1).to_string(),
            _ => format!("({micros} / {}.0)", self.micros),
        }
    }
}

impl Clock {
    /// Whether a row is inside; only rows whose time can be read.
    pub(super) fn within(&self, span: Span) -> String {
        match self.kind {
            ClockKind::Epoch { whole } => self.numbers_within(span, whole),
            _ => self.times_within(span),
        }
    }

    /// Whether a row is inside any of the spans, or has a time that must be refused.
    pub(super) fn with_unreadable(&self, spans: &[Span]) -> String {
        let name = &self.column;
        let mut condition = match self.kind {
            ClockKind::Zoned | ClockKind::Naive => {
                format!("{name} is null or {name} = 'infinity' or {name} = '-infinity'")
            }
            ClockKind::Text => format!("{name} is null"),
            ClockKind::Epoch { whole } => {
                let end = if whole { "=" } else { ">=" };
                format!("{name} is null or {name} < {EPOCH_BEGIN} or {name} {end} {EPOCH_END}")
            }
        };
        for span in spans {
            let _ = write!(condition, " or ({})", self.within(*span));
        }
        condition
    }

    /// The day of a row since 1970, for rows whose time can be read.
    pub(super) fn day(&self) -> String {
        match self.kind {
            ClockKind::Epoch { whole } => {
                let name = &self.column;
                let mut cases = "case".to_owned();
                for unit in &UNITS {
                    let per_day = i128::from(DAY_MICROS) * unit.per / unit.micros;
                    let quotient = match whole {
                        true => format!("{name} / {per_day}"),
                        false => format!("floor({name} / {per_day})"),
                    };
                    let _ = write!(cases, " when {name} < {} then {quotient}", unit.below);
                }
                format!("({cases} end)::bigint")
            }
            _ => format!("({}::date - date '1970-01-01')", self.time()),
        }
    }

    fn times_within(&self, span: Span) -> String {
        let time = self.time();
        let zoned = match self.kind {
            ClockKind::Naive => "timestamp",
            _ => "timestamptz",
        };
        let literal = |micros: i64| format!("{zoned} '{}'", timestamp::to_text(micros));
        // An open end leaves out infinity.
        let from = match span.from {
            i64::MIN => format!("{time} > '-infinity'"),
            from => format!("{time} >= {}", literal(from)),
        };
        let to = match span.to {
            i64::MAX => format!("{time} < 'infinity'"),
            to => format!("{time} < {}", literal(to)),
        };
        format!("{from} and {to}")
    }

    fn numbers_within(&self, span: Span, whole: bool) -> String {
        let name = &self.column;
        let mut parts = Vec::new();
        let mut begin = EPOCH_BEGIN;
        for unit in &UNITS {
            let least = begin * unit.micros / unit.per;
            let end = unit.below * unit.micros / unit.per;
            let (from, to) = (least.max(span.from.into()), end.min(span.to.into()));
            if from < to {
                let from = unit.literal(from, whole);
                let to = match to == end {
                    true => unit.below.to_string(),
                    false => unit.literal(to, whole),
                };
                parts.push(format!("({name} >= {from} and {name} < {to})"));
            }
            begin = unit.below;
        }
        match parts.is_empty() {
            true => "false".into(),
            false => parts.join(" or "),
        }
    }

    fn time(&self) -> String {
        match self.kind {
            ClockKind::Text => format!("{}::timestamptz", self.column),
            _ => self.column.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: Span = Span {
        from: 1_735_689_600_000_000,
        to: 1_767_225_600_500_000,
    };

    #[test]
    fn numbers_are_compared_in_every_unit() {
        let clock = |whole| Clock {
            column: "\"timestamp\"".into(),
            kind: ClockKind::Epoch { whole },
        };
        assert_eq!(
            clock(true).within(YEAR),
            "(\"timestamp\" >= 1735689600 and \"timestamp\" < 1767225601) or \
             (\"timestamp\" >= 1735689600000 and \"timestamp\" < 1767225600500) or \
             (\"timestamp\" >= 1735689600000000 and \"timestamp\" < 1767225600500000) or \
             (\"timestamp\" >= 1735689600000000000 and \"timestamp\" < 1767225600500000000)"
        );
        let finer = clock(false).within(YEAR);
        assert!(
            finer.contains("\"timestamp\" < (1767225600500000 / 1000000.0))"),
            "{finer}"
        );
    }

    #[test]
    fn times_are_compared_in_their_own_type() {
        let within = |kind| {
            let column = "\"timestamp\"".into();
            Clock { column, kind }.within(YEAR)
        };
        assert_eq!(
            within(ClockKind::Zoned),
            "\"timestamp\" >= timestamptz '2025-01-01T00:00:00Z' and \
             \"timestamp\" < timestamptz '2026-01-01T00:00:00.500000Z'"
        );
        assert!(within(ClockKind::Naive).contains("\"timestamp\" >= timestamp '2025"));
        assert!(within(ClockKind::Text).contains("\"timestamp\"::timestamptz < timestamptz"));
    }
}
