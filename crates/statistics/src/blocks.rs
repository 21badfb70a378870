//! Sharpe ratios of either half of the blocks of days, from what is kept of each block.

use super::ratio::Ratio;

/// Series cut into an even number of equal blocks of days, days that are left over dropped at the end.
pub struct Blocks {
    /// Of each block, then series: sums, and sums of squares.
    sums: Vec<Vec<i64>>,
    squares: Vec<Vec<u128>>,
    /// The same of all blocks together.
    all_sums: Vec<i64>,
    all_squares: Vec<u128>,
    /// Of one half of the blocks.
    days: u64,
}

/// What is worked on again for each choice of blocks.
#[derive(Default)]
pub struct Halves {
    sums: Vec<i64>,
    squares: Vec<u128>,
    pub inside: Vec<Ratio>,
    pub outside: Vec<Ratio>,
}

impl Blocks {
    pub fn new(series: &[Vec<i64>], blocks: usize) -> Self {
        let days_each = series.first().map_or(0, Vec::len) / blocks;
        let days = |block: usize| block * days_each..(block + 1) * days_each;
        let square = |day: &i64| u128::from(day.unsigned_abs()).pow(2);
        let sums = |block: usize| -> Vec<i64> {
            let series = series.iter();
            series.map(|s| s[days(block)].iter().sum()).collect()
        };
        let squares = |block: usize| -> Vec<u128> {
            let series = series.iter();
            series
                .map(|s| s[days(block)].iter().map(square).sum())
                .collect()
        };
        let (mut all_sums, mut all_squares) = (Vec::new(), Vec::new());
        let sums: Vec<Vec<i64>> = (0..blocks).map(sums).collect();
        let squares: Vec<Vec<u128>> = (0..blocks).map(squares).collect();
        add_up(&mut all_sums, sums.iter());
        add_up(&mut all_squares, squares.iter());
        Self {
            sums,
            squares,
            all_sums,
            all_squares,
            days: (blocks / 2 * days_each) as u64,
        }
    }

    /// The ratio of every series over the chosen half of the blocks, which are bits, and the rest.
    pub fn halve(&self, choice: u32, halves: &mut Halves) {
        let is_chosen = |block: usize| choice >> block & 1 == 1;
        let chosen = (0..self.sums.len()).filter(|block| is_chosen(*block));
        add_up(
            &mut halves.sums,
            chosen.clone().map(|block| &self.sums[block]),
        );
        add_up(
            &mut halves.squares,
            chosen.map(|block| &self.squares[block]),
        );
        let inside = halves.sums.iter().zip(&halves.squares);
        let all = self.all_sums.iter().zip(&self.all_squares);
        halves.outside.clear();
        halves.outside.extend(inside.clone().zip(all).map(
            |((sum, squares), (all_sum, all_squares))| {
                Ratio::of(all_sum - sum, all_squares - squares, self.days)
            },
        ));
        halves.inside.clear();
        halves
            .inside
            .extend(inside.map(|(sum, squares)| Ratio::of(*sum, *squares, self.days)));
    }
}

/// Sums place by place.
fn add_up<'v, T: Copy + std::ops::AddAssign + 'v>(
    into: &mut Vec<T>,
    mut values: impl Iterator<Item = &'v Vec<T>>,
) {
    into.clear();
    into.extend(values.next().into_iter().flatten());
    for values in values {
        for (sum, value) in into.iter_mut().zip(values) {
            *sum += *value;
        }
    }
}
