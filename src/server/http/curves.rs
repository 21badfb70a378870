//! Curves as a screen shows them: cumulative PnL in so many buckets of time, without losing an
//! extreme, and the drawdown.

/// The time that a screen shows: microseconds since 1970, in so many buckets.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    pub start: i64,
    pub end: i64,
    pub width: usize,
}

/// One value for each bucket: of the cumulative PnL the first, least, greatest and last, and the
/// greatest drawdown; in lamports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    pub parts: [Vec<i128>; PARTS.len()],
}

/// The parts of a curve, in their order.
pub const PARTS: [&str; 5] = ["first", "least", "greatest", "last", "drawdown"];

impl Axis {
    fn bucket(&self, at: i64) -> usize {
        let span = i128::from(self.end) - i128::from(self.start);
        let since = i128::from(at) - i128::from(self.start);
        let last = self.width.saturating_sub(1);
        if span <= 0 || since <= 0 {
            return 0;
        }
        usize::try_from(since * self.width as i128 / span).map_or(last, |bucket| bucket.min(last))
    }
}

/// The curve of trades in the order of their exits: each its instant and its PnL. A bucket without an
/// exit carries the last value on.
pub fn curve(trades: &[(i64, i128)], axis: &Axis) -> Curve {
    let mut parts: [Vec<i128>; PARTS.len()] = Default::default();
    let (mut sum, mut peak) = (0_i128, 0_i128);
    let mut rest = trades;
    for bucket in 0..axis.width {
        let is_last = bucket + 1 == axis.width;
        let count = match is_last {
            true => rest.len(),
            false => rest.partition_point(|(at, _)| axis.bucket(*at) <= bucket),
        };
        let (inside, behind) = rest.split_at(count);
        rest = behind;
        let mut of_bucket = [sum, sum, sum, sum, peak - sum];
        for (place, (_, pnl)) in inside.iter().enumerate() {
            sum += pnl;
            peak = peak.max(sum);
            let [first, least, greatest, last, drawdown] = &mut of_bucket;
            if place == 0 {
                (*first, *least, *greatest, *drawdown) = (sum, sum, sum, peak - sum);
            }
            *least = (*least).min(sum);
            *greatest = (*greatest).max(sum);
            *last = sum;
            *drawdown = (*drawdown).max(peak - sum);
        }
        for (part, value) in parts.iter_mut().zip(of_bucket) {
            part.push(value);
        }
    }
    Curve { parts }
}

/// The digits of a SOL behind the point with which all values fit into 32 bits, at most nine.
pub fn digits(curves: &[&Curve]) -> u32 {
    let values = curves.iter().flat_map(|curve| curve.parts.iter().flatten());
    let largest = values.map(|value| value.unsigned_abs()).max().unwrap_or(0);
    let fits = |digits: &u32| {
        let unit = 10_u128.pow(9 - digits);
        largest.div_ceil(unit) <= u128::from(i32::MAX.unsigned_abs())
    };
    (0..=9).rev().find(fits).unwrap_or(0)
}

/// An amount of lamports in units of so many digits of a SOL, rounded half to even.
pub fn scaled(lamports: i128, digits: u32) -> i32 {
    let rounded = hindsight_udfs::decimal::divide_half_even(lamports, 10_i128.pow(9 - digits));
    let bounds = i128::from(i32::MIN)..=i128::from(i32::MAX);
    rounded.clamp(*bounds.start(), *bounds.end()) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by looking at every trade for every bucket.
    fn plainly(trades: &[(i64, i128)], axis: &Axis) -> Curve {
        let mut parts: [Vec<i128>; 5] = Default::default();
        let sum = |count: usize| trades[..count].iter().map(|(_, pnl)| pnl).sum::<i128>();
        let sums: Vec<i128> = (0..=trades.len()).map(sum).collect();
        let drawdown =
            |count: usize| sums[..=count].iter().copied().fold(0, i128::max) - sums[count];
        for bucket in 0..axis.width {
            let inside = |at: i64| axis.bucket(at) == bucket;
            let places: Vec<usize> = (1..=trades.len())
                .filter(|p| inside(trades[p - 1].0))
                .collect();
            let before = (1..=trades.len())
                .filter(|p| axis.bucket(trades[p - 1].0) < bucket)
                .count();
            let of = |places: &[usize]| -> [i128; 5] {
                let values = places.iter().map(|place| sums[*place]);
                [
                    sums[places[0]],
                    values.clone().min().unwrap_or(0),
                    values.max().unwrap_or(0),
                    sums[places[places.len() - 1]],
                    places
                        .iter()
                        .map(|place| drawdown(*place))
                        .max()
                        .unwrap_or(0),
                ]
            };
            let values = if places.is_empty() {
                of(&[before])
            } else {
                of(&places)
            };
            for (part, value) in parts.iter_mut().zip(values) {
                part.push(value);
            }
        }
        Curve { parts }
    }

    #[test]
    fn no_extreme_is_lost_whatever_the_width() {
        let mut state = 7_u64;
        let mut random = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for width in [1, 2, 3, 7, 50] {
            for count in [0, 1, 2, 10, 200] {
                let mut at = -20_i64;
                let trades: Vec<(i64, i128)> = (0..count)
                    .map(|_| {
                        at += random(8) as i64;
                        (at, i128::from(random(2_000)) - 1_000)
                    })
                    .collect();
                let axis = Axis {
                    start: 0,
                    end: 300,
                    width,
                };
                assert_eq!(curve(&trades, &axis), plainly(&trades, &axis));
            }
        }
    }

    #[test]
    fn what_is_large_has_fewer_digits() {
        let of = |largest: i128| {
            let curve = curve(
                &[(0, largest)],
                &Axis {
                    start: 0,
                    end: 1,
                    width: 1,
                },
            );
            digits(&[&curve])
        };
        assert_eq!(of(0), 9);
        assert_eq!(of(2_147_483_647), 9);
        assert_eq!(of(2_147_483_648), 8);
        assert_eq!(of(-3_000_000_000_000), 5);
        assert_eq!(scaled(2_147_483_648, 8), 214_748_365);
        assert_eq!(scaled(-25, 8), -2);
        assert_eq!(scaled(15, 8), 2);
    }
}
