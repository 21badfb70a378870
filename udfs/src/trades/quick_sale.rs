//! The net PnL of many sales whose costs depend on what they bring: that of [`Position::net_pnl`] to
//! the last digit, as [`QuickPosition`] where the costs are fixed.
//!
//! What a sale brings follows from the kept size and return, each off by less than a known bound.
//! Slippage and fees are lines over it, kept as whole numbers of 2^-64. Wherever a rounding is not
//! beyond doubt there is no answer, and [`Position::net_pnl`] gives it.

use datafusion::arrow::datatypes::i256;

use super::costs::{ALL_PERCENT, Part};
use super::quick_pnl::{QuickPnl, QuickPosition, RATE_BITS, Rate, SIZE_BITS};
use super::trade_pnl::Position;
use crate::decimal::{multiply_wide, pow10, product};
use crate::metrics::totals::LAMPORTS_PER_UNIT;

const LINE_BITS: u32 = 64;
const IMPACT_BITS: u32 = 40;
/// What sizes and returned shares stay below, so that 128 bits hold what a sale brings.
const LARGEST_SIZE: i64 = 1 << 54;
const LARGEST_RETURN: i64 = 1 << 55;
/// What a sale brings stays below; lamports.
const LARGEST_PROCEEDS: i64 = 1 << 40;
/// Fixed parts of costs stay below, in their unit; so does the pool in lamports.
const LARGEST_FIXED: i128 = 1 << 56;

/// A cost as a line over what a sale brings, × 2^64; both are rounded down.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    fixed: i128,
    slope: i128,
}

impl Line {
    /// Rounded half to even; `None` where that is in doubt.
    #[inline]
    fn at(&self, proceeds: i64) -> Option<i64> {
        let value = self.fixed + self.slope * i128::from(proceeds);
        rounded(value, 1 + i128::from(proceeds), LINE_BITS)
    }
}

/// A number × 2^bits that is at most so much too small, rounded to the nearest whole one.
#[inline]
fn rounded(value: i128, short_by: i128, bits: u32) -> Option<i64> {
    let value = value + (1 << (bits - 1));
    let fraction = value & ((1 << bits) - 1);
    // At a whole number, or where it could be past the next, the middle is near.
    (fraction != 0 && fraction + short_by < 1 << bits).then_some((value >> bits) as i64)
}

/// A part of a position with its costs, as [`Position`].
#[derive(Debug, Clone, Copy, Default)]
pub struct QuickSale {
    /// The part, with the costs that do not depend on what it brings.
    position: QuickPosition,
    /// Ten-thousandths of a SOL.
    slippage: Line,
    /// Lamports.
    fees: Line,
    /// Lamports; 0 where there is no pool.
    pool: i64,
    /// The impact of the buy × 2^40, rounded down.
    bought: i128,
}

impl QuickSale {
    /// The same part, `None` where it is too large to be kept.
    pub fn new(position: &Position) -> Option<Self> {
        let (part, costs) = (&position.part, &position.costs);
        let quick = QuickPosition::of_size(position, costs.gas)?;
        if quick.size >= LARGEST_SIZE {
            return None;
        }
        let below = product(&[position.unit(), ALL_PERCENT])?;
        let slippage = Line {
            fixed: fixed(product(&[part.amount, costs.slippage_percent])?, below)?,
            slope: slope(costs.exit_slippage_percent, ALL_PERCENT * LAMPORTS_PER_UNIT),
        };
        let (above, below) = part.fees_ratio(0, costs)?;
        let fees = Line {
            fixed: fixed(above, below)?,
            slope: slope(costs.platform_fee_percent, ALL_PERCENT),
        };
        let (pool, bought) = match costs.pool {
            Some(pool) => (
                i64::try_from(pool)
                    .ok()
                    .filter(|pool| i128::from(*pool) < LARGEST_FIXED)?,
                bought(part, pool)?,
            ),
            None => (0, 0),
        };
        Some(Self {
            position: quick,
            slippage,
            fees,
            pool,
            bought,
        })
    }

    /// What the sale brings in lamports, rounded half to even; `None` where that is in doubt.
    #[inline]
    fn proceeds(&self, Rate(rate): Rate) -> Option<i64> {
        const BITS: u32 = RATE_BITS + SIZE_BITS;
        let returned = rate.checked_add(1 << RATE_BITS)?;
        if !(0..LARGEST_RETURN).contains(&returned) {
            return None;
        }
        let (size, returned) = (i128::from(self.position.size), i128::from(returned));
        let value = size * returned * LAMPORTS_PER_UNIT + (1 << (BITS - 1));
        // A size short by less than 1 and a return off by less than 2.
        let off_by = (returned + 2 * size + 4) * LAMPORTS_PER_UNIT;
        let fraction = value & ((1 << BITS) - 1);
        let is_certain = fraction >= off_by && fraction + off_by < 1 << BITS;
        let proceeds = (value >> BITS) as i64;
        (is_certain && proceeds < LARGEST_PROCEEDS).then_some(proceeds)
    }

    /// Lamports, rounded half to even; `None` where that is in doubt.
    #[inline]
    fn impact(&self, proceeds: i64) -> Option<i64> {
        if self.pool == 0 {
            return Some(0);
        }
        let square = proceeds as u128 * proceeds as u128;
        let sold = (square << IMPACT_BITS) / (self.pool + proceeds) as u128;
        rounded(self.bought + sold as i128, 2, IMPACT_BITS)
    }
}

impl QuickPnl for QuickSale {
    #[inline]
    fn of(position: &Position) -> Option<Self> {
        Self::new(position)
    }

    #[inline]
    fn net_pnl(&self, rate: Rate) -> Option<i64> {
        let gross = self.position.net_pnl(rate)?;
        let proceeds = self.proceeds(rate)?;
        let slippage = self.slippage.at(proceeds)? * LAMPORTS_PER_UNIT as i64;
        Some(gross - slippage - self.fees.at(proceeds)? - self.impact(proceeds)?)
    }
}

/// A ratio of a number of 0 or more to one above 0, × 2^64 and rounded down; `None` where it is too
/// large to be kept.
fn fixed(above: i256, below: i256) -> Option<i128> {
    const HALF: u32 = LINE_BITS / 2;
    let is_narrow = |below: &i128| below.leading_zeros() > HALF;
    if let (Some(above), Some(below)) = (above.to_i128(), below.to_i128().filter(is_narrow)) {
        let mut quotient = above / below;
        if quotient >= LARGEST_FIXED {
            return None;
        }
        // A remainder by multiplication costs a tenth of another division.
        let mut rest = above - quotient * below;
        for _ in 0..2 {
            rest <<= HALF;
            let digit = rest / below;
            quotient = (quotient << HALF) + digit;
            rest -= digit * below;
        }
        return Some(quotient);
    }
    let scaled = multiply_wide(above, i256::from_i128(1 << LINE_BITS))?;
    let scaled = scaled.checked_div(below)?.to_i128()?;
    (scaled >> LINE_BITS < LARGEST_FIXED).then_some(scaled)
}

/// A share × 2^64, rounded down; below 1 for percentages that costs can have.
fn slope(percent: i128, all: i128) -> i128 {
    (percent << LINE_BITS) / all
}

/// The impact of the part's share of the buy × 2^40, rounded down.
fn bought(part: &Part, pool: i128) -> Option<i128> {
    let square = part.lamports().checked_mul(part.whole_lamports())?;
    let small = square < (1 << (126 - IMPACT_BITS)) && pool < pow10(18);
    small.then(|| (square << IMPACT_BITS) / (pool + part.whole_lamports()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trades::costs::Costs;
    use crate::trades::quick_pnl::Stake;

    /// A generator of Lehmer's: numbers of any length, the same in each run.
    fn draws() -> impl FnMut(u32) -> i128 {
        let mut state = 0x2545_f491_4f6c_dd1d_u128;
        move |bits: u32| {
            state = state.wrapping_mul(0xda94_2042_e4dd_58b5_u128 << 1 | 1);
            let length = (state >> 100) as u32 % bits + 1;
            (state >> 1 & ((1 << length) - 1)) as i128
        }
    }

    #[test]
    fn equals_the_exact_pnl_where_it_answers() {
        let mut draw = draws();
        let (mut answers, mut with_pool, mut ties) = (0, 0, 0);
        for case in 0..200_000 {
            let costs = Costs {
                slippage_percent: draw(17),
                exit_slippage_percent: draw(18),
                platform_fee_percent: draw(16) / 1_000 * 1_000,
                gas: draw(20),
                priority_fee: draw(20),
                failed_transaction_percent: draw(19),
                pool: (case % 3 == 0).then(|| draw(45) + 1),
            };
            if costs.are_fixed() {
                continue;
            }
            // Every other position is a round one, whose fees meet ties.
            let size = match case % 2 {
                0 => draw(57),
                _ => draw(12) * pow10(12),
            };
            let share = [1_000_000, 500_000, 333_333, 1][draw(2) as usize % 4];
            let stake = draw(84) + 1;
            let gain = match draw(2) {
                0 => -draw(84).min(stake),
                _ => draw(86),
            };
            let exact = Position::new(size, share, &costs);
            let quick = exact.as_ref().and_then(QuickSale::new);
            let rate = Stake::new(stake).rate(gain);
            let quick = quick.zip(rate).map(|(quick, rate)| quick.net_pnl(rate));
            let exact = exact.and_then(|exact| exact.net_pnl(gain, stake));
            match quick {
                Some(Some(quick)) => {
                    let what = format!("{size} × {share} × {gain} / {stake}, {costs:?}");
                    assert_eq!(Some(i128::from(quick)), exact, "{what}");
                    answers += 1;
                    with_pool += i32::from(costs.pool.is_some());
                }
                Some(None) => ties += 1,
                None => {}
            }
        }
        assert!(answers > 50_000, "{answers} answers");
        assert!(with_pool > 10_000, "{with_pool} answers with a pool");
        assert!(ties > 1_000, "{ties} left to the exact PnL");
    }

    #[test]
    fn the_fixed_part_of_a_line_is_that_of_256_bits() {
        let mut draw = draws();
        let mut narrow = 0;
        for _ in 0..100_000 {
            let (above, below) = (draw(126), draw(126) + 1);
            let scaled = i256::from_i128(above).wrapping_mul(i256::from_i128(1 << LINE_BITS));
            let exact = scaled.wrapping_div(i256::from_i128(below)).to_i128();
            let exact = exact.filter(|exact| exact >> LINE_BITS < LARGEST_FIXED);
            let found = fixed(i256::from_i128(above), i256::from_i128(below));
            assert_eq!(found, exact, "{above} / {below}");
            narrow += i32::from(exact.is_some() && below < 1 << 95);
        }
        assert!(narrow > 10_000, "{narrow}");
    }

    #[test]
    fn a_line_in_doubt_has_no_answer() {
        let half = Line {
            fixed: 1 << 63,
            slope: 0,
        };
        assert_eq!(half.at(0), None);
        let line = Line {
            fixed: (1 << 63) - 1,
            slope: 0,
        };
        assert_eq!(line.at(0), None);
        let line = Line {
            fixed: (1 << 63) - 2,
            slope: 0,
        };
        assert_eq!(line.at(0), Some(0));
        let line = Line {
            fixed: (1 << 63) + 1,
            slope: 0,
        };
        assert_eq!(line.at(0), Some(1));
    }
}
