//! The net PnL of many trades: that of [`Position::net_pnl`] to the last digit, without a division
//! for each.
//!
//! A return is kept as a whole number of 2^-46, a size as one of 2^-34 ten-thousandths of a SOL.
//! Neither is exact, but both are off by less than a known bound, and so is their product. Only
//! where it comes so close to the middle between two results that the bound does not decide is
//! there no answer, and [`Position::net_pnl`] gives it.

use super::costs::{Costs, Part};
use super::trade_pnl::Position;
use crate::metrics::totals::LAMPORTS_PER_UNIT;

pub(super) const RATE_BITS: u32 = 46;
pub(super) const SIZE_BITS: u32 = 34;
/// What returns and sizes stay within; their product is then off by less than 2^62.
const LARGEST: i64 = 1 << 60;
/// Costs, in lamports, that leave room for a sum in 64 bits.
const LARGEST_COSTS: i128 = 1 << 57;
/// Half of a ten-thousandth, which makes of rounding down a rounding to the nearest.
const HALF: i128 = 1 << (RATE_BITS + SIZE_BITS - 1);

/// A return, gain over stake, × 2^46; off by less than 2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate(pub(super) i64);

impl Rate {
    /// What stands for a return that is too large to be kept.
    pub const VAST: Self = Self(i64::MIN);
}

/// What is divided by, as its reciprocal.
#[derive(Debug, Clone, Copy)]
pub struct Stake {
    bits: u32,
    /// 2^125 over the 63 leading bits of the stake.
    reciprocal: u64,
}

impl Stake {
    /// A stake above 0.
    #[inline]
    pub fn new(stake: i128) -> Self {
        let bits = stake.ilog2() + 1;
        let leading = match bits.checked_sub(63) {
            Some(surplus) => stake >> surplus,
            None => stake << (63 - bits),
        };
        let reciprocal = (1_u128 << 125) / leading as u128;
        Self {
            bits,
            reciprocal: reciprocal as u64,
        }
    }

    /// The return, `None` where it is too large to be kept.
    #[inline]
    pub fn rate(&self, gain: i128) -> Option<Rate> {
        let size = gain.unsigned_abs();
        let surplus = (128 - size.leading_zeros()).saturating_sub(63);
        // Three factors rounded down by less than 2^-62 of themselves, and then the quotient.
        let product = (size >> surplus) * u128::from(self.reciprocal);
        let rate = product.checked_shr((self.bits + 62 - RATE_BITS).checked_sub(surplus)?);
        let rate = i64::try_from(rate.unwrap_or(0)).ok();
        let rate = rate.filter(|rate| *rate <= LARGEST)?;
        Some(Rate(if gain < 0 { -rate } else { rate }))
    }
}

/// A part of a position that says what is left of a return.
pub trait QuickPnl: Copy + Default + Send + Sync {
    /// What parts of one share with the same costs have in common.
    type Terms: Copy + Send + Sync;

    /// What parts with these costs have in common, `None` where it cannot be kept.
    fn terms(costs: &Costs) -> Option<Self::Terms>;

    /// The same part, `None` where it cannot be kept.
    fn of(part: &Part, costs: &Costs, terms: &Self::Terms) -> Option<Self>;

    /// What is left of a return after costs in lamports; `None` where a rounding is in doubt. That of the
    /// fees is asked for instead, of what the sale brings in lamports: it is a tie more often than others.
    fn net_pnl(
        &self,
        terms: &Self::Terms,
        rate: Rate,
        fees: impl FnOnce(i64) -> Option<i64>,
    ) -> Option<i64>;
}

/// A part of a position with its costs, as [`Position`], where they are fixed.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuickPosition {
    /// Ten-thousandths of a SOL × 2^34, rounded down.
    pub(super) size: i64,
    /// Lamports.
    costs: i64,
}

impl QuickPosition {
    /// A part with these costs, whatever its own are.
    pub(super) fn of_size(part: &Part, costs: i128) -> Option<Self> {
        let size = part.amount.checked_mul(1 << SIZE_BITS)? / part.unit();
        let costs = Some(costs).filter(|costs| *costs <= LARGEST_COSTS)?;
        Some(Self {
            size: i64::try_from(size).ok().filter(|size| *size <= LARGEST)?,
            costs: i64::try_from(costs).ok()?,
        })
    }

    /// What is left of a return after fixed costs; below 2^59.
    #[inline]
    pub(super) fn after_fixed(&self, Rate(rate): Rate) -> Option<i64> {
        // What both factors stay within keeps all of this in its bits.
        let product = i128::from(self.size)
            .wrapping_mul(rate.into())
            .wrapping_add(HALF);
        let leading = (product >> 64) as i64;
        // The fraction's 16 leading bits: beside a whole number they are all alike.
        let fraction = leading as u16;
        let units = leading >> 16;
        let net = units
            .wrapping_mul(LAMPORTS_PER_UNIT as i64)
            .wrapping_sub(self.costs);
        (fraction.wrapping_add(1) > 1).then_some(net)
    }
}

impl QuickPnl for QuickPosition {
    type Terms = ();

    fn terms(_: &Costs) -> Option<()> {
        Some(())
    }

    #[inline]
    fn of(part: &Part, costs: &Costs, (): &()) -> Option<Self> {
        let position = Position::of_part(*part, costs)?;
        Self::of_size(part, position.fixed_costs()?)
    }

    #[inline]
    fn net_pnl(&self, (): &(), rate: Rate, _: impl FnOnce(i64) -> Option<i64>) -> Option<i64> {
        self.after_fixed(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::pow10;
    use crate::trades::costs::{Share, WHOLE};

    fn both(size: i128, gain: i128, stake: i128) -> (Option<i64>, Option<i128>) {
        let costs = Costs {
            slippage_percent: 12_345,
            gas: 100_001,
            priority_fee: 5_000,
            ..Costs::default()
        };
        let exact = Position::new(size, WHOLE, &costs);
        let part = Share::new(WHOLE).of(size);
        let quick = part.and_then(|part| QuickPosition::of(&part, &costs, &()));
        let rate = Stake::new(stake).rate(gain);
        (
            quick
                .zip(rate)
                .and_then(|(quick, rate)| quick.after_fixed(rate)),
            exact.and_then(|exact| exact.net_pnl(gain, stake)),
        )
    }

    #[test]
    fn ties_are_in_doubt() {
        let half = 5 * pow10(12);
        for units in [-3, -2, 0, 1, 2, 7] {
            // A size of 2 units that returns `units` and a half quarters.
            assert_eq!(both(4 * half, 2 * units + 1, 4).0, None, "{units}");
            assert_eq!(
                both(4 * half, units, 2).0.map(i128::from),
                both(4 * half, units, 2).1
            );
        }
    }

    #[test]
    fn what_is_too_large_is_left_to_128_bits() {
        assert_eq!(Stake::new(1).rate(1 << 15), None);
        assert_eq!(Stake::new(1).rate(i128::MAX), None);
        assert_eq!(
            Stake::new(i128::MAX).rate(i128::MIN).map(|rate| rate.0),
            Some(-1 << 46)
        );
        assert_eq!(both(pow10(30), 1, 2).0, None);
    }

    #[test]
    fn equals_the_exact_pnl_where_it_answers() {
        // A generator of Lehmer's: numbers of any length, the same in each run.
        let mut state = 0x2545_f491_4f6c_dd1d_u128;
        let mut draw = |bits: u32| {
            state = state.wrapping_mul(0xda94_2042_e4dd_58b5_u128 << 1 | 1);
            let length = (state >> 100) as u32 % bits + 1;
            (state >> 1 & ((1 << length) - 1)) as i128
        };
        let mut answers = 0;
        for _ in 0..200_000 {
            let (size, stake) = (draw(60), draw(84) + 1);
            let gain = match draw(2) {
                0 => -draw(84).min(stake),
                _ => draw(86),
            };
            let (quick, exact) = both(size, gain, stake);
            if let Some(quick) = quick {
                assert_eq!(Some(i128::from(quick)), exact, "{size} × {gain} / {stake}");
                answers += 1;
            }
        }
        assert!(answers > 100_000, "{answers} answers");
    }
}
