//! Quotients of decimals in 128 bits, as long as they have room: what [`Exact::divided_by`] answers,
//! without its memory.
//!
//! [`Exact::divided_by`]: super::exact::Exact::divided_by

use datafusion::arrow::datatypes::i256;

/// The quotient of two numbers, each with its places, at so many places; `None` where 128 bits are
/// too few, or nothing is divided.
pub fn narrow(dividend: (i128, i8), divisor: (i128, i8), to: i8) -> Option<i256> {
    let (a, a_places) = opened(dividend, to)?;
    let (b, b_places) = opened(divisor, to)?;
    if b == 0 {
        return None;
    }
    let (weight, first) = first_group(a, a_places)?;
    let (weight_below, first_below) = first_group(b, b_places)?;
    let of_quotient = weight - weight_below - i32::from(first <= first_below);
    let places = (16 - 4 * of_quotient).max(a_places).max(b_places).max(0);
    let shift = places + b_places - a_places;
    let factor = |exponent: i32| 10_i128.checked_pow(u32::try_from(exponent).ok()?);
    let (above, below) = match shift >= 0 {
        true => (a.checked_mul(factor(shift)?)?, b),
        false => (a, b.checked_mul(factor(-shift)?)?),
    };
    let (quotient, rest) = (above.checked_div(below)?, above.checked_rem(below)?);
    let is_up = rest.unsigned_abs() >= below.unsigned_abs() - rest.unsigned_abs();
    let sign = if (above < 0) == (below < 0) { 1 } else { -1 };
    let quotient = quotient + if is_up { sign } else { 0 };
    let more = u32::try_from(i32::from(to) - places).ok()?;
    i256::from_i128(quotient).checked_mul(i256::from_i128(10).checked_pow(more)?)
}

/// A number with the places that it has for PostgreSQL: one of open places without the zeros that
/// fill them, but with at least 16 digits that count.
fn opened((digits, places): (i128, i8), open: i8) -> Option<(i128, i32)> {
    let (mut digits, mut places) = (digits, i32::from(places));
    if places != i32::from(open) {
        return Some((digits, places));
    }
    while places > 0 && digits % 10 == 0 {
        digits /= 10;
        places -= 1;
    }
    let (weight, _) = first_group(digits, places)?;
    let more = u32::try_from(16 - 4 * weight - places).unwrap_or_default();
    Some((
        digits.checked_mul(10_i128.checked_pow(more)?)?,
        places + more as i32,
    ))
}

/// The power of 10,000 of the first four digits, and these.
fn first_group(digits: i128, places: i32) -> Option<(i32, u128)> {
    let size = digits.unsigned_abs();
    let Some(magnitude) = size.checked_ilog10() else {
        return Some((0, 0));
    };
    let weight = (i32::try_from(magnitude).ok()? - places).div_euclid(4);
    let shift = places + weight * 4;
    let power = 10_u128.checked_pow(shift.unsigned_abs())?;
    let group = match shift >= 0 {
        true => size / power,
        false => size.checked_mul(power)?,
    };
    Some((weight, group))
}
