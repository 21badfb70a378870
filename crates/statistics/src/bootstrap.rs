//! Intervals by resampling groups of trades that go together.
//!
//! A resample draws as many groups as there are, with replacement, and sums them. Resample `r` has
//! stream `r` of ChaCha8 seeded with `seed`, and group `⌊w·G / 2³²⌋` for each 32-bit word `w` of it
//! (words whose product would favour some group are passed over), so that the sums do not depend on
//! the threads that make them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

use super::quantile::quantile;

/// Resamples between two looks at whether to go on.
const AT_ONCE: usize = 32;
/// Sums that are added up beside each other.
const LANES: usize = 4;
/// Fewer groups than these tell little about how they spread.
const FEW_GROUPS: usize = 30;

/// What the sum of all groups may be worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub lower: f64,
    pub upper: f64,
    /// The standard deviation of the resampled sums; `None` of a single one.
    pub standard_error: Option<f64>,
    /// The share of resampled sums that are 0 or less.
    pub share_not_better: f64,
}

/// Why an interval may be worth little.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Warning {
    /// There are only so many groups.
    FewGroups(usize),
    /// One group, at this place, makes this share of the sum of all absolute amounts.
    OneGroup { group: usize, share: f64 },
}

/// The interval that holds `confidence`, from 0 to 1, of the resampled sums. `None` without groups
/// or resamples, and once `goes_on` says no.
pub fn interval(
    groups: &[f64],
    confidence: f64,
    resamples: usize,
    seed: u64,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Option<Interval> {
    let mut sums = resampled_sums(groups, resamples, seed, goes_on)?;
    of_sums(&mut sums, confidence)
}

/// The interval of sums that are drawn.
pub fn of_sums(sums: &mut [f64], confidence: f64) -> Option<Interval> {
    sums.sort_unstable_by(f64::total_cmp);
    let outside = (1.0 - confidence) / 2.0;
    let count = sums.len() as f64;
    let mean = sums.iter().sum::<f64>() / count;
    let squares: f64 = sums.iter().map(|sum| (sum - mean) * (sum - mean)).sum();
    Some(Interval {
        lower: quantile(sums, outside)?,
        upper: quantile(sums, 1.0 - outside)?,
        standard_error: (sums.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
        share_not_better: sums.partition_point(|sum| *sum <= 0.0) as f64 / count,
    })
}

/// The sums of all resamples; `None` without groups, and once `goes_on` says no.
pub fn resampled_sums(
    groups: &[f64],
    resamples: usize,
    seed: u64,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Option<Vec<f64>> {
    let count = u32::try_from(groups.len())
        .ok()
        .filter(|count| *count > 0)?;
    let generator = ChaCha8Rng::seed_from_u64(seed);
    let mut sums = vec![0.0; resamples];
    let parts = sums.par_chunks_mut(AT_ONCE).enumerate();
    let parts = parts.map(|(part, sums)| {
        if !goes_on() {
            return None;
        }
        for (resample, sum) in (part * AT_ONCE..).zip(sums) {
            let mut stream = generator.clone();
            stream.set_stream(resample as u64);
            *sum = resampled_sum(groups, count, &mut stream);
        }
        Some(())
    });
    parts.collect::<Option<()>>()?;
    Some(sums)
}

/// The sum of as many groups as there are, each draw as likely to be any of them (Lemire 2019).
fn resampled_sum(groups: &[f64], count: u32, stream: &mut ChaCha8Rng) -> f64 {
    let too_many = count.wrapping_neg() % count;
    let mut draw = || {
        loop {
            let product = u64::from(stream.next_u32()) * u64::from(count);
            if product as u32 >= too_many {
                return groups[(product >> 32) as usize];
            }
        }
    };
    // Apart, so that an addition need not wait for the one before.
    let mut sums = [0.0; LANES];
    for _ in 0..count as usize / LANES {
        sums.iter_mut().for_each(|sum| *sum += draw());
    }
    for sum in &mut sums[..count as usize % LANES] {
        *sum += draw();
    }
    sums.iter().sum()
}

/// What should make the reader of an interval over these groups doubt it.
pub fn warnings(groups: &[f64]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if groups.len() < FEW_GROUPS {
        warnings.push(Warning::FewGroups(groups.len()));
    }
    let all: f64 = groups.iter().map(|sum| sum.abs()).sum();
    let largest = (0..groups.len()).max_by(|a, b| {
        // The first of equals.
        groups[*a].abs().total_cmp(&groups[*b].abs()).then(b.cmp(a))
    });
    if let Some(group) = largest.filter(|group| groups[*group].abs() * 2.0 > all) {
        let share = groups[group].abs() / all;
        warnings.push(Warning::OneGroup { group, share });
    }
    warnings
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn all(groups: &[f64], resamples: usize) -> Vec<f64> {
        resampled_sums(groups, resamples, 1, &|| true).unwrap()
    }

    #[test]
    fn four_groups_come_to_all_their_resamples() {
        let groups = [-3.0, 1.0, 4.0, 10.0];
        let mut exact = Vec::new();
        for draw in 0..4_usize.pow(4) {
            let drawn = (0..4).map(|place| groups[draw / 4_usize.pow(place) % 4]);
            exact.push(drawn.sum::<f64>());
        }
        let limit = of_sums(&mut exact, 0.9).unwrap();
        let drawn = interval(&groups, 0.9, 200_000, 1, &|| true).unwrap();
        // 5 % and 95 % fall on atoms of the distribution, with room on both sides.
        assert_eq!((drawn.lower, drawn.upper), (limit.lower, limit.upper));
        assert!((drawn.share_not_better - limit.share_not_better).abs() < 0.004);
        let errors = (drawn.standard_error.unwrap(), limit.standard_error.unwrap());
        assert!((errors.0 / errors.1 - 1.0).abs() < 0.01, "{errors:?}");
        // Each sum as often as there are ways to it, within five standard deviations.
        let sums = all(&groups, 200_000);
        for sum in exact.chunk_by(|a, b| a == b) {
            let share = sum.len() as f64 / 256.0;
            let expected = share * 200_000.0;
            let found = sums.iter().filter(|s| **s == sum[0]).count() as f64;
            assert!(
                (found - expected).abs() < 5.0 * (expected * (1.0 - share)).sqrt(),
                "{}",
                sum[0]
            );
        }
    }

    #[test]
    fn the_standard_error_is_that_of_a_sum_of_groups() {
        let mut stream = ChaCha8Rng::seed_from_u64(7);
        for count in [5, 40, 300] {
            let groups: Vec<f64> = (0..count)
                .map(|_| f64::from(stream.next_u32() % 2_000) - 900.0)
                .collect();
            let mean = groups.iter().sum::<f64>() / f64::from(count);
            let squares: f64 = groups.iter().map(|d| (d - mean) * (d - mean)).sum();
            let exact = (f64::from(count) * squares / f64::from(count)).sqrt();
            let found = interval(&groups, 0.95, 10_000, 3, &|| true).unwrap();
            let error = found.standard_error.unwrap() / exact - 1.0;
            // A deviation of 10,000 normal sums has an error of 0.7 %.
            assert!(error.abs() < 0.035, "{count} groups: {error}");
        }
    }

    #[test]
    fn threads_and_more_resamples_change_no_sum() {
        let groups: Vec<f64> = (0..57).map(|i| f64::from(i * i % 19)).collect();
        let pool = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| all(&groups, 1_000))
        };
        assert_eq!(pool(1), pool(5));
        assert_eq!(all(&groups, 500), all(&groups, 1_000)[..500]);
        let other = resampled_sums(&groups, 500, 2, &|| true).unwrap();
        assert_ne!(all(&groups, 500), other);
    }

    #[test]
    fn one_group_is_no_spread_and_none_is_no_interval() {
        let one = interval(&[2.5], 0.95, 100, 1, &|| true).unwrap();
        assert_eq!((one.lower, one.upper), (2.5, 2.5));
        assert_eq!((one.standard_error, one.share_not_better), (Some(0.0), 0.0));
        assert_eq!(interval(&[], 0.95, 100, 1, &|| true), None);
        assert_eq!(interval(&[1.0], 0.95, 0, 1, &|| true), None);
        let single = interval(&[0.0, 0.0], 0.95, 1, 1, &|| true).unwrap();
        assert_eq!(
            (single.standard_error, single.share_not_better),
            (None, 1.0)
        );
    }

    #[test]
    fn who_is_told_to_stop_stops() {
        assert_eq!(interval(&[1.0, 2.0], 0.95, 10_000, 1, &|| false), None);
    }

    #[test]
    fn few_groups_and_one_that_weighs_more_than_the_rest_are_warned_of() {
        let many = vec![1.0; 30];
        assert_eq!(warnings(&many), []);
        assert_eq!(warnings(&many[1..]), [Warning::FewGroups(29)]);
        let mut heavy = many.clone();
        heavy[7] = -29.0;
        // Half of it is not more than half.
        assert_eq!(warnings(&heavy), []);
        heavy[7] = -87.0;
        assert_eq!(
            warnings(&heavy),
            [Warning::OneGroup {
                group: 7,
                share: 0.75
            }]
        );
        assert_eq!(warnings(&[0.0; 30]), []);
    }

    /// Trades of tokens: each token has a luck of its own, which its trades share.
    fn history(stream: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
        let mut normal = || {
            let uniform = f64::from(stream.next_u32()) / 4_294_967_296.0 + 1e-10;
            crate::normal::quantile(uniform.min(1.0 - 1e-10))
        };
        (0..120)
            .map(|_| {
                let (luck, trades) = (normal(), 1 + (normal().abs() * 12.0) as usize);
                (0..trades).map(|_| luck + 0.5 * normal()).collect()
            })
            .collect()
    }

    #[test]
    fn by_groups_an_interval_holds_what_it_says_and_by_single_trades_it_does_not() {
        let mut stream = ChaCha8Rng::seed_from_u64(17);
        let (mut by_groups, mut by_trades) = (0, 0);
        let holds = |values: &[f64], seed| {
            let found = interval(values, 0.95, 1_000, seed, &|| true).unwrap();
            i32::from(found.lower <= 0.0 && 0.0 <= found.upper)
        };
        for seed in 0..500 {
            let tokens = history(&mut stream);
            let sums: Vec<f64> = tokens.iter().map(|trades| trades.iter().sum()).collect();
            by_groups += holds(&sums, seed);
            by_trades += holds(&tokens.concat(), seed);
        }
        // 92 to 98 %.
        assert!((460..=490).contains(&by_groups), "{by_groups} of 500");
        assert!(by_trades < 350, "{by_trades} of 500");
        let readme = include_str!("../../../README.md");
        let told = format!("by token held 0 in {by_groups}, that by single trades in {by_trades}");
        assert!(
            readme.contains(&told),
            "README says another coverage: {told}"
        );
    }
}
