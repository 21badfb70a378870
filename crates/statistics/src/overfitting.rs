//! What is left of the best of many combinations: its deflated Sharpe ratio, and how often the best
//! in one half of the days is below the middle in the other, over all ways to halve them
//! (combinatorially symmetric cross-validation: Bailey, Borwein, López de Prado and Zhu 2017).

use rayon::prelude::*;

use super::blocks::{Blocks, Sums};
use super::sharpe::{daily_sharpe, deflated_sharpe_ratio, expected_best_sharpe};

/// Choices of blocks between two looks at whether to go on.
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
    let sharpes: Vec<Option<f64>> = series.par_iter().map(|days| daily_sharpe(days)).collect();
    let defined: Vec<usize> = (0..series.len())
        .filter(|at| sharpes[*at].is_some())
        .collect();
    let ratios: Vec<f64> = sharpes.iter().flatten().copied().collect();
    let best = first_highest(&ratios);
    let expected = expected_best_sharpe(&ratios);
    let kept: Vec<&[f64]> = defined.iter().map(|at| series[*at]).collect();
    Some(Overfitting {
        undefined: series.len() - defined.len(),
        best: best.map(|best| defined[best]),
        best_sharpe: best.map(|best| ratios[best]),
        expected_best_sharpe: expected,
        deflated_sharpe_ratio: best
            .zip(expected)
            .and_then(|(best, expected)| deflated_sharpe_ratio(kept[best], expected)),
        probability_of_overfitting: probability_of_overfitting(&kept, blocks, goes_on)?,
    })
}

/// The share of all ways to choose half of the blocks in which the best there ranks in the lower
/// half of the others. Inner `None` for fewer than two series or two days a block; outer once
/// `goes_on` says no.
pub fn probability_of_overfitting(
    series: &[&[f64]],
    blocks: usize,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Option<Option<f64>> {
    let days = series.first().map_or(0, |days| days.len());
    if series.len() < 2 || blocks < 2 || days < 2 * blocks {
        return Some(None);
    }
    let kept = Blocks::new(series, blocks);
    let choices = halves(blocks);
    let parts = choices.par_chunks(AT_ONCE).map(|choices| {
        if !goes_on() {
            return None;
        }
        let (mut work, mut inside, mut outside) = (Sums::default(), Vec::new(), Vec::new());
        let (mut chosen, mut rest) = (Vec::new(), Vec::new());
        let mut below = 0_usize;
        for choice in choices {
            chosen.clear();
            rest.clear();
            for block in 0..blocks {
                match choice >> block & 1 {
                    1 => chosen.push(block),
                    _ => rest.push(block),
                }
            }
            kept.sharpes(&chosen, &mut work, &mut inside);
            kept.sharpes(&rest, &mut work, &mut outside);
            let best = first_highest(&inside).unwrap_or(0);
            below += usize::from(twice_rank(&outside, best) <= series.len() + 1);
        }
        Some(below)
    });
    let below: Option<Vec<usize>> = parts.collect();
    let below: usize = below?.iter().sum();
    Some(Some(below as f64 / choices.len() as f64))
}

/// The place of the highest value, the first of equals.
fn first_highest(values: &[f64]) -> Option<usize> {
    let mut best = None;
    let mut highest = f64::NEG_INFINITY;
    for (place, value) in values.iter().enumerate() {
        if best.is_none() || *value > highest {
            (best, highest) = (Some(place), *value);
        }
    }
    best
}

/// Twice the average rank of a value among all, 1 being that of the lowest.
fn twice_rank(values: &[f64], place: usize) -> usize {
    let of = values[place];
    let (mut lower, mut equal) = (0, 0);
    for value in values {
        lower += usize::from(*value < of);
        equal += usize::from(*value == of);
    }
    2 * lower + equal + 1
}

/// Every choice of half of the blocks, as bits.
fn halves(blocks: usize) -> Vec<u32> {
    let half = (blocks / 2) as u32;
    let all = 0..1_u32 << blocks.min(BLOCKS_MAX);
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
        assert_eq!(halves(2), [0b01, 0b10]);
        assert_eq!(halves(16).len(), 12_870);
        assert_eq!(halves(20).len(), 184_756);
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
        // In days 1–2 the first stands still at 0.1 a day, which rounding must not make a ratio of.
        let first = vec![0.1, 0.1, 0.3, 0.2, 0.1, 0.1];
        let second = vec![-0.1, -0.2, -0.1, -0.3, -0.1, -0.2];
        let blocks = Blocks::new(&[&first, &second], 3);
        let mut sharpes = Vec::new();
        blocks.sharpes(&[0, 2], &mut Sums::default(), &mut sharpes);
        assert_eq!(sharpes[0], f64::NEG_INFINITY);
        assert!(sharpes[1] > f64::NEG_INFINITY);
        blocks.sharpes(&[0, 1], &mut Sums::default(), &mut sharpes);
        assert!(sharpes[0] > 0.0);
    }

    #[test]
    fn series_that_are_alike_in_the_chosen_blocks_are_equals_there() {
        // As of two combinations whose rules differ in what happens on a few days alone.
        let first = vec![0.1, 0.7, -0.3, 0.2, 0.9, 0.3, 5.1, -2.3];
        let second = vec![0.1, 0.7, -0.3, 0.2, -7.7, 0.1, 0.2, 11.3];
        let blocks = Blocks::new(&[&first, &second], 4);
        let mut sharpes = Vec::new();
        blocks.sharpes(&[0, 1], &mut Sums::default(), &mut sharpes);
        assert_eq!(sharpes[0], sharpes[1]);
        blocks.sharpes(&[0, 2], &mut Sums::default(), &mut sharpes);
        assert_ne!(sharpes[0], sharpes[1]);
    }

    #[test]
    fn who_is_told_to_stop_stops() {
        let series: [&[f64]; 2] = [&[1.0, 2.0, 3.0, 5.0], &[1.0, 2.0, 3.0, 4.0]];
        assert_eq!(overfitting(&series, 2, &|| false), None);
    }
}
