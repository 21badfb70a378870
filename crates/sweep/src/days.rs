//! The days of a range, and what trades add up to on each.

use hindsight_udfs::metrics::moments::Moments;

pub const DAY_MICROS: i64 = 86_400_000_000;

/// The days from the first to the last of a range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Days {
    /// Since 1970.
    pub first: i64,
    pub count: i64,
}

impl Days {
    /// The days between two instants, in microseconds; none where one is missing.
    pub fn of(range: (Option<i64>, Option<i64>)) -> Self {
        let (Some(start), Some(end)) = range else {
            return Self::default();
        };
        let first = start.div_euclid(DAY_MICROS);
        Self {
            first,
            count: (end.div_euclid(DAY_MICROS) - first).max(0),
        }
    }

    /// The day on which what ends at this instant counts: before the first on the first, after the
    /// last on the last.
    pub fn day_of(&self, instant: i64) -> i64 {
        let last = self.first + (self.count - 1).max(0);
        instant.div_euclid(DAY_MICROS).clamp(self.first, last)
    }

    /// The first instant that no longer counts on this day.
    pub fn end_of(&self, day: i64) -> i64 {
        match day + 1 < self.first + self.count {
            true => (day + 1).saturating_mul(DAY_MICROS),
            false => i64::MAX,
        }
    }
}

/// What the trades of one side that end on one day add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayPnl {
    /// Since 1970.
    pub day: i64,
    /// Lamports.
    pub pnl: i128,
    pub trades: i64,
}

/// Trades taken in one by one in the order of their exits, as sums by day.
#[derive(Debug, Clone, Default)]
pub struct ByDay {
    days: Days,
    /// The first instant that does not count on the day under way.
    ends: Option<i64>,
    under_way: DayPnl,
    /// Of the days that are over; days without trades count nothing.
    moments: Moments,
    /// The days that are over and have trades, where they are kept.
    kept: Option<Vec<DayPnl>>,
}

impl ByDay {
    pub fn new(days: Days, keeps: bool) -> Self {
        Self {
            days,
            kept: keeps.then(Vec::new),
            ..Self::default()
        }
    }

    /// Takes the next trade in.
    pub fn add(&mut self, pnl: i128, end: i64) {
        if self.ends.is_none_or(|ends| end >= ends) {
            let day = self.days.day_of(end);
            self.turn();
            self.under_way.day = day;
            self.ends = Some(self.days.end_of(day));
        }
        self.under_way.pnl = self.under_way.pnl.saturating_add(pnl);
        self.under_way.trades += 1;
    }

    /// Takes in a day as a whole, later than those before it.
    pub fn add_day(&mut self, day: DayPnl) {
        self.turn();
        self.under_way = day;
    }

    fn turn(&mut self) {
        let day = std::mem::take(&mut self.under_way);
        if day.trades == 0 {
            return;
        }
        self.moments.add(day.pnl);
        if let Some(kept) = &mut self.kept {
            kept.push(day);
        }
    }

    /// The moments over all days, and the days with trades where they were kept.
    pub fn finish(mut self) -> (Moments, Vec<DayPnl>) {
        self.turn();
        self.moments.count = self.days.count;
        (self.moments, self.kept.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_out_of_the_range_count_on_its_ends() {
        let days = Days::of((Some(10 * DAY_MICROS), Some(13 * DAY_MICROS)));
        assert_eq!((days.first, days.count), (10, 3));
        let mut by_day = ByDay::new(days, true);
        for (pnl, end) in [
            (1, 3),
            (2, 11 * DAY_MICROS - 1),
            (4, 11 * DAY_MICROS),
            (8, 13 * DAY_MICROS - 1),
            (16, 13 * DAY_MICROS),
            (32, 99 * DAY_MICROS),
        ] {
            by_day.add(pnl, end);
        }
        let (moments, kept) = by_day.finish();
        let kept: Vec<_> = kept.iter().map(|d| (d.day, d.pnl, d.trades)).collect();
        assert_eq!(kept, [(10, 3, 2), (11, 4, 1), (12, 56, 3)]);
        assert_eq!((moments.count, moments.sum), (3, 63));
    }

    #[test]
    fn days_without_trades_count_as_0() {
        let days = Days { first: 0, count: 5 };
        let mut by_day = ByDay::new(days, false);
        by_day.add(-7, 3 * DAY_MICROS);
        let (moments, kept) = by_day.finish();
        assert_eq!((moments.count, moments.sum), (5, -7));
        assert_eq!(moments.falls.to_i128(), Some(49));
        assert_eq!(kept, []);
        assert_eq!(Days::of((None, Some(3))), Days::default());
    }
}
