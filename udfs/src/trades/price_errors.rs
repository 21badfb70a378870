//! `price_errors`: what of a trade's error comes from its entry price, and what from its exit price.
//!
//! - Shape: scalar → struct of `entry_error_sol, exit_error_sol`.
//! - Input: the simulated position in SOL, not rounded; the simulated entry and exit price and the
//!   actual ones, in SOL per token.
//! - Output: `entry = size × (exit_s/entry_s − exit_s/entry_a)` and `exit = size × (exit_s − exit_a)
//!   / entry_a`, each exact up to one rounding to 9, half to even; both above 0 where the simulation
//!   is too good.
//! - Nulls: a null argument, an entry price that is not above 0, and an amount that `numeric(20,9)`
//!   cannot hold give null.
//! - Errors: a value that is no number (22023).
//! - Order: does not matter.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Decimal128Array, StructArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, i256};
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_MATH;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use crate::arguments::{self, PRICE, SOL, refuse};
use crate::decimal::pow10;
use crate::exits::simulate_exit::EXACT_PRICE;
use crate::scoring::position_size::SIZE_DIGITS;

/// What lamports of `numeric(20,9)` stay below.
const SOL_LIMIT: i128 = pow10(20);
/// From size × price / price to lamports: 17 + 24 − 18 − 9 digits.
const DIGITS: u32 = SIZE_DIGITS + 24 - 18 - 9;

/// The errors of entry and exit, in lamports: `size` × 10^-17 SOL, `exit` × 10^-24 SOL per token, the
/// other prices × 10^-18.
pub fn price_errors(
    size: i128,
    entry: i128,
    exit: i256,
    actual_entry: i128,
    actual_exit: i128,
) -> Option<(i128, i128)> {
    if entry <= 0 || actual_entry <= 0 {
        return None;
    }
    let wide = i256::from_i128;
    let rise = wide(actual_entry).checked_sub(wide(entry))?;
    let of_entry = quotient([wide(size), exit, rise], [wide(entry), wide(actual_entry)])?;
    let actual_exit = wide(actual_exit).checked_mul(wide(pow10(6)))?;
    let fall = exit.checked_sub(actual_exit)?;
    let of_exit = quotient(
        [wide(size), fall, i256::ONE],
        [wide(actual_entry), i256::ONE],
    )?;
    Some((of_entry, of_exit))
}

/// The product of some factors over that of some divisors and [`DIGITS`], rounded half to even; `None`
/// where it is no amount, or where 256 bits do not hold the way to it.
fn quotient(mut factors: [i256; 3], divisors: [i256; 2]) -> Option<i128> {
    let mut divisors = [divisors[0], divisors[1], i256::from_i128(pow10(DIGITS))];
    // What both have in common is not multiplied.
    for factor in &mut factors {
        for divisor in &mut divisors {
            let common = greatest_common_divisor(*factor, *divisor)?;
            *factor = factor.checked_div(common)?;
            *divisor = divisor.checked_div(common)?;
        }
    }
    let product = |of: [i256; 3]| of[0].checked_mul(of[1])?.checked_mul(of[2]);
    let (numerator, denominator) = (product(factors)?, product(divisors)?);
    let mut quotient = numerator.checked_div(denominator)?;
    let mut remainder = numerator.checked_rem(denominator)?;
    if remainder < i256::ZERO {
        quotient = quotient.checked_sub(i256::ONE)?;
        remainder = remainder.checked_add(denominator)?;
    }
    let rest = denominator.checked_sub(remainder)?;
    let is_odd = quotient.to_parts().0 & 1 == 1;
    if remainder > rest || (remainder == rest && is_odd) {
        quotient = quotient.checked_add(i256::ONE)?;
    }
    quotient.to_i128().filter(|amount| amount.abs() < SOL_LIMIT)
}

/// Above 0, since the second is.
fn greatest_common_divisor(a: i256, b: i256) -> Option<i256> {
    let (mut a, mut b) = (a.checked_abs()?, b);
    while a != i256::ZERO {
        (a, b) = (b.checked_rem(a)?, a);
    }
    Some(b)
}

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("entry_error_sol", SOL, true),
        Field::new("exit_error_sol", SOL, true),
    ])
});

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_MATH,
        "What of a simulated trade's error comes from its prices: a struct of entry_error_sol = \
         size × (exit/entry − exit/actual entry) and exit_error_sol = size × (exit − actual exit) / \
         actual entry, each rounded to 9, half to even. Units: SOL, SOL per token. Nulls: a null \
         argument, an entry price that is not above 0 or an amount that numeric(20,9) cannot hold \
         gives null. Errors: a value that is no number (22023).",
        "price_errors(position_size_sol, entry_price, exit_price, actual_entry_price, \
         actual_exit_price)",
    )
    .with_sql_example("select price_errors(0.1, 0.002, 0.003, 0.0021, 0.0029)")
    .with_argument("position_size_sol", "SOL, not rounded")
    .with_argument("entry_price", "SOL per token, simulated")
    .with_argument("exit_price", "SOL per token, simulated, exact")
    .with_argument("actual_entry_price", "SOL per token, recorded")
    .with_argument("actual_exit_price", "SOL per token, recorded")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PriceErrors {
    signature: Signature,
}

impl Default for PriceErrors {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[
                ("position_size_sol", DataType::Decimal128(38, 17)),
                ("entry_price", PRICE),
                ("exit_price", EXACT_PRICE),
                ("actual_entry_price", PRICE),
                ("actual_exit_price", PRICE),
            ]),
        }
    }
}

impl ScalarUDFImpl for PriceErrors {
    fn name(&self) -> &str {
        "price_errors"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(FIELDS.clone()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [size, entry, exit, actual_entry, actual_exit] = &args.args[..] else {
            let found = args.args.len().to_string();
            return refuse("price_errors", "given 5 arguments", found);
        };
        let size = arguments::decimals("position_size_sol", size, SIZE_DIGITS as i8)?;
        let entry = arguments::decimals("entry_price", entry, 18)?;
        let exit = arguments::wide_decimals("exit_price", exit, 24)?;
        let actual_entry = arguments::decimals("actual_entry_price", actual_entry, 18)?;
        let actual_exit = arguments::decimals("actual_exit_price", actual_exit, 18)?;
        let errors = (0..args.number_rows).map(|row| {
            price_errors(
                size.get(row)?,
                entry.get(row)?,
                exit.get(row)?,
                actual_entry.get(row)?,
                actual_exit.get(row)?,
            )
        });
        let errors: Vec<Option<(i128, i128)>> = errors.collect();
        let amounts = |pick: fn(&(i128, i128)) -> i128| {
            let amounts: Decimal128Array = errors
                .iter()
                .map(|errors| errors.as_ref().map(pick))
                .collect();
            Arc::new(amounts.with_data_type(SOL)) as _
        };
        let nulls: NullBuffer = errors.iter().map(Option::is_some).collect();
        Ok(ColumnarValue::Array(Arc::new(StructArray::try_new(
            FIELDS.clone(),
            vec![amounts(|errors| errors.0), amounts(|errors| errors.1)],
            Some(nulls),
        )?)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(
        entry: i128,
        exit: i128,
        actual_entry: i128,
        actual_exit: i128,
    ) -> Option<(i128, i128)> {
        // 0.1 SOL, prices in ten-thousandths.
        let price = |price| price * pow10(14);
        let exit = i256::from_i128(price(exit)).checked_mul(i256::from_i128(pow10(6)))?;
        price_errors(
            pow10(16),
            price(entry),
            exit,
            price(actual_entry),
            price(actual_exit),
        )
    }

    #[test]
    fn each_price_has_its_own_error() {
        assert_eq!(errors(20, 30, 20, 30), Some((0, 0)));
        // Bought later, at 25: 0.1 × (30/20 − 30/25).
        assert_eq!(errors(20, 30, 25, 30), Some((30_000_000, 0)));
        // Sold at 28: 0.1 × 2/20.
        assert_eq!(errors(20, 30, 20, 28), Some((0, 10_000_000)));
        // 0.1 × (30/20 − 30/21) = 0.00714285714…, 0.1 × (30 − 29)/21 = 0.0047619…
        assert_eq!(errors(20, 30, 21, 29), Some((7_142_857, 4_761_905)));
        assert_eq!(errors(21, 29, 20, 30), Some((-6_904_762, -5_000_000)));
    }

    #[test]
    fn what_has_no_price_has_no_error() {
        assert_eq!(errors(0, 30, 20, 30), None);
        assert_eq!(errors(20, 30, 0, 30), None);
        assert_eq!(errors(20, 30, 20, 0), Some((0, 150_000_000)));
    }

    #[test]
    fn huge_prices_change_nothing() {
        let huge = pow10(33);
        let exit = i256::from_i128(3 * huge).checked_mul(i256::from_i128(pow10(6)));
        let found =
            exit.and_then(|exit| price_errors(pow10(16), 2 * huge, exit, 2 * huge, 2 * huge));
        assert_eq!(found, Some((0, 50_000_000)));
    }
}
