//! Functions of texts.

use super::super::cast::failure;
use super::super::interpret::run::Context;
use super::super::value::Value;
use super::Functions;
use super::patterns::{compiled, is_like};
use crate::error::Result;

pub fn register(f: &mut Functions) {
    f.strict("lower", "text", "text", |_, a| map(a, |t| t.to_lowercase()));
    f.strict("upper", "text", "text", |_, a| map(a, |t| t.to_uppercase()));
    f.strict("initcap", "text", "text", |_, a| map(a, capitalized));
    for name in ["length", "char_length", "character_length"] {
        f.strict(name, "text", "int4", |_, a| {
            Ok(count(str_at(a, 0).chars().count()))
        });
    }
    f.strict("octet_length", "text", "int4", |_, a| {
        Ok(count(str_at(a, 0).len()))
    });
    for name in ["substring", "substr"] {
        f.strict(name, "text, int4, int4?", "text", substring);
    }
    f.strict("substring", "text, text", "text", substring_of_pattern);
    f.strict("left", "text, int4", "text", |_, a| {
        Ok(Value::text(side(a, false)))
    });
    f.strict("right", "text, int4", "text", |_, a| {
        Ok(Value::text(side(a, true)))
    });
    f.strict("replace", "text, text, text", "text", |_, a| {
        let (from, to) = (str_at(a, 1), str_at(a, 2));
        map(a, |t| {
            if from.is_empty() {
                t.to_owned()
            } else {
                t.replace(from, to)
            }
        })
    });
    f.strict("strpos", "text, text", "int4", position);
    f.strict("position", "text, text", "int4", position);
    f.strict("starts_with", "text, text", "bool", |_, a| {
        Ok(Value::Bool(str_at(a, 0).starts_with(str_at(a, 1))))
    });
    f.strict("^@", "text, text", "bool", |_, a| {
        Ok(Value::Bool(str_at(a, 0).starts_with(str_at(a, 1))))
    });
    for (name, run) in [
        ("btrim", (|_, a| trim(a, true, true)) as super::Run),
        ("ltrim", |_, a| trim(a, true, false)),
        ("rtrim", |_, a| trim(a, false, true)),
        ("trim", |_, a| trim(a, true, true)),
    ] {
        f.strict(name, "text, text?", "text", run);
    }
    f.strict("repeat", "text, int4", "text", repeat);
    f.strict("reverse", "text", "text", |_, a| {
        map(a, |t| t.chars().rev().collect())
    });
    f.strict("split_part", "text, text, int4", "text", split_part);
    f.strict("lpad", "text, int4, text?", "text", |_, a| Ok(pad(a, true)));
    f.strict("rpad", "text, int4, text?", "text", |_, a| {
        Ok(pad(a, false))
    });
    f.strict("ascii", "text", "int4", |_, a| {
        Ok(Value::Int(
            str_at(a, 0)
                .chars()
                .next()
                .map_or(0, |c| i64::from(u32::from(c))),
        ))
    });
    f.strict("chr", "int4", "text", |_, a| {
        let letter = u32::try_from(int_at(a, 0)).ok().and_then(char::from_u32);
        Ok(Value::optional(letter.map(String::from)))
    });
    f.strict("translate", "text, text, text", "text", translate);
    f.strict("quote_ident", "text", "text", |_, a| map(a, quote_ident));
    f.strict("quote_literal", "anytext", "text", |_, a| {
        map(a, quote_literal)
    });
    f.lenient("quote_nullable", "anytext", "text", |_, a| {
        match a.first() {
            Some(Value::Text(text)) => Ok(Value::text(quote_literal(text))),
            _ => Ok(Value::text("NULL")),
        }
    });
    f.lenient("concat", "anytext...", "text", |_, a| {
        Ok(Value::text(
            a.iter().filter_map(Value::as_str).collect::<String>(),
        ))
    });
    f.lenient("concat_ws", "text, anytext...", "text", |_, a| {
        match a.split_first() {
            Some((Value::Text(separator), parts)) => {
                let parts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
                Ok(Value::text(parts.join(separator)))
            }
            _ => Ok(Value::Null),
        }
    });
    f.lenient("format", "text, anytext...", "text", format);
    f.strict("~", "text, text", "bool", matches);
    f.strict("~*", "text, text", "bool", matches_any_case);
    f.strict("~~", "text, text", "bool", like);
    f.strict("~~*", "text, text", "bool", like_any_case);
    f.strict("similar", "text, text", "bool", similar);
    f.strict("textregexeq", "text, text", "bool", matches);
    f.strict(
        "regexp_replace",
        "text, text, text, text?",
        "text",
        regexp_replace,
    );
    f.strict("regexp_match", "text, text, text?", "text[]", |_, a| {
        Ok(captures(a)?.into_iter().next().unwrap_or(Value::Null))
    });
    f.strict(
        "regexp_split_to_array",
        "text, text",
        "text[]",
        regexp_split,
    );
    f.strict("md5", "text", "text", |_, a| {
        let digest = md5(str_at(a, 0).as_bytes());
        Ok(Value::text(
            digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        ))
    });
}

pub fn str_at(arguments: &[Value], position: usize) -> &str {
    arguments
        .get(position)
        .and_then(Value::as_str)
        .unwrap_or("")
}

pub fn int_at(arguments: &[Value], position: usize) -> i64 {
    arguments.get(position).and_then(Value::as_int).unwrap_or(0)
}

pub fn count(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn map(arguments: &[Value], change: impl Fn(&str) -> String) -> Result<Value> {
    Ok(Value::text(change(str_at(arguments, 0))))
}

pub fn concatenate(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    Ok(Value::text([str_at(a, 0), str_at(a, 1)].concat()))
}

pub fn matches(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let find = compiled(str_at(a, 1), false)?;
    Ok(Value::Bool(find(str_at(a, 0), 0).is_some()))
}

pub fn matches_any_case(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let find = compiled(str_at(a, 1), true)?;
    Ok(Value::Bool(find(str_at(a, 0), 0).is_some()))
}

pub fn matches_not(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let find = compiled(str_at(a, 1), false)?;
    Ok(Value::Bool(find(str_at(a, 0), 0).is_none()))
}

pub fn like(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    Ok(Value::Bool(is_like(str_at(a, 0), str_at(a, 1), false)))
}

pub fn like_any_case(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    Ok(Value::Bool(is_like(str_at(a, 0), str_at(a, 1), true)))
}

pub fn like_not_any_case(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    Ok(Value::Bool(!is_like(str_at(a, 0), str_at(a, 1), true)))
}

pub fn like_not(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    Ok(Value::Bool(!is_like(str_at(a, 0), str_at(a, 1), false)))
}

/// A pattern with another escape, as one with the usual one.
pub fn like_escape(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let mut escapes = str_at(a, 1).chars();
    let escape = escapes.next();
    if escapes.next().is_some() {
        return Err(failure(
            "22019",
            "invalid escape string: it must be one character",
        ));
    }
    if escape == Some('\\') {
        return Ok(Value::text(str_at(a, 0)));
    }
    let mut pattern = String::new();
    let mut letters = str_at(a, 0).chars();
    while let Some(letter) = letters.next() {
        if Some(letter) == escape {
            pattern.push('\\');
            pattern.extend(letters.next());
        } else {
            if letter == '\\' {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
    }
    Ok(Value::text(pattern))
}

fn similar(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let mut pattern = String::from("^(?:");
    for letter in str_at(a, 1).chars() {
        match letter {
            '%' => pattern.push_str(".*"),
            '_' => pattern.push('.'),
            '.' | '^' | '$' => pattern.extend(['\\', letter]),
            letter => pattern.push(letter),
        }
    }
    pattern.push_str(")$");
    Ok(Value::Bool(
        compiled(&pattern, false)?(str_at(a, 0), 0).is_some(),
    ))
}

fn substring(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let from = int_at(a, 1);
    let until = match a.get(2) {
        Some(Value::Int(length)) if *length < 0 => {
            return Err(failure("22011", "negative substring length not allowed"));
        }
        Some(Value::Int(length)) => from.saturating_add(*length),
        _ => i64::MAX,
    };
    let letters = str_at(a, 0).chars().zip(1_i64..);
    let letters = letters.filter(|(_, place)| (from..until).contains(place));
    Ok(Value::text(
        letters.map(|(letter, _)| letter).collect::<String>(),
    ))
}

fn substring_of_pattern(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let text = str_at(a, 0);
    let Some(places) = compiled(str_at(a, 1), false)?(text, 0) else {
        return Ok(Value::Null);
    };
    // The first group, or all where there is none.
    let place = places.get(1).or(places.first()).copied().flatten();
    Ok(Value::optional(
        place.and_then(|(from, to)| text.get(from..to)),
    ))
}

fn side(a: &[Value], from_right: bool) -> String {
    let letters: Vec<char> = str_at(a, 0).chars().collect();
    let length = i64::try_from(letters.len()).unwrap_or(i64::MAX);
    let count = int_at(a, 1);
    let kept = if count < 0 {
        (length + count).max(0)
    } else {
        count.min(length)
    };
    let kept = usize::try_from(kept).unwrap_or(0);
    let kept = match from_right {
        true => letters.get(letters.len() - kept..),
        false => letters.get(..kept),
    };
    kept.unwrap_or_default().iter().collect()
}

fn position(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let text = str_at(a, 0);
    Ok(match text.find(str_at(a, 1)) {
        Some(at) => count(text.get(..at).unwrap_or("").chars().count() + 1),
        None => Value::Int(0),
    })
}

fn trim(a: &[Value], at_start: bool, at_end: bool) -> Result<Value> {
    let letters = if a.len() > 1 { str_at(a, 1) } else { " " };
    let mut text = str_at(a, 0);
    if at_start {
        text = text.trim_start_matches(|c| letters.contains(c));
    }
    if at_end {
        text = text.trim_end_matches(|c| letters.contains(c));
    }
    Ok(Value::text(text))
}

/// The longest text that a function makes.
const MOST_LETTERS: usize = 1 << 20;

fn repeat(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let (text, times) = (str_at(a, 0), usize::try_from(int_at(a, 1)).unwrap_or(0));
    match text.len().checked_mul(times) {
        Some(length) if length <= MOST_LETTERS => Ok(Value::text(text.repeat(times))),
        _ => Err(failure("54000", "the repeated text is too long")),
    }
}

fn pad(a: &[Value], is_left: bool) -> Value {
    let length = usize::try_from(int_at(a, 1)).unwrap_or(0).min(MOST_LETTERS);
    let fill = if a.len() > 2 { str_at(a, 2) } else { " " };
    let text: String = str_at(a, 0).chars().take(length).collect();
    let missing = length - text.chars().count();
    let fill: String = fill
        .chars()
        .cycle()
        .take(if fill.is_empty() { 0 } else { missing })
        .collect();
    Value::text(if is_left { fill + &text } else { text + &fill })
}

fn split_part(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let (text, separator, number) = (str_at(a, 0), str_at(a, 1), int_at(a, 2));
    let parts: Vec<&str> = match separator.is_empty() {
        true => vec![text],
        false => text.split(separator).collect(),
    };
    let position = match number {
        0 => return Err(failure("22023", "field position must not be zero")),
        1.. => usize::try_from(number - 1).ok(),
        _ => usize::try_from(-number)
            .ok()
            .and_then(|back| parts.len().checked_sub(back)),
    };
    let part = position.and_then(|position| parts.get(position));
    Ok(Value::text(part.unwrap_or(&"")))
}

fn translate(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let from: Vec<char> = str_at(a, 1).chars().collect();
    let to: Vec<char> = str_at(a, 2).chars().collect();
    let letters = str_at(a, 0).chars().filter_map(|letter| {
        match from.iter().position(|known| *known == letter) {
            Some(position) => to.get(position).copied(),
            None => Some(letter),
        }
    });
    Ok(Value::text(letters.collect::<String>()))
}

fn capitalized(text: &str) -> String {
    let mut starts = true;
    let letters = text.chars().flat_map(|letter| {
        let changed: Vec<char> = match starts {
            true => letter.to_uppercase().collect(),
            false => letter.to_lowercase().collect(),
        };
        starts = !letter.is_alphanumeric();
        changed
    });
    letters.collect()
}

/// An identifier, in quotes where it needs them.
pub fn quote_ident(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !super::super::relations::is_reserved(text);
    match is_plain {
        true => text.to_owned(),
        false => format!("\"{}\"", text.replace('"', "\"\"")),
    }
}

pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!("E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

/// `format('%s %I %L', …)`.
fn format(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let Some(Value::Text(pattern)) = a.first() else {
        return Ok(Value::Null);
    };
    let mut text = String::new();
    let mut next = 1;
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let mut number = String::new();
        while let Some(digit) = letters.next_if(char::is_ascii_digit) {
            number.push(digit);
        }
        if !number.is_empty() && letters.next_if_eq(&'$').is_some() {
            next = number.parse().unwrap_or(next);
        }
        let kind = letters.next();
        if kind == Some('%') {
            text.push('%');
            continue;
        }
        let Some(value) = a.get(next) else {
            return Err(failure("22023", "too few arguments for format()"));
        };
        next += 1;
        match (kind, value.as_str()) {
            (Some('s'), value) => text.push_str(value.unwrap_or("")),
            (Some('I'), Some(value)) => text.push_str(&quote_ident(value)),
            (Some('L'), Some(value)) => text.push_str(&quote_literal(value)),
            (Some('L'), None) => text.push_str("NULL"),
            _ => return Err(failure("22023", "unrecognized format() type specifier")),
        }
    }
    Ok(Value::text(text))
}

fn captures(a: &[Value]) -> Result<Vec<Value>> {
    let text = str_at(a, 0);
    let find = compiled(str_at(a, 1), str_at(a, 2).contains('i'))?;
    let Some(places) = find(text, 0) else {
        return Ok(Vec::new());
    };
    let groups = if places.len() > 1 {
        places.get(1..)
    } else {
        places.get(..)
    };
    let groups = groups.unwrap_or_default().iter();
    let groups =
        groups.map(|place| Value::optional(place.and_then(|(from, to)| text.get(from..to))));
    Ok(vec![Value::array(groups.collect())])
}

fn regexp_replace(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let (text, replacement, flags) = (str_at(a, 0), str_at(a, 2), str_at(a, 3));
    let find = compiled(str_at(a, 1), flags.contains('i'))?;
    let (mut result, mut from) = (String::new(), 0);
    while let Some(places) = find(text, from) {
        let Some((start, end)) = places.first().copied().flatten() else {
            break;
        };
        result.push_str(text.get(from..start).unwrap_or(""));
        let mut letters = replacement.chars();
        while let Some(letter) = letters.next() {
            if letter != '\\' {
                result.push(letter);
                continue;
            }
            let group = match letters.next() {
                Some('&') => 0,
                Some(digit) if digit.is_ascii_digit() => digit.to_digit(10).unwrap_or(0) as usize,
                other => {
                    result.extend(other);
                    continue;
                }
            };
            let place = places.get(group).copied().flatten();
            result.push_str(place.and_then(|(a, b)| text.get(a..b)).unwrap_or(""));
        }
        from = end;
        if !flags.contains('g') {
            break;
        }
        if start == end {
            // An empty match: one letter on, lest it be found for ever.
            let Some(letter) = text.get(from..).and_then(|rest| rest.chars().next()) else {
                break;
            };
            result.push(letter);
            from += letter.len_utf8();
        }
    }
    result.push_str(text.get(from..).unwrap_or(""));
    Ok(Value::text(result))
}

fn regexp_split(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let text = str_at(a, 0);
    let find = compiled(str_at(a, 1), false)?;
    let (mut parts, mut from) = (Vec::new(), 0);
    while let Some((start, end)) = find(text, from).and_then(|p| p.first().copied().flatten()) {
        if start == end {
            break;
        }
        parts.push(text.get(from..start).unwrap_or(""));
        from = end;
    }
    parts.push(text.get(from..).unwrap_or(""));
    Ok(Value::texts(parts))
}

/// RFC 1321.
fn md5(message: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [
        [7, 12, 17, 22],
        [5, 9, 14, 20],
        [4, 11, 16, 23],
        [6, 10, 15, 21],
    ];
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend(((message.len() as u64).wrapping_mul(8)).to_le_bytes());
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        let word = |at: usize| {
            let bytes = block
                .get(at * 4..at * 4 + 4)
                .and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u32::from_le_bytes)
        };
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64_usize {
            let (mixed, at) = match step / 16 {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            let sine = ((step as f64 + 1.0).sin().abs() * 4_294_967_296.0) as u32;
            let shift = SHIFTS.get(step / 16).and_then(|row| row.get(step % 4));
            let sum = a
                .wrapping_add(mixed)
                .wrapping_add(sine)
                .wrapping_add(word(at));
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(shift.copied().unwrap_or(0)));
        }
        for (part, add) in state.iter_mut().zip([a, b, c, d]) {
            *part = part.wrapping_add(add);
        }
    }
    let mut digest = [0; 16];
    for (place, byte) in digest
        .iter_mut()
        .zip(state.iter().flat_map(|part| part.to_le_bytes()))
    {
        *place = byte;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_is_that_of_the_rfc() {
        let hex = |text: &str| -> String {
            let digest = md5(text.as_bytes());
            digest.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        assert_eq!(hex(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
        assert_eq!(
            hex(&"1234567890".repeat(8)),
            "57edf4a22be3c955ac49da2e2107b67a"
        );
    }

    #[test]
    fn names_are_quoted_where_they_must() {
        assert_eq!(quote_ident("signals"), "signals");
        assert_eq!(quote_ident("Signals"), "\"Signals\"");
        assert_eq!(quote_ident("select"), "\"select\"");
        assert_eq!(quote_ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\b"), "E'a\\\\b'");
    }
}
