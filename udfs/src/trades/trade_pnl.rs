//! `trade_pnl`: what a trade of this size between these prices earned.
//!
//! - Shape: scalar → struct of `position_size_sol, gross_pnl_sol, slippage_cost_sol, gas_cost_sol,
//!   net_pnl_sol, pnl_percent, is_win`.
//! - Input: size in SOL, not rounded; prices in SOL per token, exact; slippage in percent of the
//!   size; gas in SOL, 0 where it is not to count.
//! - Output: `gross = size × (exit − entry)/entry` and `slippage = size × percent/100`, each
//!   rounded to 4; `net = gross − slippage − gas`; `pnl_percent = net / (size rounded to 4) × 100`
//!   rounded to 2, 0 for a size of 0; a win has `net > 0`. Every rounding is half to even.
//! - Nulls: a null argument gives null, and so does an entry price of 0.
//! - Errors: a negative size, price or cost (22023); a result that `numeric(20,9)` cannot hold (22003
//!   where a price leaps, else 22023).
//! - Order: does not matter.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, BooleanArray, Decimal128Array, StructArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, i256};
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_MATH;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use super::costs::{Costs, Part, Share, WHOLE};
use super::misfit::{Misfit, MisfitTrade, PriceSeen, is_leap};
use crate::arguments::{self, SOL, refuse};
use crate::decimal::{
    divide_half_even, format, multiply_divide_half_even, multiply_divide_wide, pow10,
    rescale_half_even,
};
use crate::exits::simulate_exit::EXACT_PRICE;
use crate::metrics::totals::LAMPORTS_PER_UNIT;
use crate::scoring::position_size::SIZE_DIGITS;

/// What lamports of `numeric(20,9)` stay below.
const SOL_LIMIT: i128 = pow10(20);

/// What a sale earned; amounts in lamports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradePnl {
    /// Of the part that is sold, rounded to 4 digits.
    pub position_size: i128,
    pub gross: i128,
    pub slippage: i128,
    pub gas: i128,
    pub fees: i128,
    pub impact: i128,
    pub net: i128,
    /// Percent × 100.
    pub percent: i128,
}

/// The PnL of the share × 10^-6 of a position of `size` × 10^-17 SOL that returned `gain / stake`, the
/// price's rise over the entry price in any common unit; `None` where an amount does not fit
/// `numeric(20,9)`.
pub fn trade_pnl(
    size: i128,
    share: i64,
    gain: i128,
    stake: i128,
    costs: &Costs,
) -> Option<TradePnl> {
    let position = Position::new(size, share, costs)?;
    let gross = position.gross(gain, stake)?;
    let costs = position.costs(gain, stake)?;
    let net = gross - costs.total()?;
    let percent = match position.rounded_size {
        0 => 0,
        size => multiply_divide_half_even(net, pow10(4), size)?,
    };
    (net.abs() < SOL_LIMIT).then_some(TradePnl {
        position_size: position.rounded_size,
        gross,
        slippage: costs.slippage,
        gas: costs.gas,
        fees: costs.fees,
        impact: costs.impact,
        net,
        percent,
    })
}

/// A part of a position with its costs, whatever becomes of it; amounts in lamports.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    part: Part,
    costs: Costs,
    rounded_size: i128,
    /// Those that do not depend on what the sale brings, where none does.
    fixed: Option<Paid>,
}

/// What a sale costs; lamports.
#[derive(Debug, Clone, Copy)]
struct Paid {
    slippage: i128,
    gas: i128,
    fees: i128,
    impact: i128,
}

impl Paid {
    fn total(&self) -> Option<i128> {
        let sum = self.slippage.checked_add(self.gas)?;
        sum.checked_add(self.fees)?.checked_add(self.impact)
    }
}

impl Position {
    /// The share × 10^-6 of a position of `size` × 10^-17 SOL; `None` where an amount does not fit
    /// `numeric(20,9)`.
    pub fn new(size: i128, share: i64, costs: &Costs) -> Option<Self> {
        Self::of_part(Share::new(share).of(size)?, costs)
    }

    /// This part with these costs.
    pub(super) fn of_part(part: Part, costs: &Costs) -> Option<Self> {
        let mut position = Self {
            part,
            costs: *costs,
            rounded_size: lamports(divide_half_even(part.amount, part.unit()))?,
            fixed: None,
        };
        if costs.are_fixed() {
            position.fixed = Some(position.paid(0)?);
        }
        Some(position)
    }

    /// What is left of a return of `gain / stake` after costs.
    pub fn net_pnl(&self, gain: i128, stake: i128) -> Option<i128> {
        let net = self.gross(gain, stake)? - self.costs(gain, stake)?.total()?;
        (net.abs() < SOL_LIMIT).then_some(net)
    }

    /// What is lost whatever the sale brings; `None` where it depends on that.
    pub(super) fn fixed_costs(&self) -> Option<i128> {
        self.fixed?.total()
    }

    /// `part × gain/stake` rounded to four digits, in lamports.
    fn gross(&self, gain: i128, stake: i128) -> Option<i128> {
        lamports(quotient(self.part.amount, gain, stake, self.part.unit())?)
    }

    fn costs(&self, gain: i128, stake: i128) -> Option<Paid> {
        match self.fixed {
            Some(paid) => Some(paid),
            None => self.paid(self.proceeds(gain, stake)?),
        }
    }

    /// What the sale brings, `part × exit/entry`, in lamports, rounded.
    fn proceeds(&self, gain: i128, stake: i128) -> Option<i128> {
        let returned = gain.checked_add(stake)?;
        let unit = self.part.units_in_lamport;
        quotient(self.part.amount, returned, stake, unit)
    }

    fn paid(&self, proceeds: i128) -> Option<Paid> {
        let impact = match self.costs.pool {
            Some(pool) => self.part.impact(proceeds, pool)?,
            None => 0,
        };
        Some(Paid {
            slippage: lamports(self.part.slippage(proceeds, &self.costs)?)?,
            gas: self.costs.gas,
            fees: fitting(self.part.fees(proceeds, &self.costs)?)?,
            impact: fitting(impact)?,
        })
    }
}

/// Lamports that `numeric(20,9)` holds.
fn fitting(lamports: i128) -> Option<i128> {
    (lamports.abs() < SOL_LIMIT).then_some(lamports)
}

/// Ten-thousandths of a SOL as lamports, where `numeric(20,9)` holds them.
fn lamports(units: i128) -> Option<i128> {
    fitting(units.checked_mul(LAMPORTS_PER_UNIT)?)
}

/// `amount × factor/(stake × unit)`, rounded half to even.
fn quotient(amount: i128, factor: i128, stake: i128, unit: i128) -> Option<i128> {
    match stake.checked_mul(unit) {
        Some(divisor) => multiply_divide_half_even(amount, factor, divisor),
        None => {
            let divisor = i256::from_i128(stake).checked_mul(i256::from_i128(unit))?;
            multiply_divide_wide(amount, factor, divisor)
        }
    }
}

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("position_size_sol", SOL, true),
        Field::new("gross_pnl_sol", SOL, true),
        Field::new("slippage_cost_sol", SOL, true),
        Field::new("gas_cost_sol", SOL, true),
        Field::new("net_pnl_sol", SOL, true),
        Field::new("pnl_percent", DataType::Decimal128(38, 2), true),
        Field::new("is_win", DataType::Boolean, true),
    ])
});

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_MATH,
        "What a trade earned: a struct of position_size_sol (rounded to 4), gross_pnl_sol = size \
         × (exit − entry)/entry and slippage_cost_sol = size × percent/100 (each rounded to 4), \
         gas_cost_sol, net_pnl_sol = gross − slippage − gas, pnl_percent = net / rounded size × \
         100 (rounded to 2, 0 for a size of 0), is_win (net above 0). Units: SOL, SOL per token, \
         percent as 1 for 1 %. Every rounding is half to even. Nulls: a null argument or an entry \
         price of 0 gives null. Errors: a negative argument (22023), an amount that numeric(20,9) \
         cannot hold (22003 where a price leaps, else 22023).",
        "trade_pnl(position_size_sol, entry_price, exit_price, slippage_percent, gas_cost_sol)",
    )
    .with_sql_example("select trade_pnl(0.12, 0.002, 0.0023, 1, 0.0001)")
    .with_argument("position_size_sol", "SOL, not rounded")
    .with_argument("entry_price", "SOL per token")
    .with_argument("exit_price", "SOL per token, exact")
    .with_argument("slippage_percent", "percent of the position")
    .with_argument("gas_cost_sol", "SOL, 0 where gas does not count")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TradePnlFunction {
    signature: Signature,
}

impl Default for TradePnlFunction {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[
                ("position_size_sol", DataType::Decimal128(38, 17)),
                ("entry_price", crate::arguments::PRICE),
                ("exit_price", EXACT_PRICE),
                ("slippage_percent", DataType::Decimal128(9, 4)),
                ("gas_cost_sol", SOL),
            ]),
        }
    }
}

impl ScalarUDFImpl for TradePnlFunction {
    fn name(&self) -> &str {
        "trade_pnl"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(FIELDS.clone()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [size, entry, exit, slippage, gas] = &args.args[..] else {
            return refuse(
                "trade_pnl",
                "given 5 arguments",
                args.args.len().to_string(),
            );
        };
        let size = arguments::decimals("position_size_sol", size, SIZE_DIGITS as i8)?;
        let entry = arguments::decimals("entry_price", entry, 18)?;
        let exit = arguments::wide_decimals("exit_price", exit, 24)?;
        let slippage = arguments::decimals("slippage_percent", slippage, 4)?;
        let gas = arguments::decimals("gas_cost_sol", gas, 9)?;

        let mut rows = Vec::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let (Some(size), Some(entry), Some(exit), Some(slippage), Some(gas)) = (
                size.get(row),
                entry.get(row).filter(|entry| *entry != 0),
                exit.get(row),
                slippage.get(row),
                gas.get(row),
            ) else {
                rows.push(None);
                continue;
            };
            for (name, value, digits) in [
                ("position_size_sol", size, SIZE_DIGITS as i8),
                ("entry_price", entry, 18),
                ("slippage_percent", slippage, 4),
                ("gas_cost_sol", gas, 9),
            ] {
                if value < 0 {
                    return refuse(name, "0 or more", format(value, digits));
                }
            }
            if exit < i256::ZERO {
                return refuse("exit_price", "0 or more", exit.to_string());
            }
            let costs = Costs {
                slippage_percent: slippage,
                gas,
                ..Costs::default()
            };
            let returned = gain_and_stake(entry, exit);
            let pnl =
                returned.and_then(|(gain, stake)| trade_pnl(size, WHOLE, gain, stake, &costs));
            match pnl {
                Some(pnl) => rows.push(Some(pnl)),
                None => return does_not_fit(size, entry, exit, returned),
            }
        }
        Ok(ColumnarValue::Array(columns(&rows)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

/// The refusal of a size × 10^-17 SOL, or of prices of 18 and 24 digits that leap.
pub(super) fn does_not_fit<T>(
    size: i128,
    entry: i128,
    exit: i256,
    returned: Option<(i128, i128)>,
) -> Result<T> {
    let size = format(
        rescale_half_even(size, SIZE_DIGITS as i8, 9).unwrap_or(size),
        9,
    );
    let seen = |price| PriceSeen { price, at: None };
    match returned {
        Some((gain, stake)) if !is_leap(gain, stake) => refuse(
            "position_size_sol",
            "small enough for the PnL to fit numeric(20,9)",
            size,
        ),
        _ => Err(Misfit::of(MisfitTrade {
            signal: None,
            size,
            entry: seen(format(entry, 18)),
            // Six digits fewer: as many as prices have.
            highest: seen(
                exit.checked_div(i256::from_i128(pow10(6)))
                    .and_then(i256::to_i128)
                    .map_or_else(|| exit.to_string(), |exit| format(exit, 18)),
            ),
        })
        .into()),
    }
}

/// `exit − entry` and `entry` in a common unit that 128 bits hold, from 24 and 18 digits.
pub(super) fn gain_and_stake(entry: i128, exit: i256) -> Option<(i128, i128)> {
    let mut stake = i256::from_i128(entry).checked_mul(i256::from_i128(pow10(6)))?;
    let mut gain = exit.checked_sub(stake)?;
    let ten = i256::from_i128(10);
    loop {
        if let (Some(gain), Some(stake)) = (gain.to_i128(), stake.to_i128()) {
            return Some((gain, stake));
        }
        if gain.checked_rem(ten)? != i256::ZERO || stake.checked_rem(ten)? != i256::ZERO {
            return None;
        }
        (gain, stake) = (gain.checked_div(ten)?, stake.checked_div(ten)?);
    }
}

fn columns(rows: &[Option<TradePnl>]) -> Result<ArrayRef> {
    let amounts = |pick: fn(&TradePnl) -> i128, data_type: DataType| -> ArrayRef {
        let values: Decimal128Array = rows.iter().map(|row| row.as_ref().map(pick)).collect();
        Arc::new(values.with_data_type(data_type))
    };
    let is_win: BooleanArray = rows.iter().map(|row| row.map(|pnl| pnl.net > 0)).collect();
    let nulls: NullBuffer = rows.iter().map(Option::is_some).collect();
    Ok(Arc::new(StructArray::try_new(
        FIELDS.clone(),
        vec![
            amounts(|pnl| pnl.position_size, SOL),
            amounts(|pnl| pnl.gross, SOL),
            amounts(|pnl| pnl.slippage, SOL),
            amounts(|pnl| pnl.gas, SOL),
            amounts(|pnl| pnl.net, SOL),
            amounts(|pnl| pnl.percent, DataType::Decimal128(38, 2)),
            Arc::new(is_win),
        ],
        Some(nulls),
    )?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn net_is_what_is_left() {
        let costs = Costs {
            slippage_percent: 10_000,
            gas: 100_000,
            ..Costs::default()
        };
        // 0.12 SOL, 0.002 → 0.0023: + 15 %.
        let pnl = trade_pnl(12 * pow10(15), WHOLE, 3, 20, &costs);
        let expected = TradePnl {
            position_size: 120_000_000,
            gross: 18_000_000,
            slippage: 1_200_000,
            gas: 100_000,
            fees: 0,
            impact: 0,
            net: 16_700_000,
            percent: 1392,
        };
        assert_eq!(pnl, Some(expected));
        assert_eq!(
            trade_pnl(0, WHOLE, 3, 20, &costs).map(|pnl| pnl.percent),
            Some(0)
        );
    }

    #[test]
    fn huge_prices_change_nothing() {
        let costs = Costs::default();
        let small = trade_pnl(pow10(16), WHOLE, 3, 20, &costs);
        assert_eq!(
            trade_pnl(pow10(16), WHOLE, 3 * pow10(30), 20 * pow10(30), &costs),
            small
        );
    }
}
