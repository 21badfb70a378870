//! Functions of texts.

mod formats;
mod unicode;

use super::Functions;
use super::patterns::{compiled, is_like};
use crate::cast::failure;
use crate::error::Result;
use crate::interpret::run::Context;
use crate::value::Value;
use formats::{format, parse_ident, string_to_array};
use unicode::unistr;

pub fn register(f: &mut Functions) {
    f.strict("lower", "text", "text", |_, a| map(a, |t| t.to_lowercase()));
    f.strict("upper", "text", "text", |_, a| {
        map(a, |t| t.chars().map(capital).collect())
    });
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
    f.strict("overlay", "text, text, int4, int4?", "text", overlay);
    f.strict("parse_ident", "text, bool?", "text[]", parse_ident);
    f.lenient(
        "string_to_array",
        "text, text, text?",
        "text[]",
        string_to_array,
    );
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
    f.strict("lpad", "text, int4, text?", "text", |_, a| pad(a, true));
    f.strict("rpad", "text, int4, text?", "text", |_, a| pad(a, false));
    f.strict("ascii", "text", "int4", |_, a| {
        Ok(Value::Int(
            str_at(a, 0)
                .chars()
                .next()
                .map_or(0, |c| i64::from(u32::from(c))),
        ))
    });
    f.strict("bit", "text", "bit", |_, a| {
        let wrong = str_at(a, 0).chars().find(|bit| !matches!(bit, '0' | '1'));
        match wrong {
            None => Ok(Value::text(str_at(a, 0))),
            Some(wrong) => {
                let message = format!("\"{wrong}\" is not a valid binary digit");
                Err(failure("22P02", &message))
            }
        }
    });
    f.strict("chr", "int4", "text", |_, a| {
        if int_at(a, 0) == 0 {
            return Err(failure("54000", "null character not permitted"));
        }
        let letter = u32::try_from(int_at(a, 0)).ok().and_then(char::from_u32);
        Ok(Value::optional(letter.map(String::from)))
    });
    f.strict("unistr", "text", "text", unistr);
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
    let pattern = similar_pattern(str_at(a, 1));
    Ok(Value::Bool(
        compiled(&pattern, false)?(str_at(a, 0), 0).is_some(),
    ))
}

/// A pattern of `SIMILAR TO` as a regular expression.
pub fn similar_pattern(similar: &str) -> String {
    let mut pattern = String::from("^(?:");
    let (mut letters, mut in_brackets) = (similar.chars(), false);
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => pattern.extend(letters.next().into_iter().flat_map(|c| ['\\', c])),
            '[' if !in_brackets => {
                in_brackets = true;
                pattern.push(letter);
            }
            ']' if in_brackets => {
                in_brackets = false;
                pattern.push(letter);
            }
            letter if in_brackets => pattern.push(letter),
            '%' => pattern.push_str(".*"),
            '_' => pattern.push('.'),
            '.' | '^' | '$' => pattern.extend(['\\', letter]),
            letter => pattern.push(letter),
        }
    }
    pattern.push_str(")$");
    pattern
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
pub const MOST_LETTERS: usize = 1 << 28;

fn repeat(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let (text, times) = (str_at(a, 0), usize::try_from(int_at(a, 1)).unwrap_or(0));
    match text.len().checked_mul(times) {
        Some(length) if length <= MOST_LETTERS => Ok(Value::text(text.repeat(times))),
        _ => Err(failure("54000", "requested length too large")),
    }
}

fn pad(a: &[Value], is_left: bool) -> Result<Value> {
    let length = usize::try_from(int_at(a, 1)).unwrap_or(0);
    if length > MOST_LETTERS {
        return Err(failure("54000", "requested length too large"));
    }
    let fill = if a.len() > 2 { str_at(a, 2) } else { " " };
    let text: String = str_at(a, 0).chars().take(length).collect();
    let missing = length - text.chars().count();
    let fill: String = fill
        .chars()
        .cycle()
        .take(if fill.is_empty() { 0 } else { missing })
        .collect();
    Ok(Value::text(if is_left {
        fill + &text
    } else {
        text + &fill
    }))
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

/// A letter's capital, where it is one letter.
fn capital(letter: char) -> char {
    let mut capital = letter.to_uppercase();
    match (capital.next(), capital.next()) {
        (Some(capital), None) => capital,
        _ => letter,
    }
}

fn capitalized(text: &str) -> String {
    let mut starts = true;
    let letters = text.chars().flat_map(|letter| {
        let changed: Vec<char> = match starts {
            true => vec![capital(letter)],
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

/// The letters of a text that others take the place of.
fn overlay(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let (text, new, from) = (str_at(a, 0), str_at(a, 1), int_at(a, 2));
    if from <= 0 {
        return Err(failure("22011", "negative substring length not allowed"));
    }
    let length = match a.get(3) {
        Some(Value::Int(length)) => *length,
        _ => i64::try_from(new.chars().count()).unwrap_or(i64::MAX),
    };
    let start = usize::try_from(from - 1).unwrap_or(0);
    let end = usize::try_from(from.saturating_add(length) - 1).unwrap_or(0);
    let place = |letters: usize| {
        let letter = text.char_indices().nth(letters);
        letter.map_or(text.len(), |(place, _)| place)
    };
    let before = text.get(..place(start)).unwrap_or(text);
    let after = text.get(place(end)..).unwrap_or_default();
    Ok(Value::text([before, new, after].concat()))
}

#[cfg(test)]
mod tests;
