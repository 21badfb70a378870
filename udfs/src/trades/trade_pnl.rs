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
//! - Errors: a negative size, price or cost; a result that `numeric(20,9)` cannot hold (22023).
//! - Order: does not matter.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, BooleanArray, Decimal128Array, StructArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, i256};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_MATH;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use crate::arguments::{self, SOL, refuse};
use crate::decimal::{
    divide_half_even, format, multiply_divide_half_even, multiply_divide_wide, pow10,
    rescale_half_even,
};
use crate::metrics::totals::LAMPORTS_PER_UNIT;
use crate::scoring::position_size::SIZE_DIGITS;

/// The digits that gross PnL and slippage are rounded to.
const ROUNDED_DIGITS: u32 = 4;
/// The whole of a position: a share is a number of millionths.
pub const WHOLE: i128 = 1_000_000;
/// A ten-thousandth of a SOL in units of a size.
pub(super) const UNIT: i128 = pow10(SIZE_DIGITS - ROUNDED_DIGITS);
/// What lamports of `numeric(20,9)` stay below.
const SOL_LIMIT: i128 = pow10(20);

/// What a trade costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Costs {
    /// Percent × 10^4.
    pub slippage_percent: i128,
    /// Lamports.
    pub gas: i128,
}

/// What a trade earned; amounts in lamports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradePnl {
    /// Rounded to 4 digits.
    pub position_size: i128,
    pub gross: i128,
    pub slippage: i128,
    pub gas: i128,
    pub net: i128,
    /// Percent × 100.
    pub percent: i128,
}

/// The PnL of a share of a position of `size` × 10^-17 SOL that returned `gain / stake`, the price's
/// rise over the entry price in any common unit; `None` where an amount does not fit
/// `numeric(20,9)`.
pub fn trade_pnl(
    size: i128,
    share: i128,
    gain: i128,
    stake: i128,
    costs: &Costs,
) -> Option<TradePnl> {
    let position = Position::new(size, share, costs)?;
    let gross = position.gross_pnl(gain, stake)?;
    let net = position.net_pnl(gain, stake)?;
    let percent = match position.rounded_size {
        0 => 0,
        size => multiply_divide_half_even(net, pow10(4), size)?,
    };
    Some(TradePnl {
        position_size: position.rounded_size,
        gross,
        slippage: position.slippage,
        gas: costs.gas,
        net,
        percent,
    })
}

/// A position with its costs, whatever becomes of it; amounts in lamports.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    /// What is sold, in as many parts of a ten-thousandth of a SOL as make it whole.
    pub(super) size: i128,
    pub(super) unit: i128,
    rounded_size: i128,
    slippage: i128,
    gas: i128,
}

impl Position {
    /// A share × 10^-6 of a position of `size` × 10^-17 SOL; `None` where an amount does not fit
    /// `numeric(20,9)`.
    pub fn new(size: i128, share: i128, costs: &Costs) -> Option<Self> {
        let product = size.checked_mul(share)?;
        let (size, unit) = match product % WHOLE {
            0 => (product / WHOLE, UNIT),
            _ => (product, UNIT * WHOLE),
        };
        let slippage = multiply_divide_half_even(size, costs.slippage_percent, unit * pow10(6))?;
        Some(Self {
            size,
            unit,
            rounded_size: lamports(divide_half_even(size, unit))?,
            slippage: lamports(slippage)?,
            gas: costs.gas,
        })
    }

    /// What is left of a return of `gain / stake` after costs.
    pub fn net_pnl(&self, gain: i128, stake: i128) -> Option<i128> {
        let net = self.gross_pnl(gain, stake)? - self.costs()?;
        (net.abs() < SOL_LIMIT).then_some(net)
    }

    /// `size × gain/stake` rounded to four digits, in lamports.
    fn gross_pnl(&self, gain: i128, stake: i128) -> Option<i128> {
        lamports(gross_units(self.size, self.unit, gain, stake)?)
    }

    /// What is lost whatever comes of the position.
    pub(super) fn costs(&self) -> Option<i128> {
        self.slippage.checked_add(self.gas)
    }
}

/// Ten-thousandths of a SOL as lamports, where `numeric(20,9)` holds them.
fn lamports(units: i128) -> Option<i128> {
    let lamports = units.checked_mul(LAMPORTS_PER_UNIT)?;
    (lamports.abs() < SOL_LIMIT).then_some(lamports)
}

/// `size × gain/stake` in ten-thousandths of a SOL, rounded half to even.
fn gross_units(size: i128, unit: i128, gain: i128, stake: i128) -> Option<i128> {
    match stake.checked_mul(unit) {
        Some(divisor) => multiply_divide_half_even(size, gain, divisor),
        None => {
            let divisor = i256::from_i128(stake).checked_mul(i256::from_i128(unit))?;
            multiply_divide_wide(size, gain, divisor)
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
         price of 0 gives null. Errors: a negative argument, an amount that numeric(20,9) cannot \
         hold (22023).",
        "trade_pnl(position_size_sol, entry_price, exit_price, slippage_percent, gas_cost_sol, \
         share_percent)",
    )
    .with_sql_example("select trade_pnl(0.12, 0.002, 0.0023, 1, 0.0001)")
    .with_argument("position_size_sol", "SOL, not rounded")
    .with_argument("entry_price", "SOL per token")
    .with_argument("exit_price", "SOL per token, exact")
    .with_argument("slippage_percent", "percent of the position")
    .with_argument("gas_cost_sol", "SOL, 0 where gas does not count")
    .with_argument("share_percent", "percent of the position that is sold; 100 if not given")
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
            signature: Signature::one_of(
                vec![TypeSignature::Any(5), TypeSignature::Any(6)],
                Volatility::Immutable,
            ),
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
        let [size, entry, exit, slippage, gas, share @ ..] = &args.args[..] else {
            let found = args.args.len().to_string();
            return refuse("trade_pnl", "given 5 or 6 arguments", found);
        };
        let whole = ColumnarValue::Scalar(ScalarValue::Int64(Some(100)));
        let share = share.first().unwrap_or(&whole);
        let share = arguments::decimals("share_percent", share, 4)?;
        let size = arguments::decimals("position_size_sol", size, SIZE_DIGITS as i8)?;
        let entry = arguments::decimals("entry_price", entry, 18)?;
        let exit = arguments::wide_decimals("exit_price", exit, 24)?;
        let slippage = arguments::decimals("slippage_percent", slippage, 4)?;
        let gas = arguments::decimals("gas_cost_sol", gas, 9)?;

        let mut rows = Vec::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let (Some(size), Some(entry), Some(exit), Some(slippage), Some(gas), Some(share)) = (
                size.get(row),
                entry.get(row).filter(|entry| *entry != 0),
                exit.get(row),
                slippage.get(row),
                gas.get(row),
                share.get(row),
            ) else {
                rows.push(None);
                continue;
            };
            for (name, value, digits) in [
                ("position_size_sol", size, SIZE_DIGITS as i8),
                ("entry_price", entry, 18),
                ("slippage_percent", slippage, 4),
                ("gas_cost_sol", gas, 9),
                ("share_percent", share, 4),
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
            };
            let pnl = gain_and_stake(entry, exit)
                .and_then(|(gain, stake)| trade_pnl(size, share, gain, stake, &costs));
            match pnl {
                Some(pnl) => rows.push(Some(pnl)),
                None => {
                    let size = rescale_half_even(size, SIZE_DIGITS as i8, 9).unwrap_or(size);
                    return refuse(
                        "position_size_sol",
                        "small enough for the PnL to fit numeric(20,9)",
                        format(size, 9),
                    );
                }
            }
        }
        Ok(ColumnarValue::Array(columns(&rows)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

/// `exit − entry` and `entry` in a common unit that 128 bits hold, from 24 and 18 digits.
fn gain_and_stake(entry: i128, exit: i256) -> Option<(i128, i128)> {
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
        };
        // 0.12 SOL, 0.002 → 0.0023: + 15 %.
        let pnl = trade_pnl(12 * pow10(15), WHOLE, 3, 20, &costs);
        let expected = TradePnl {
            position_size: 120_000_000,
            gross: 18_000_000,
            slippage: 1_200_000,
            gas: 100_000,
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
        let costs = Costs {
            slippage_percent: 0,
            gas: 0,
        };
        let small = trade_pnl(pow10(16), WHOLE, 3, 20, &costs);
        assert_eq!(
            trade_pnl(pow10(16), WHOLE, 3 * pow10(30), 20 * pow10(30), &costs),
            small
        );
    }
}
