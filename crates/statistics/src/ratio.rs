//! Sharpe ratios in whole numbers: which of two is higher is decided exactly, so that equals are equals
//! whatever series they come from.

use std::cmp::Ordering;

/// The ratio of a series of N days, as `√((N − 1)/N) × sum/√spread`.
///
/// Among series of one length `sum/√spread` orders them, and whole numbers say whether it does so.
#[derive(Debug, Clone, Copy)]
pub struct Ratio {
    sum: i64,
    /// N × the sum of squares − the square of the sum; 0 where all days are equal.
    spread: u128,
    /// `sum/√spread` to about an ulp; less than any where there is none.
    near: f64,
}

/// So far apart, as a share of the larger, two floats say which ratio is higher: each is within an ulp.
const APART: f64 = 8.0 * f64::EPSILON;

impl Ratio {
    /// Of the sum and the sum of squares of so many days, whose absolute values sum to less than 2^63.
    pub fn of(sum: i64, squares: u128, days: u64) -> Self {
        let square = u128::from(sum.unsigned_abs()).pow(2);
        let spread = u128::from(days) * squares - square;
        let near = match spread {
            0 => f64::NEG_INFINITY,
            _ => sum as f64 / (spread as f64).sqrt(),
        };
        Self { sum, spread, near }
    }

    pub fn of_days(days: &[i64]) -> Self {
        let squares = days.iter().map(|day| u128::from(day.unsigned_abs()).pow(2));
        Self::of(days.iter().sum(), squares.sum(), days.len() as u64)
    }

    /// The Sharpe ratio with N − 1; `None` for fewer than two days or where all are equal.
    pub fn sharpe(&self, days: usize) -> Option<f64> {
        let days = days as f64;
        (self.spread > 0).then(|| self.near * ((days - 1.0) / days).sqrt())
    }

    /// Which is higher, of two series of one length; no ratio is lower than any.
    pub fn compare(&self, other: &Self) -> Ordering {
        let apart = APART * self.near.abs().max(other.near.abs());
        if (self.near - other.near).abs() > apart || self.spread == 0 || other.spread == 0 {
            return self.near.total_cmp(&other.near);
        }
        let square = |sum: i64| u128::from(sum.unsigned_abs()).pow(2);
        let of_signs = self.sum.signum().cmp(&other.sum.signum());
        of_signs.then_with(|| {
            let ours = product(square(self.sum), other.spread);
            let theirs = product(square(other.sum), self.spread);
            match self.sum < 0 {
                true => theirs.cmp(&ours),
                false => ours.cmp(&theirs),
            }
        })
    }
}

/// The place of the highest, the first of equals.
pub fn first_highest(ratios: &[Ratio]) -> Option<usize> {
    let mut places = 0..ratios.len();
    let first = places.next()?;
    Some(places.fold(
        first,
        |best, place| match ratios[place].compare(&ratios[best]) {
            Ordering::Greater => place,
            _ => best,
        },
    ))
}

/// Twice the average rank of one among all, 1 being that of the lowest.
pub fn twice_rank(ratios: &[Ratio], place: usize) -> usize {
    let of = ratios[place];
    let (mut lower, mut equal) = (0, 0);
    for ratio in ratios {
        match ratio.compare(&of) {
            Ordering::Less => lower += 1,
            Ordering::Equal => equal += 1,
            Ordering::Greater => {}
        }
    }
    2 * lower + equal + 1
}

/// The 256 bits of a product, the upper half first.
fn product(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a_high, a_low, b_high, b_low) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a_low * b_low;
    let middle = a_high * b_low + (low >> 64);
    let carried = a_low * b_high + (middle & LOW);
    let high = a_high * b_high + (middle >> 64) + (carried >> 64);
    (high, carried << 64 | low & LOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_have_all_their_bits() {
        assert_eq!(product(u128::MAX, u128::MAX), (u128::MAX - 1, 1));
        assert_eq!(product(u128::MAX, 2), (1, u128::MAX - 1));
        assert_eq!(product(1 << 64, 1 << 64), (1, 0));
        assert_eq!(product(12, 34), (0, 408));
    }

    #[test]
    fn multiples_are_equals_and_a_lamport_is_not() {
        let series = [7_i64, -3, 11, 2, 0, 5];
        let ratio = Ratio::of_days(&series);
        for by in [3_i64, 7, 1_000_003, 77_777_777_777] {
            let mut more = series.map(|day| day * by);
            assert_eq!(Ratio::of_days(&more).compare(&ratio), Ordering::Equal);
            let less = more.map(|day| -day);
            assert_eq!(Ratio::of_days(&less).compare(&ratio), Ordering::Less);
            more[4] += 1;
            assert_ne!(Ratio::of_days(&more).compare(&ratio), Ordering::Equal);
        }
        // One day alone has the ratio 1/√N, whatever it earned.
        let alone = |pnl: i64| Ratio::of_days(&[0, pnl, 0, 0, 0]);
        assert_eq!(
            alone(52_000_000).compare(&alone(42_000_000)),
            Ordering::Equal
        );
        assert_eq!(alone(52_000_000).compare(&alone(-1)), Ordering::Greater);
        assert_eq!(first_highest(&[alone(-3), alone(2), alone(9)]), Some(1));
        assert_eq!(twice_rank(&[alone(-3), alone(2), alone(9)], 2), 5);
    }

    #[test]
    fn ratios_that_differ_beyond_the_digits_of_floats_differ() {
        // Days that hardly differ: the ratio is about 10^17, and a day's lamport moves it by little.
        let high = 1_i64 << 60;
        let one = Ratio::of_days(&[high, high + 1]);
        let other = Ratio::of_days(&[high + 1, high + 2]);
        assert_eq!(one.near, other.near);
        assert_eq!(one.compare(&other), Ordering::Less);
        let still = Ratio::of_days(&[high, high]);
        assert_eq!(
            still.compare(&Ratio::of_days(&[-high, 1 - high])),
            Ordering::Less
        );
        assert_eq!(still.compare(&Ratio::of_days(&[0, 0])), Ordering::Equal);
    }
}
