//! Arithmetic: integers that overflow with an error, exact decimals, floats.

use super::text::str_at;
use super::{Functions, Run};
use crate::cast::failure;
use crate::error::{Error, Result};
use crate::number_patterns::Pattern;
use crate::numeric::Numeric;
use crate::value::Value;

pub fn register(f: &mut Functions) {
    for (name, small, middle, large, numeric, float) in [
        (
            "+",
            (|_, a| int(a, i64::checked_add, 16)) as Run,
            (|_, a| int(a, i64::checked_add, 32)) as Run,
            (|_, a| int(a, i64::checked_add, 64)) as Run,
            (|_, a| exact(a, Numeric::plus)) as Run,
            (|_, a| Ok(float(a, |x, y| x + y))) as Run,
        ),
        (
            "-",
            |_, a| int(a, i64::checked_sub, 16),
            |_, a| int(a, i64::checked_sub, 32),
            |_, a| int(a, i64::checked_sub, 64),
            |_, a| exact(a, Numeric::minus),
            |_, a| Ok(float(a, |x, y| x - y)),
        ),
        (
            "*",
            |_, a| int(a, i64::checked_mul, 16),
            |_, a| int(a, i64::checked_mul, 32),
            |_, a| int(a, i64::checked_mul, 64),
            |_, a| exact(a, Numeric::times),
            |_, a| Ok(float(a, |x, y| x * y)),
        ),
        (
            "/",
            |_, a| not_by_zero(a).and_then(|()| int(a, i64::checked_div, 16)),
            |_, a| not_by_zero(a).and_then(|()| int(a, i64::checked_div, 32)),
            |_, a| not_by_zero(a).and_then(|()| int(a, i64::checked_div, 64)),
            |_, a| not_by_zero(a).and_then(|()| exact(a, Numeric::divide)),
            |_, a| not_by_zero(a).map(|()| float(a, |x, y| x / y)),
        ),
        (
            "%",
            |_, a| not_by_zero(a).and_then(|()| int(a, i64::checked_rem, 16)),
            |_, a| not_by_zero(a).and_then(|()| int(a, i64::checked_rem, 32)),
            |_, a| not_by_zero(a).and_then(|()| int(a, i64::checked_rem, 64)),
            |_, a| not_by_zero(a).and_then(|()| exact(a, Numeric::remainder)),
            |_, a| not_by_zero(a).map(|()| float(a, |x, y| x % y)),
        ),
    ] {
        f.strict(name, "int4, int4", "int4", middle);
        f.strict(name, "int2, int2", "int2", small);
        f.strict(name, "int8, int8", "int8", large);
        f.strict(name, "numeric, numeric", "numeric", numeric);
        f.strict(name, "float8, float8", "float8", float);
    }
    f.strict("- unary", "int4", "int4", |_, a| negated(a));
    f.strict("- unary", "int8", "int8", |_, a| negated(a));
    f.strict("- unary", "numeric", "numeric", |_, a| negated(a));
    f.strict("- unary", "float8", "float8", |_, a| negated(a));
    for (name, run) in [
        ("&", (|_, a| Ok(bits(a, |x, y| x & y))) as Run),
        ("|", |_, a| Ok(bits(a, |x, y| x | y))),
        ("#", |_, a| Ok(bits(a, |x, y| x ^ y))),
        ("<<", |_, a| {
            Ok(bits(a, |x, y| {
                x.wrapping_shl(u32::try_from(y & 63).unwrap_or(0))
            }))
        }),
        (">>", |_, a| {
            Ok(bits(a, |x, y| {
                x.wrapping_shr(u32::try_from(y & 63).unwrap_or(0))
            }))
        }),
    ] {
        f.strict(name, "int4, int4", "int4", run);
        f.strict(name, "int8, int8", "int8", run);
    }
    f.strict("~ unary", "int8", "int8", |_, a| {
        Ok(a.first()
            .and_then(Value::as_int)
            .map_or(Value::Null, |x| Value::Int(!x)))
    });
    for of in ["int8", "int4"] {
        f.strict("gcd", &format!("{of}, {of}"), of, |_, a| common(a, false));
        f.strict("lcm", &format!("{of}, {of}"), of, |_, a| common(a, true));
    }
    f.strict("to_hex", "int8", "text", |_, a| {
        let of = a.first().and_then(Value::as_int).unwrap_or_default();
        Ok(Value::text(format!("{of:x}")))
    });
    f.strict("to_hex", "int4", "text", |_, a| {
        let of = a.first().and_then(Value::as_int).unwrap_or_default();
        // The low half of its bits.
        Ok(Value::text(format!("{:x}", of as u32)))
    });
    f.strict("factorial", "int8", "numeric", |_, a| {
        let Some(n) = a.first().and_then(Value::as_int) else {
            return Ok(Value::Null);
        };
        if n < 0 {
            let message = "factorial of a negative number is undefined";
            return Err(failure("22003", message));
        }
        let mut product = Some(1_i128);
        for factor in 2..=i128::from(n.min(40)) {
            product = product.and_then(|product| product.checked_mul(factor));
        }
        let digits = product.ok_or_else(too_large)?;
        Ok(Value::Numeric(Numeric { digits, scale: 0 }))
    });
    f.strict("setseed", "float8", "void", |_, a| match a.first() {
        Some(Value::Float(seed)) if (-1.0..=1.0).contains(seed) => Ok(Value::text("")),
        _ => Err(failure(
            "22023",
            "setseed parameter is out of allowed range [-1,1]",
        )),
    });
    f.strict("mod", "int8, int8", "int8", |_, a| {
        not_by_zero(a).and_then(|()| int(a, i64::checked_rem, 64))
    });
    for of in ["int4", "int8", "numeric", "float8"] {
        f.strict("abs", of, of, |_, a| match a.first() {
            Some(Value::Int(x)) => x.checked_abs().map(Value::Int).ok_or_else(too_large),
            Some(Value::Float(x)) => Ok(Value::Float(x.abs())),
            Some(Value::Numeric(x)) if x.digits < 0 => Ok(Value::Numeric(x.negate())),
            other => Ok(other.cloned().unwrap_or(Value::Null)),
        });
    }
    f.strict("round", "numeric, int4?", "numeric", |_, a| {
        match a.first() {
            Some(Value::Numeric(x)) => {
                let scale = u32::try_from(super::text::int_at(a, 1)).unwrap_or(0);
                x.rescale(scale).map(Value::Numeric).ok_or_else(too_large)
            }
            _ => Ok(Value::Null),
        }
    });
    f.strict("round", "float8", "float8", |_, a| {
        Ok(whole(a, f64::round_ties_even))
    });
    f.strict("floor", "float8", "float8", |_, a| Ok(whole(a, f64::floor)));
    f.strict("ceil", "float8", "float8", |_, a| Ok(whole(a, f64::ceil)));
    f.strict("ceiling", "float8", "float8", |_, a| {
        Ok(whole(a, f64::ceil))
    });
    f.strict("trunc", "float8", "float8", |_, a| Ok(whole(a, f64::trunc)));
    f.strict("mod", "int4, int4", "int4", |_, a| {
        not_by_zero(a).and_then(|()| int(a, i64::checked_rem, 32))
    });
    f.strict("mod", "numeric, numeric", "numeric", |_, a| {
        not_by_zero(a).and_then(|()| exact(a, Numeric::remainder))
    });
    f.strict("div", "numeric, numeric", "numeric", |_, a| {
        not_by_zero(a)?;
        let [Value::Numeric(x), Value::Numeric(y)] = a else {
            return Ok(Value::Null);
        };
        let rest = x.remainder(*y).and_then(|rest| x.minus(rest));
        let whole = rest
            .and_then(|whole| whole.divide(*y))
            .and_then(|whole| whole.rescale(0));
        whole.map(Value::Numeric).ok_or_else(too_large)
    });
    f.strict("to_char", "numeric, text", "text", |_, a| {
        let mut pattern = pattern(a, 1)?;
        let Some(Value::Numeric(number)) = a.first() else {
            return Ok(Value::Null);
        };
        if pattern.is_scientific() {
            let text = scientific(number.to_float(), pattern.places());
            return Ok(Value::text(pattern.write(&text)));
        }
        let mut number = *number;
        for _ in 0..pattern.shift() {
            number = number.times(Numeric::integer(10)).ok_or_else(too_large)?;
        }
        let places = u32::try_from(pattern.places()).unwrap_or(0).min(38);
        pattern.limit_places(38);
        let rounded = number.rescale(places).ok_or_else(too_large)?;
        Ok(Value::text(pattern.write(&rounded.to_string())))
    });
    f.strict("to_char", "float8, text", "text", |_, a| {
        let mut pattern = pattern(a, 1)?;
        let Some(Value::Float(number)) = a.first() else {
            return Ok(Value::Null);
        };
        if pattern.is_scientific() {
            let text = scientific(*number, pattern.places());
            return Ok(Value::text(pattern.write(&text)));
        }
        let number = number * 10_f64.powi(i32::try_from(pattern.shift()).unwrap_or(0));
        // A double has fifteen digits that say something.
        let whole = format!("{:.0}", number.abs()).len();
        pattern.limit_places(15_usize.saturating_sub(whole));
        let places = pattern.places();
        Ok(Value::text(pattern.write(&format!("{number:.places$}"))))
    });
    f.strict("to_number", "text, text", "numeric", |_, a| {
        let pattern = pattern(a, 1)?;
        let read = pattern.read(str_at(a, 0));
        let read = read.map_err(|problem| failure("22P02", problem.0))?;
        let places = u32::try_from(pattern.places()).unwrap_or(0);
        let number = Numeric::parse(&read).and_then(|number| number.rescale(places));
        number.map(Value::Numeric).ok_or_else(too_large)
    });
    f.strict("scale", "numeric", "int4", |_, a| match a.first() {
        Some(Value::Numeric(number)) => Ok(Value::Int(i64::from(number.scale))),
        _ => Ok(Value::Null),
    });
    f.strict("min_scale", "numeric", "int4", |_, a| match a.first() {
        Some(Value::Numeric(number)) => Ok(Value::Int(i64::from(trimmed(*number).scale))),
        _ => Ok(Value::Null),
    });
    f.strict("trim_scale", "numeric", "numeric", |_, a| match a.first() {
        Some(Value::Numeric(number)) => Ok(Value::Numeric(trimmed(*number))),
        _ => Ok(Value::Null),
    });
    f.strict(
        "width_bucket",
        "float8, float8, float8, int4",
        "int4",
        width_bucket,
    );
    f.strict(
        "width_bucket",
        "numeric, numeric, numeric, int4",
        "int4",
        width_bucket_of_numeric,
    );
    f.strict("width_bucket", "anyelement, anyarray", "int4", |_, a| {
        let below = super::arrays::items(a, 1).iter();
        let below = below.filter(|bound| at_most(bound, a.first()));
        Ok(super::text::count(below.count()))
    });
}

fn pattern(a: &[Value], position: usize) -> Result<Pattern> {
    let pattern = Pattern::parse(str_at(a, position));
    pattern.map_err(|problem| failure("42601", problem.0))
}

/// `1.23e+04`.
fn scientific(number: f64, places: usize) -> String {
    let text = format!("{number:.places$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// A number without zeros at its end.
fn trimmed(mut number: Numeric) -> Numeric {
    while number.scale > 0 && number.digits % 10 == 0 {
        number.digits /= 10;
        number.scale -= 1;
    }
    number
}

fn too_large() -> Error {
    failure("22003", "value out of range")
}

fn int(a: &[Value], operate: fn(i64, i64) -> Option<i64>, width: u32) -> Result<Value> {
    let [Value::Int(x), Value::Int(y)] = a else {
        return Ok(Value::Null);
    };
    let (name, most) = match width {
        16 => ("smallint", i64::from(i16::MAX)),
        32 => ("integer", i64::from(i32::MAX)),
        _ => ("bigint", i64::MAX),
    };
    let in_range = |value: &i64| (-most - 1..=most).contains(value);
    let value = operate(*x, *y).filter(in_range);
    value
        .map(Value::Int)
        .ok_or_else(|| failure("22003", format!("{name} out of range")))
}

fn exact(a: &[Value], operate: fn(Numeric, Numeric) -> Option<Numeric>) -> Result<Value> {
    let [Value::Numeric(x), Value::Numeric(y)] = a else {
        return Ok(Value::Null);
    };
    operate(*x, *y).map(Value::Numeric).ok_or_else(too_large)
}

pub(super) fn float(a: &[Value], operate: fn(f64, f64) -> f64) -> Value {
    match a {
        [Value::Float(x), Value::Float(y)] => Value::Float(operate(*x, *y)),
        _ => Value::Null,
    }
}

fn not_by_zero(a: &[Value]) -> Result<()> {
    let is_zero = match a.get(1) {
        Some(Value::Int(value)) => *value == 0,
        Some(Value::Float(value)) => *value == 0.0,
        Some(Value::Numeric(value)) => value.is_zero(),
        _ => false,
    };
    match is_zero {
        true => Err(failure("22012", "division by zero")),
        false => Ok(()),
    }
}

/// The greatest common divisor, or the least common multiple.
fn common(a: &[Value], is_multiple: bool) -> Result<Value> {
    let (Some(x), Some(y)) = (
        a.first().and_then(Value::as_int),
        a.get(1).and_then(Value::as_int),
    ) else {
        return Ok(Value::Null);
    };
    let (mut divisor, mut rest) = (i128::from(x).abs(), i128::from(y).abs());
    let product = divisor * rest;
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let result = match is_multiple {
        true if divisor == 0 => 0,
        true => product / divisor,
        false => divisor,
    };
    i64::try_from(result)
        .map(Value::Int)
        .map_err(|_| too_large())
}

fn negated(a: &[Value]) -> Result<Value> {
    Ok(match a.first() {
        Some(Value::Int(x)) => Value::Int(x.checked_neg().ok_or_else(too_large)?),
        Some(Value::Float(x)) => Value::Float(-x),
        Some(Value::Numeric(x)) => Value::Numeric(x.negate()),
        _ => Value::Null,
    })
}

fn bits(a: &[Value], operate: fn(i64, i64) -> i64) -> Value {
    match a {
        [Value::Int(x), Value::Int(y)] => Value::Int(operate(*x, *y)),
        _ => Value::Null,
    }
}

pub(super) fn whole(a: &[Value], operate: fn(f64) -> f64) -> Value {
    match a.first() {
        Some(Value::Float(x)) => Value::Float(operate(*x)),
        _ => Value::Null,
    }
}

fn width_bucket(_: &super::Context<'_>, a: &[Value]) -> Result<Value> {
    let [
        Value::Float(value),
        Value::Float(low),
        Value::Float(high),
        Value::Int(count),
    ] = a
    else {
        return Ok(Value::Null);
    };
    if value.is_nan() || low.is_nan() || high.is_nan() {
        let message = "operand, lower bound, and upper bound cannot be NaN";
        return Err(failure("2201G", message));
    }
    if low.is_infinite() || high.is_infinite() {
        return Err(failure("2201G", "lower and upper bounds must be finite"));
    }
    check_buckets(*count, low == high)?;
    // A range that falls is that of the numbers' negatives.
    let (value, low, high) = match low < high {
        true => (*value, *low, *high),
        false => (-value, -low, -high),
    };
    let buckets = *count as f64;
    Ok(Value::Int(match value {
        value if value < low => 0,
        value if value >= high => count + 1,
        value => ((buckets * ((value - low) / (high - low))) as i64).min(count - 1) + 1,
    }))
}

fn width_bucket_of_numeric(_: &super::Context<'_>, a: &[Value]) -> Result<Value> {
    let [
        Value::Numeric(value),
        Value::Numeric(low),
        Value::Numeric(high),
        Value::Int(count),
    ] = a
    else {
        return Ok(Value::Null);
    };
    check_buckets(*count, low.compare(high).is_eq())?;
    let (value, low, high) = match low.compare(high).is_lt() {
        true => (*value, *low, *high),
        false => (value.negate(), low.negate(), high.negate()),
    };
    if value.compare(&low).is_lt() {
        return Ok(Value::Int(0));
    }
    if value.compare(&high).is_ge() {
        return Ok(Value::Int(count + 1));
    }
    let place = || {
        let part = value.minus(low)?.times(Numeric::integer(*count))?;
        let width = high.minus(low)?;
        let rest = part.remainder(width)?;
        part.minus(rest)?.divide(width)?.to_integer()
    };
    let place = place().ok_or_else(too_large)?;
    Ok(Value::Int(place + 1))
}

fn check_buckets(count: i64, are_bounds_equal: bool) -> Result<()> {
    let message = match (count, are_bounds_equal) {
        (..=0, _) => "count must be greater than zero",
        (_, true) => "lower bound cannot equal upper bound",
        _ => return Ok(()),
    };
    Err(failure("2201G", message))
}

/// Whether a bound of buckets is no more than a value; both may be numbers of different types.
fn at_most(bound: &Value, value: Option<&Value>) -> bool {
    let number = |value: &Value| match value {
        Value::Int(number) => Some(Numeric::integer(*number)),
        Value::Numeric(number) => Some(*number),
        _ => None,
    };
    let Some(value) = value else { return false };
    match (number(bound), number(value)) {
        (Some(bound), Some(value)) => bound.compare(&value).is_le(),
        _ => bound.order(value).is_le(),
    }
}
