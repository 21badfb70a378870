//! `unistr`: escapes of letters by their numbers.

use super::str_at;
use crate::cast::failure;
use crate::error::Result;
use crate::interpret::run::Context;
use crate::value::Value;

/// A text with `\XXXX`, `\+XXXXXX`, `\uXXXX` and `\UXXXXXXXX` as the letters of these numbers.
pub fn unistr(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let mut text = String::new();
    let mut rest = str_at(a, 0);
    while let Some((before, behind)) = rest.split_once('\\') {
        text.push_str(before);
        if let Some(behind) = behind.strip_prefix('\\') {
            text.push('\\');
            rest = behind;
            continue;
        }
        let (mut number, mut left) = escaped(behind)?;
        // The halves of a letter that UTF-16 writes as two.
        if let 0xD800..=0xDBFF = number {
            let second = left.strip_prefix('\\').ok_or_else(wrong_pair)?;
            let (low, behind) = escaped(second)?;
            if !(0xDC00..=0xDFFF).contains(&low) {
                return Err(wrong_pair());
            }
            number = 0x1_0000 + ((number - 0xD800) << 10) + (low - 0xDC00);
            left = behind;
        }
        match char::from_u32(number) {
            Some('\0') => {
                let message = "invalid Unicode code point: 0000";
                return Err(failure("22023", message));
            }
            Some(letter) => text.push(letter),
            None if number <= 0x10_FFFF => return Err(wrong_pair()),
            None => {
                let message = format!("invalid Unicode code point: {number:04X}");
                return Err(failure("22023", message));
            }
        }
        rest = left;
    }
    text.push_str(rest);
    Ok(Value::text(text))
}

/// The number behind a backslash, and what follows it.
fn escaped(text: &str) -> Result<(u32, &str)> {
    let (length, digits) = match text.chars().next() {
        Some('u') => (4, text.get(1..)),
        Some('U') => (8, text.get(1..)),
        Some('+') => (6, text.get(1..)),
        _ => (4, Some(text)),
    };
    let digits = digits.and_then(|text| Some((text.get(..length)?, text.get(length..)?)));
    let number = digits
        .filter(|(digits, _)| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|(digits, rest)| Some((u32::from_str_radix(digits, 16).ok()?, rest)));
    number.ok_or_else(|| {
        let message = "invalid Unicode escape: it is \\XXXX, \\+XXXXXX, \\uXXXX or \\UXXXXXXXX";
        failure("42601", message)
    })
}

fn wrong_pair() -> crate::error::Error {
    failure("42601", "invalid Unicode surrogate pair")
}
