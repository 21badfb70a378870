//! Angles in degrees, exact where they are whole.

use super::Functions;
use super::numbers::{float, whole};
use crate::cast::failure;
use crate::error::Result;
use crate::value::Value;

pub fn register(f: &mut Functions) {
    f.strict("sind", "float8", "float8", |_, a| Ok(whole(a, sind)));
    f.strict("cosd", "float8", "float8", |_, a| {
        Ok(whole(a, |x| sind(90.0 - x)))
    });
    f.strict("tand", "float8", "float8", |_, a| Ok(whole(a, tand)));
    f.strict("cotd", "float8", "float8", |_, a| {
        Ok(whole(a, |x| 1.0 / tand(x)))
    });
    f.strict("asind", "float8", "float8", |_, a| in_degrees(a, f64::asin));
    f.strict("acosd", "float8", "float8", |_, a| in_degrees(a, f64::acos));
    f.strict("atand", "float8", "float8", |_, a| {
        Ok(whole(a, |x| rounded(x.atan().to_degrees())))
    });
    f.strict("atan2d", "float8, float8", "float8", |_, a| {
        Ok(float(a, |y, x| rounded(y.atan2(x).to_degrees())))
    });
}

/// A sine of degrees, exact where it is a half or whole.
fn sind(degrees: f64) -> f64 {
    let turned = degrees % 360.0;
    let (sign, turned) = match turned < 0.0 {
        true => (-1.0, -turned),
        false => (1.0, turned),
    };
    let (sign, turned) = match turned > 180.0 {
        true => (-sign, turned - 180.0),
        false => (sign, turned),
    };
    let turned = match turned > 90.0 {
        true => 180.0 - turned,
        false => turned,
    };
    let sine = match turned {
        30.0 => 0.5,
        90.0 => 1.0,
        turned => turned.to_radians().sin(),
    };
    sign * sine
}

fn tand(degrees: f64) -> f64 {
    let turned = degrees % 180.0;
    match turned {
        45.0 | -135.0 => 1.0,
        -45.0 | 135.0 => -1.0,
        _ => sind(degrees) / sind(90.0 - degrees),
    }
}

/// An angle whose last digits are those of a conversion, without them.
fn rounded(degrees: f64) -> f64 {
    let whole = degrees.round();
    match (degrees - whole).abs() < 1e-13 {
        true => whole,
        false => degrees,
    }
}

fn in_degrees(a: &[Value], angle: fn(f64) -> f64) -> Result<Value> {
    match a.first() {
        Some(Value::Float(x)) if x.abs() > 1.0 => Err(failure("22003", "input is out of range")),
        Some(Value::Float(x)) => Ok(Value::Float(rounded(angle(*x).to_degrees()))),
        _ => Ok(Value::Null),
    }
}
