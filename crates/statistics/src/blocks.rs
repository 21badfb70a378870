//! Sharpe ratios of any blocks of days, from what is kept of each block.
//!
//! Series that are alike in the chosen blocks have the very same ratio there, whatever they are
//! elsewhere: nothing but the days of a block goes into what is kept of it.

/// Series cut into equal blocks of days, days that are left over dropped at the end.
pub struct Blocks {
    /// Of each block, then series: sums, and sums of squares.
    sums: Vec<Vec<f64>>,
    squares: Vec<Vec<f64>>,
    count: usize,
    /// Series that stand still in half of the blocks, with the value of each block that does.
    still: Vec<(usize, Vec<Option<f64>>)>,
    days_each: usize,
}

/// What is worked on again for each choice of blocks.
#[derive(Default)]
pub struct Sums {
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Blocks {
    pub fn new(series: &[&[f64]], blocks: usize) -> Self {
        let days_each = series.first().map_or(0, |days| days.len()) / blocks;
        let of_blocks = |of: &dyn Fn(f64) -> f64| -> Vec<Vec<f64>> {
            let block = |block: usize| {
                let days = block * days_each..(block + 1) * days_each;
                let sums = series.iter();
                sums.map(|series| series[days.clone()].iter().map(|day| of(*day)).sum())
                    .collect()
            };
            (0..blocks).map(block).collect()
        };
        let stands = |days: &[f64]| days.iter().all(|d| *d == days[0]).then(|| days[0]);
        let still = series.iter().enumerate().filter_map(|(place, series)| {
            let blocks = series.chunks_exact(days_each.max(1)).take(blocks);
            let values: Vec<Option<f64>> = blocks.map(stands).collect();
            let count = values.iter().flatten().count();
            (count * 2 >= values.len()).then_some((place, values))
        });
        Self {
            sums: of_blocks(&|day| day),
            squares: of_blocks(&|day| day * day),
            still: still.collect(),
            count: series.len(),
            days_each,
        }
    }

    /// The Sharpe ratio of every series over these blocks, less than any where there is none.
    pub fn sharpes(&self, chosen: &[usize], work: &mut Sums, sharpes: &mut Vec<f64>) {
        let add = |into: &mut Vec<f64>, from: &[Vec<f64>]| {
            into.clear();
            into.resize(self.count, 0.0);
            for block in chosen {
                into.iter_mut()
                    .zip(&from[*block])
                    .for_each(|(sum, of)| *sum += of);
            }
        };
        add(&mut work.sums, &self.sums);
        add(&mut work.squares, &self.squares);
        let days = (chosen.len() * self.days_each) as f64;
        let sums = work.sums.iter().zip(&work.squares);
        sharpes.clear();
        sharpes.extend(sums.map(|(sum, squares)| {
            let mean = sum / days;
            let variance = (squares - sum * mean) / (days - 1.0);
            // Not that of a series that stands still, but for rounding.
            mean / variance.max(f64::MIN_POSITIVE).sqrt()
        }));
        for (place, values) in &self.still {
            let first = values[chosen[0]];
            if first.is_some() && chosen.iter().all(|block| values[*block] == first) {
                sharpes[*place] = f64::NEG_INFINITY;
            }
        }
    }
}
