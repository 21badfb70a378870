//! What is left of the best of many combinations: its deflated Sharpe ratio, and how often the best
//! in one half of the days is below the middle in the other, over all ways to halve them
//! (combinatorially symmetric cross-validation: Bailey, Borwein, López de Prado and Zhu 2017).

use rayon::prelude::*;

use super::blocks::{Blocks, Halves};
use super::ratio::{Ratio, first_highest, twice_rank};
use super::sharpe::{deflated_sharpe_ratio, expected_best_sharpe};

/// Pairs of halves between two looks at whether to go on.
const AT_ONCE: usize = 64;
/// More blocks have more halves than anybody waits for.
pub const BLOCKS_MAX: usize = 20;

/// What the combinations of a grid say of the best of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Overfitting {
    /// Those without a Sharpe ratio, which are left out.
    pub undefined: usize,
    /// The place of the highest Sharpe ratio, the first of equals.
    pub best: Option<usize>,
    pub best_sharpe: Option<f64>,
    pub expected_best_sharpe: Option<f64>,
    pub deflated_sharpe_ratio: Option<f64>,
    pub probability_of_overfitting: Option<f64>,
}

/// Judges daily series of one length each, cut into an even number of `blocks`; `None` once `goes_on`
/// says no.
pub fn overfitting(
    series: &[&[f64]],
    blocks: usize,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Option<Overfitting> {
    let mut whole = whole_numbers(series);
    let ratios: Vec<Ratio> = whole.par_iter().map(|days| Ratio::of_days(days)).collect();
    let sharpe = |place: usize| ratios[place].sharpe(series[place].len());
    let defined: Vec<bool> = (0..series.len()).map(|at| sharpe(at).is_some()).collect();
    let sharpes: Vec<f64> = (0..series.len()).filter_map(sharpe).collect();
    // One without a ratio is lower than any other.
    let best = first_highest(&ratios).filter(|best| defined[*best]);
    let expected = expected_best_sharpe(&sharpes);
    let mut is_defined = defined.iter();
    whole.retain(|_| is_defined.next() == Some(&true));
    Some(Overfitting {
        undefined: series.len() - sharpes.len(),
        best,
        best_sharpe: best.and_then(sharpe),
        expected_best_sharpe: expected,
        deflated_sharpe_ratio: best
            .zip(expected)
            .and_then(|(best, expected)| deflated_sharpe_ratio(series[best], expected)),
        probability_of_overfitting: probability_of_overfitting(&whole, blocks, goes_on)?,
    })
}

/// The series in whole numbers that can be squared and added up exactly: lamports as they are, where
/// a series is of less than four billion SOL; else all times one power of two.
fn whole_numbers(series: &[&[f64]]) -> Vec<Vec<i64>> {
    /// Beyond it f64 does not hold every whole number; their sums stay below 2^62.
    const SUM_BITS: f64 = 62.0;
    let all = || series.iter().flat_map(|days| days.iter());
    let largest = all().fold(0.0_f64, |largest, day| largest.max(day.abs()));
    let days = series.iter().map(|days| days.len()).max().unwrap_or(0);
    let room = SUM_BITS - largest.max(1e-300).log2() - (days.max(1) as f64).log2();
    let is_whole = all().all(|day| day.fract() == 0.0);
    let factor = match is_whole && room >= 1.0 {
        true => 1.0,
        false => (room - 1.0).floor().exp2(),
    };
    let whole = |days: &&[f64]| {
        days.iter()
            .map(|day| (day * factor).round() as i64)
            .collect()
    };
    series.par_iter().map(whole).collect()
}

/// The share of all ways to choose half of the blocks in which the best there ranks in the lower
/// half of the others. Inner `None` for fewer than two series or two days a block; outer once
/// `goes_on` says no.
fn probability_of_overfitting(
    series: &[Vec<i64>],
    blocks: usize,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Option<Option<f64>> {
    let days = series.first().map_or(0, Vec::len);
    if series.len() < 2 || blocks < 2 || days < 2 * blocks {
        return Some(None);
    }
    let kept = Blocks::new(series, blocks);
    let pairs = pairs(blocks);
    let parts = pairs.par_chunks(AT_ONCE).map(|pairs| {
        if !goes_on() {
            return None;
        }
        let mut halves = Halves::default();
        let mut below = 0_usize;
        for choice in pairs {
            kept.halve(*choice, &mut halves);
            let (one, other) = (&halves.inside, &halves.outside);
            for (chosen, rest) in [(one, other), (other, one)] {
                let best = first_highest(chosen).unwrap_or(0);
                below += usize::from(twice_rank(rest, best) <= series.len() + 1);
            }
        }
        Some(below)
    });
    let below: Option<Vec<usize>> = parts.collect();
    let below: usize = below?.iter().sum();
    Some(Some(below as f64 / (2 * pairs.len()) as f64))
}

/// Every way to halve the blocks, as the bits of the half that has the last of them.
fn pairs(blocks: usize) -> Vec<u32> {
    let half = (blocks / 2) as u32;
    let last = 1_u32 << (blocks.min(BLOCKS_MAX) - 1);
    let all = last..last << 1;
    all.filter(|choice| choice.count_ones() == half).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn of(series: &[Vec<f64>], blocks: usize) -> Overfitting {
        let series: Vec<&[f64]> = series.iter().map(Vec::as_slice).collect();
        overfitting(&series, blocks, &|| true).unwrap()
    }

    #[test]
    fn sixteen_blocks_have_12870_halves() {
        assert_eq!(pairs(2), [0b10]);
        assert_eq!(pairs(4), [0b1001, 0b1010, 0b1100]);
        assert_eq!(pairs(16).len() * 2, 12_870);
        assert_eq!(pairs(20).len() * 2, 184_756);
    }

    #[test]
    fn one_combination_is_not_overfitted_but_has_a_ratio() {
        let found = of(&[vec![1.0, 2.0, 3.0, 2.0]], 2);
        assert_eq!((found.best, found.undefined), (Some(0), 0));
        assert_eq!(found.expected_best_sharpe, Some(0.0));
        assert!(found.deflated_sharpe_ratio.is_some_and(|ratio| ratio > 0.9));
        assert_eq!(found.probability_of_overfitting, None);
        assert_eq!(of(&[], 2), Overfitting::default());
    }

    #[test]
    fn a_flat_series_is_left_out_and_counted() {
        let flat = vec![0.5; 4];
        let found = of(&[flat.clone(), vec![1.0, 2.0, 3.0, 2.0], flat.clone()], 2);
        assert_eq!((found.best, found.undefined), (Some(1), 2));
        assert_eq!(found.probability_of_overfitting, None);
        let none = of(&[flat.clone(), flat], 2);
        assert_eq!(
            (none.best, none.undefined, none.expected_best_sharpe),
            (None, 2, None)
        );
    }

    #[test]
    fn equal_series_share_the_middle_rank() {
        let series = vec![1.0, 2.0, -3.0, 2.0, 4.0, 1.0];
        let found = of(&[series.clone(), series.clone(), series], 2);
        assert_eq!(found.best, Some(0));
        assert_eq!(found.expected_best_sharpe, Some(0.0));
        // Rank 2 of 3, ω is one half.
        assert_eq!(found.probability_of_overfitting, Some(1.0));
    }

    #[test]
    fn the_better_half_by_hand() {
        // Days 1–2 and 3–4. The first is best in one, the second in the other, and each ranks last
        // where it was not chosen; a third that is better in both is never overfitted.
        let first = vec![5.0, 6.0, -5.0, -6.0];
        let second = vec![-5.0, -6.0, 5.0, 6.0];
        assert_eq!(
            of(&[first.clone(), second.clone()], 2).probability_of_overfitting,
            Some(1.0)
        );
        let third = vec![50.0, 51.0, 50.0, 51.0];
        let found = of(&[first, second, third], 2);
        assert_eq!(
            (found.best, found.probability_of_overfitting),
            (Some(2), Some(0.0))
        );
    }

    #[test]
    fn days_left_over_are_dropped_at_the_end() {
        let first = vec![5.0, 6.0, -5.0, -6.0, 90.0];
        let second = vec![-5.0, -6.0, 5.0, 6.0, 0.0];
        let whole = of(&[first.clone(), second.clone()], 2);
        let cut = of(&[first[..4].to_vec(), second[..4].to_vec()], 2);
        assert_eq!(
            whole.probability_of_overfitting,
            cut.probability_of_overfitting
        );
        assert_ne!(whole.best_sharpe, cut.best_sharpe);
        // Three days are too few for two blocks of two.
        assert_eq!(
            of(&[vec![1.0, 2.0, 3.0], vec![2.0, 1.0, 3.0]], 2).probability_of_overfitting,
            None
        );
    }

    #[test]
    fn a_half_that_stands_still_ranks_last_whatever_its_value() {
        // In days 1–2 and 5–6 the first stands still at 0.1 a day, which rounding must not make a ratio of.
        let first: &[f64] = &[0.1, 0.1, 0.3, 0.2, 0.1, 0.1, 0.1, 0.2];
        let second: &[f64] = &[-0.1, -0.2, -0.1, -0.3, -0.1, -0.2, 0.1, -0.3];
        let blocks = Blocks::new(&whole_numbers(&[first, second]), 4);
        let mut halves = Halves::default();
        blocks.halve(0b0101, &mut halves);
        assert_eq!(halves.inside[0].sharpe(4), None);
        assert_eq!(first_highest(&halves.inside), Some(1));
        assert_eq!(first_highest(&halves.outside), Some(0));
    }

    #[test]
    fn series_that_are_alike_in_the_chosen_blocks_are_equals_there() {
        // As of two combinations whose rules differ in what happens on a few days alone.
        let first: &[f64] = &[0.1, 0.7, -0.3, 0.2, 0.9, 0.3, 5.1, -2.3];
        let second: &[f64] = &[0.1, 0.7, -0.3, 0.2, -7.7, 0.1, 0.2, 11.3];
        let blocks = Blocks::new(&whole_numbers(&[first, second]), 4);
        let mut halves = Halves::default();
        blocks.halve(0b0011, &mut halves);
        assert_eq!(twice_rank(&halves.inside, 0), 3);
        assert_ne!(twice_rank(&halves.outside, 0), 3);
    }

    #[test]
    fn equals_are_equals_whatever_they_earn() {
        // One trade with and without a cost: the ratio of one day alone is 1/√N.
        let with_cost = vec![0.0, 0.0, 42_000_000.0, 0.0, 0.0, 0.0];
        let without = vec![0.0, 0.0, 52_000_000.0, 0.0, 0.0, 0.0];
        for series in [[without.clone(), with_cost.clone()], [with_cost, without]] {
            let found = of(&series, 2);
            assert_eq!(found.best, Some(0));
            // Where the trade is, both share the middle rank; elsewhere both stand still.
            assert_eq!(found.probability_of_overfitting, Some(1.0));
        }
        // 2, 3 and 7 times the same.
        let series: Vec<f64> = [5, -3, 8, 1, -2, 4, 4, 9].map(f64::from).to_vec();
        let times = |by: f64| {
            series
                .iter()
                .map(|day| day * by * 1e7)
                .collect::<Vec<f64>>()
        };
        let found = of(&[times(3.0), times(7.0), times(2.0)], 4);
        assert_eq!(
            (found.best, found.probability_of_overfitting),
            (Some(0), Some(1.0))
        );
    }

    #[test]
    fn amounts_beyond_all_money_are_judged_alike() {
        let series = [
            [3.0, -1.0, 4.0, 1.0],
            [2.0, 2.0, -1.0, 5.0],
            [1.0, 0.0, 3.0, 3.0],
        ];
        let plain = of(&series.map(|days| days.to_vec()), 2);
        for by in [1e-12, 2.0, 1e9, 1e18, 1e30] {
            let found = of(&series.map(|days| days.map(|day| day * by).to_vec()), 2);
            assert_eq!(found.best, plain.best, "{by}");
            assert_eq!(
                found.probability_of_overfitting, plain.probability_of_overfitting,
                "{by}"
            );
            let apart = found.best_sharpe.unwrap() - plain.best_sharpe.unwrap();
            assert!(apart.abs() < 1e-9, "{by}");
        }
    }

    #[test]
    fn who_is_told_to_stop_stops() {
        let series: [&[f64]; 2] = [&[1.0, 2.0, 3.0, 5.0], &[1.0, 2.0, 3.0, 4.0]];
        assert_eq!(overfitting(&series, 2, &|| false), None);
    }
}
