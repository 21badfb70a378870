//! The folds of a walk-forward: days to train on, and the days after them to be tested on.

use std::ops::Range;

/// Days, counted from any first one; the test begins where the training ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    pub train: Range<i64>,
    pub test: Range<i64>,
}

/// The folds of these days: each is tested on the `test_days` after the last one's, and trained on
/// the `train_days` before them, or where `anchored` on all days before them. The last test ends
/// with the days; a fold without a test day is none.
pub fn folds(
    days: Range<i64>,
    train_days: i64,
    test_days: i64,
    anchored: bool,
) -> impl Iterator<Item = Fold> + Clone {
    let first = days.start.saturating_add(train_days);
    let step = usize::try_from(test_days.max(1)).unwrap_or(usize::MAX);
    (first..days.end).step_by(step).map(move |test| Fold {
        train: if anchored {
            days.start
        } else {
            test - train_days
        }..test,
        test: test..test.saturating_add(test_days).min(days.end),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        days: Range<i64>,
        train: i64,
        test: i64,
        anchored: bool,
    ) -> Vec<(Range<i64>, Range<i64>)> {
        folds(days, train, test, anchored)
            .map(|f| (f.train, f.test))
            .collect()
    }

    #[test]
    fn each_test_follows_its_training() {
        assert_eq!(
            of(10..20, 4, 3, false),
            [(10..14, 14..17), (13..17, 17..20)]
        );
        assert_eq!(of(10..20, 4, 3, true), [(10..14, 14..17), (10..17, 17..20)]);
    }

    #[test]
    fn the_last_test_is_cut_and_an_empty_one_is_none() {
        assert_eq!(of(0..8, 4, 3, false), [(0..4, 4..7), (3..7, 7..8)]);
        assert_eq!(of(0..4, 4, 3, false), []);
        assert_eq!(of(0..3, 4, 3, false), []);
        assert_eq!(of(0..5, 4, i64::MAX, false), [(0..4, 4..5)]);
    }
}
