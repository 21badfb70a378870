//! The net PnL of many sales whose costs depend on what they bring: that of
//! [`Position`](super::trade_pnl::Position) to the last digit, as [`QuickPosition`] where the costs
//! are fixed.
//!
//! What a sale brings follows from the kept size and return, each off by less than a known bound.
//! Slippage and fees are lines over both, kept as whole numbers of 2^-64. Wherever a rounding is not
//! beyond doubt there is no answer, and the exact position gives it.

use datafusion::arrow::datatypes::i256;

use super::costs::{ALL_PERCENT, Costs, Part};
use super::quick_pnl::{QuickPnl, QuickPosition, RATE_BITS, Rate, SIZE_BITS};
use crate::decimal::pow10;
use crate::metrics::totals::LAMPORTS_PER_UNIT;

const LINE_BITS: u32 = 64;
const IMPACT_BITS: u32 = 40;
/// What is for each unit of a size has so many more.
const SLOPE_BITS: u32 = 20;
/// What sizes and returned shares stay below, so that 128 bits hold what a sale brings.
const LARGEST_SIZE: i64 = 1 << 54;
const LARGEST_RETURN: i64 = 1 << 55;
/// What a sale brings stays below; lamports.
const LARGEST_PROCEEDS: i64 = 1 << 40;
/// Fixed parts of costs stay below, in their unit; so does the pool in lamports.
const LARGEST_FIXED: i128 = 1 << 56;
/// What is for each ten-thousandth of a SOL stays below, in units of a cost × 10^6.
const LARGEST_OF_SIZE: i128 = 1 << 37;

/// A cost as a line over the size of a part and what its sale brings, × 2^64, all rounded down.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    /// × 2^20 more.
    of_size: i128,
    fixed: i128,
    slope: i128,
    /// What of the value at a size is missing at most.
    short_by: i128,
}

impl Line {
    /// Of so many units of the cost, the first for each ten-thousandth of a SOL that is put in, the
    /// others for each lamport that is brought: a ratio.
    fn new(of_size: i128, of_proceeds: (i128, i128), fixed: i128) -> Option<Self> {
        const BITS: u32 = LINE_BITS - SIZE_BITS;
        if of_size >= LARGEST_OF_SIZE || of_proceeds.0 >= of_proceeds.1 {
            return None;
        }
        Some(Self {
            of_size: (of_size << (BITS + SLOPE_BITS)) / ALL_PERCENT,
            fixed,
            slope: (of_proceeds.0 << LINE_BITS) / of_proceeds.1,
            // A size short by less than 1, what is for each by less than 2^-20, and the fixed part.
            short_by: (of_size << BITS) / ALL_PERCENT
                + (i128::from(LARGEST_SIZE) >> SLOPE_BITS)
                + 4,
        })
    }

    /// What it comes to for a part of which nothing is brought.
    #[inline]
    fn start(&self, size: i64) -> i128 {
        self.fixed + ((self.of_size * i128::from(size)) >> SLOPE_BITS)
    }

    /// Rounded half to even; `None` where that is in doubt.
    #[inline]
    fn at(&self, start: i128, proceeds: i64) -> Option<i64> {
        let value = start + self.slope * i128::from(proceeds);
        rounded(value, self.short_by + i128::from(proceeds), LINE_BITS)
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

/// What parts of positions with the same costs have in common.
#[derive(Debug, Clone, Copy)]
pub struct SaleTerms {
    /// Ten-thousandths of a SOL.
    slippage: Line,
    /// Lamports.
    fees: Line,
    /// Lamports; 0 where there is no pool.
    pool: i64,
}

/// A part of a position with its costs, as [`Position`](super::trade_pnl::Position).
#[derive(Debug, Clone, Copy, Default)]
pub struct QuickSale {
    /// The part, with the costs that do not depend on what it brings.
    position: QuickPosition,
    /// What these lines come to before something is brought.
    slippage: i128,
    fees: i128,
    /// The impact of the buy in lamports × 2^40, rounded down.
    bought: i128,
}

impl QuickSale {
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
    fn impact(&self, pool: i64, proceeds: i64) -> Option<i64> {
        if pool == 0 {
            return Some(0);
        }
        let square = proceeds as u128 * proceeds as u128;
        let sold = (square << IMPACT_BITS) / (pool + proceeds) as u128;
        rounded(self.bought + sold as i128, 2, IMPACT_BITS)
    }
}

impl QuickPnl for QuickSale {
    type Terms = SaleTerms;

    fn terms(costs: &Costs) -> Option<SaleTerms> {
        let exit_slippage = (costs.exit_slippage_percent, ALL_PERCENT * LAMPORTS_PER_UNIT);
        let platform_fee = costs.platform_fee_percent;
        let pool = costs.pool.unwrap_or(0);
        Some(SaleTerms {
            slippage: Line::new(costs.slippage_percent, exit_slippage, 0)?,
            fees: Line::new(
                platform_fee.checked_mul(LAMPORTS_PER_UNIT)?,
                (platform_fee, ALL_PERCENT),
                fixed(costs.transaction_fees()?, costs.succeeding())?,
            )?,
            pool: i64::try_from(pool)
                .ok()
                .filter(|pool| i128::from(*pool) < LARGEST_FIXED)?,
        })
    }

    #[inline]
    fn of(part: &Part, costs: &Costs, terms: &SaleTerms) -> Option<Self> {
        let position = QuickPosition::of_size(part, costs.gas)?;
        if position.size >= LARGEST_SIZE {
            return None;
        }
        Some(Self {
            slippage: terms.slippage.start(position.size),
            fees: terms.fees.start(position.size),
            bought: match terms.pool {
                0 => 0,
                pool => bought(part, pool.into())?,
            },
            position,
        })
    }

    #[inline]
    fn net_pnl(
        &self,
        terms: &SaleTerms,
        rate: Rate,
        fees: impl FnOnce(i64) -> Option<i64>,
    ) -> Option<i64> {
        let gross = self.position.after_fixed(rate)?;
        let proceeds = self.proceeds(rate)?;
        let slippage = terms.slippage.at(self.slippage, proceeds)?;
        let fees = match terms.fees.at(self.fees, proceeds) {
            Some(fees) => fees,
            None => fees(proceeds)?,
        };
        let impact = self.impact(terms.pool, proceeds)?;
        Some(gross - slippage * LAMPORTS_PER_UNIT as i64 - fees - impact)
    }
}

/// A ratio of a number of 0 or more to one above 0, × 2^64 and rounded down; `None` where it is too
/// large to be kept.
fn fixed(above: i128, below: i128) -> Option<i128> {
    let scaled = i256::from_i128(above).checked_mul(i256::from_i128(1 << LINE_BITS))?;
    let scaled = scaled.checked_div(i256::from_i128(below))?.to_i128()?;
    (scaled >> LINE_BITS < LARGEST_FIXED).then_some(scaled)
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
    use crate::trades::costs::Share;
    use crate::trades::quick_pnl::Stake;
    use crate::trades::trade_pnl::Position;

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
            let (part, terms) = (Share::new(share).of(size), QuickSale::terms(&costs));
            let quick = part.zip(terms).and_then(|(part, terms)| {
                let quick = QuickSale::of(&part, &costs, &terms)?;
                // Every third time, the fees in doubt are said.
                let fees = |proceeds: i64| match case % 3 {
                    1 => i64::try_from(part.fees(proceeds.into(), &costs)?).ok(),
                    _ => None,
                };
                Some(quick.net_pnl(&terms, Stake::new(stake).rate(gain)?, fees))
            });
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
    fn a_line_in_doubt_has_no_answer() {
        let line = |slope| Line {
            slope,
            short_by: 1,
            ..Line::default()
        };
        assert_eq!(line(0).at(1 << 63, 0), None);
        assert_eq!(line(0).at((1 << 63) - 1, 0), None);
        assert_eq!(line(0).at((1 << 63) - 2, 0), Some(0));
        assert_eq!(line(0).at((1 << 63) + 1, 0), Some(1));
        assert_eq!(line(1 << 62).at((1 << 62) + 1, 2), Some(1));
    }
}
