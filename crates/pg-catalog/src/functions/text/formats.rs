//! Texts taken apart and put together: `parse_ident`, `string_to_array`, `format`.

use super::*;

/// The parts of a name that may be qualified and quoted.
pub(super) fn parse_ident(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let text = str_at(a, 0);
    let is_strict = !matches!(a.get(1), Some(Value::Bool(false)));
    let wrong = || {
        let message = format!("string is not a valid identifier: \"{text}\"");
        failure("22023", message)
    };
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut after = quoted;
            loop {
                let (part, more) = after.split_once('"').ok_or_else(wrong)?;
                name.push_str(part);
                after = more;
                match after.strip_prefix('"') {
                    Some(more) => {
                        name.push('"');
                        after = more;
                    }
                    None => break,
                }
            }
            if name.is_empty() {
                return Err(wrong());
            }
            parts.push(name);
            rest = after;
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$')));
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit() || c == '$') {
                return Err(wrong());
            }
            parts.push(name.to_lowercase());
            rest = after;
        }
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None if rest.is_empty() || !is_strict => return Ok(Value::texts(parts)),
            None => return Err(wrong()),
        }
    }
}

pub(super) fn string_to_array(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let Some(Value::Text(text)) = a.first() else {
        return Ok(Value::Null);
    };
    let null = a.get(2).and_then(Value::as_str);
    let item = |part: &str| match null {
        Some(null) if null == part => Value::Null,
        _ => Value::text(part),
    };
    let items: Vec<Value> = match a.get(1) {
        _ if text.is_empty() => Vec::new(),
        Some(Value::Text(separator)) if separator.is_empty() => vec![item(text)],
        Some(Value::Text(separator)) => text.split(&**separator).map(item).collect(),
        // Without a separator every letter is an item.
        _ => text
            .chars()
            .map(|letter| item(&letter.to_string()))
            .collect(),
    };
    Ok(Value::array(items))
}

/// `format('%s %I %L', …)`, with places (`%2$s`) and widths (`%-10s`, `%*s`).
pub(super) fn format(_: &Context<'_>, a: &[Value]) -> Result<Value> {
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
        if letters.next_if_eq(&'%').is_some() {
            text.push('%');
            continue;
        }
        let digits = |letters: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut number = String::new();
            while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                number.push(digit);
            }
            number
        };
        let too_few = || failure("22023", "too few arguments for format()");
        let mut number = digits(&mut letters);
        let mut place = None;
        if !number.is_empty() && letters.next_if_eq(&'$').is_some() {
            let given: usize = number.parse().map_err(|_| too_few())?;
            if given == 0 {
                let message = "format specifies argument 0, but arguments are numbered from 1";
                return Err(failure("22023", message));
            }
            place = Some(given);
            number.clear();
        }
        let mut is_left = false;
        if number.is_empty() {
            while letters.next_if_eq(&'-').is_some() {
                is_left = true;
            }
            if letters.next_if_eq(&'*').is_some() {
                let width = a.get(next).ok_or_else(too_few)?;
                next += 1;
                number = width.as_str().unwrap_or("0").to_owned();
                if let Some(width) = number.strip_prefix('-') {
                    is_left = true;
                    number = width.to_owned();
                }
            } else {
                number = digits(&mut letters);
            }
        }
        let width: usize = match number.as_str() {
            "" => 0,
            number => number
                .parse()
                .map_err(|_| failure("22003", "number is out of range"))?,
        };
        let kind = letters.next();
        if !matches!(kind, Some('s' | 'I' | 'L')) {
            let message = match kind {
                Some(kind) => format!("unrecognized format() type specifier \"{kind}\""),
                None => "unterminated format() type specifier".into(),
            };
            return Err(failure("22023", message));
        }
        let value = a.get(place.unwrap_or(next)).ok_or_else(too_few)?;
        next = place.unwrap_or(next) + 1;
        let part = match (kind, value.as_str()) {
            (Some('I'), Some(value)) => quote_ident(value),
            (Some('I'), None) => {
                let message = "null values cannot be formatted as an SQL identifier";
                return Err(failure("22004", message));
            }
            (Some('L'), Some(value)) => quote_literal(value),
            (Some('L'), None) => "NULL".into(),
            (_, value) => value.unwrap_or("").to_owned(),
        };
        let blanks = width.saturating_sub(part.chars().count());
        let length = part.len().saturating_add(blanks);
        if text.len().saturating_add(length) > MOST_LETTERS {
            return Err(failure("54000", "requested length too large"));
        }
        let blanks = " ".repeat(blanks);
        let parts = match is_left {
            true => [part, blanks],
            false => [blanks, part],
        };
        text.extend(parts);
    }
    Ok(Value::text(text))
}
