//! What a sale costs: slippage, fees and impact, from the part of the position that is sold and what
//! its sale brings. Each is a fraction of whole numbers, rounded once.

use datafusion::arrow::datatypes::i256;

use crate::decimal::{
    divide_half_even, divide_wide_half_even, multiply_divide_half_even, multiply_wide, pow10,
    product,
};
use crate::scoring::position_size::SIZE_DIGITS;

/// The whole of a position, × 10^-6.
pub const WHOLE: i64 = 1_000_000;
/// 100 %, in units of a percentage of four digits.
pub const ALL_PERCENT: i128 = pow10(6);
/// A lamport in units of a size.
pub const LAMPORT: i128 = pow10(SIZE_DIGITS - 9);
/// Lamports in a ten-thousandth of a SOL: what slippage is rounded to.
const LAMPORTS_PER_UNIT: i128 = pow10(5);

/// What a trade costs; amounts in lamports, percentages × 10^4.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Costs {
    /// Of what is put in.
    pub slippage_percent: i128,
    /// Of what the sale brings.
    pub exit_slippage_percent: i128,
    /// Of every buy and every sale.
    pub platform_fee_percent: i128,
    pub gas: i128,
    /// For each transaction that is sent.
    pub priority_fee: i128,
    /// How many of those that are sent fail: less than all.
    pub failed_transaction_percent: i128,
    /// The SOL side of the pool that is traded with; `None` where it does not matter.
    pub pool: Option<i128>,
}

impl Costs {
    /// Whether what the sale brings changes nothing about them.
    pub fn are_fixed(&self) -> bool {
        self.exit_slippage_percent == 0 && self.platform_fee_percent == 0 && self.pool.is_none()
    }

    /// Of all transactions that are sent, those that do not fail.
    pub(super) fn succeeding(&self) -> i128 {
        ALL_PERCENT - self.failed_transaction_percent
    }

    /// Of a buy and a sale in lamports, with those that fail for each, before it is divided by
    /// [`Self::succeeding`].
    pub(super) fn transaction_fees(&self) -> Option<i128> {
        self.priority_fee.checked_mul(2 * ALL_PERCENT)
    }
}

/// A share of positions, in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    above: i128,
    units_in_lamport: i128,
}

impl Share {
    /// That of so many 10^-6.
    pub fn new(share: i64) -> Self {
        let common = i64::from(greatest_common_divisor(share as u32, WHOLE as u32));
        Self {
            above: i128::from(share / common),
            units_in_lamport: LAMPORT * i128::from(WHOLE / common),
        }
    }

    /// That of a position of `size` × 10^-17 SOL; `None` where it leaves 128 bits.
    pub fn of(&self, size: i128) -> Option<Part> {
        Some(Part {
            amount: size.checked_mul(self.above)?,
            units_in_lamport: self.units_in_lamport,
            whole: size,
        })
    }
}

/// A part of a position: so many of so many units in a lamport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub amount: i128,
    pub units_in_lamport: i128,
    /// The whole position, × 10^-17 SOL.
    whole: i128,
}

impl Part {
    /// A ten-thousandth of a SOL in units of the amount.
    pub fn unit(&self) -> i128 {
        self.units_in_lamport * LAMPORTS_PER_UNIT
    }

    /// Lamports, rounded.
    pub fn lamports(&self) -> i128 {
        divide_half_even(self.amount, self.units_in_lamport)
    }

    /// Those of the whole position, rounded.
    pub fn whole_lamports(&self) -> i128 {
        divide_half_even(self.whole, LAMPORT)
    }

    /// Slippage in ten-thousandths of a SOL.
    pub fn slippage(&self, proceeds: i128, costs: &Costs) -> Option<i128> {
        let below = self.unit();
        if costs.exit_slippage_percent == 0 {
            let below = below.checked_mul(ALL_PERCENT)?;
            return multiply_divide_half_even(self.amount, costs.slippage_percent, below);
        }
        let above = product(&[self.amount, costs.slippage_percent])?.checked_add(product(&[
            proceeds,
            costs.exit_slippage_percent,
            self.units_in_lamport,
        ])?)?;
        divide_wide_half_even(above, product(&[below, ALL_PERCENT])?)
    }

    /// Fees in lamports: the platform's on both sides, and those of the transactions.
    pub fn fees(&self, proceeds: i128, costs: &Costs) -> Option<i128> {
        if costs.platform_fee_percent == 0 && costs.priority_fee == 0 {
            return Some(0);
        }
        let (above, below) = self.fees_ratio(proceeds, costs)?;
        divide_wide_half_even(above, below)
    }

    /// The fees before they are rounded.
    fn fees_ratio(&self, proceeds: i128, costs: &Costs) -> Option<(i256, i256)> {
        let succeeding = costs.succeeding();
        let traded = product(&[proceeds, self.units_in_lamport])?
            .checked_add(i256::from_i128(self.amount))?;
        let platform = product(&[costs.platform_fee_percent, succeeding])?;
        let of_platform = multiply_wide(traded, platform)?;
        // Two transactions, with those that fail for each.
        let of_transactions = product(&[
            2 * ALL_PERCENT,
            costs.priority_fee,
            self.units_in_lamport,
            ALL_PERCENT,
        ])?;
        let below = product(&[self.units_in_lamport, ALL_PERCENT, succeeding])?;
        Some((of_platform.checked_add(of_transactions)?, below))
    }

    /// What the buy's share and the sale move the price of a constant-product pool by, in lamports.
    pub fn impact(&self, proceeds: i128, pool: i128) -> Option<i128> {
        let whole = self.whole_lamports();
        let after_buy = pool.checked_add(whole)?;
        let after_sale = pool.checked_add(proceeds)?;
        let of_buy = product(&[self.lamports(), whole, after_sale])?;
        let of_sale = product(&[proceeds, proceeds, after_buy])?;
        divide_wide_half_even(
            of_buy.checked_add(of_sale)?,
            product(&[after_buy, after_sale])?,
        )
    }
}

/// Of 32 bits, which are divided faster than 64.
fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    match a {
        0 => b,
        a => greatest_common_divisor(b % a, a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOL: i128 = pow10(9);

    fn part(lamports: i128, share: i64) -> Part {
        let part = Share::new(share).of(lamports * LAMPORT);
        part.unwrap_or_else(|| unreachable!("small"))
    }

    #[test]
    fn slippage_is_of_both_sides() {
        let costs = Costs {
            slippage_percent: 10_000,
            exit_slippage_percent: 5_000,
            ..Costs::default()
        };
        // 1 % of half of 0.2 and 0.5 % of 0.3: 0.001 + 0.0015.
        let half = part(SOL / 5, WHOLE / 2);
        assert_eq!(half.slippage(3 * SOL / 10, &costs), Some(25));
        // 0.00105 is rounded to the even, once.
        let whole = part(SOL / 10, WHOLE);
        assert_eq!(whole.slippage(SOL / 100, &costs), Some(10));
        assert_eq!(whole.slippage(3 * SOL / 100, &costs), Some(12));
    }

    #[test]
    fn fees_are_of_two_transactions_and_those_that_fail() {
        let mut costs = Costs {
            priority_fee: 3,
            failed_transaction_percent: 200_000,
            ..Costs::default()
        };
        // 2 × 3 / 0.8 = 7.5, to the even.
        assert_eq!(part(SOL, WHOLE).fees(0, &costs), Some(8));
        costs.platform_fee_percent = 10_000;
        // 1 % of 1.5 SOL more.
        assert_eq!(
            part(SOL, WHOLE).fees(SOL / 2, &costs),
            Some(SOL * 15 / 1_000 + 8)
        );
        assert_eq!(part(SOL, WHOLE).fees(SOL / 2, &Costs::default()), Some(0));
    }

    #[test]
    fn impact_is_that_of_a_constant_product() {
        // A whole position of 1 in a pool of 9: 0.1; a sale of 1: 0.1.
        assert_eq!(part(SOL, WHOLE).impact(SOL, 9 * SOL), Some(SOL / 5));
        // Half of it bears half of the buy's.
        assert_eq!(part(SOL, WHOLE / 2).impact(0, 9 * SOL), Some(SOL / 20));
        assert_eq!(part(0, WHOLE).impact(0, 9 * SOL), Some(0));
    }

    #[test]
    fn parts_are_in_lowest_terms() {
        let terms = |share| {
            let part = Share::new(share).of(10);
            part.map(|part| (part.amount, part.units_in_lamport))
        };
        let third = terms(333_333);
        assert_eq!(third, Some((3_333_330, LAMPORT * 1_000_000)));
        let half = terms(500_000);
        assert_eq!(half, Some((10, LAMPORT * 2)));
        assert_eq!(Share::new(333_333).of(i128::MAX), None);
    }
}
