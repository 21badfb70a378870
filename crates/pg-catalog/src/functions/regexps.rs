//! Functions of regular expressions.

use super::Functions;
use super::patterns::{Find, flagged};
use super::text::{count, int_at, str_at};
use crate::cast::failure;
use crate::error::Result;
use crate::value::Value;

pub fn register(f: &mut Functions) {
    f.strict("substring", "text, text", "text", |_, a| {
        let text = str_at(a, 0);
        let places = flagged(str_at(a, 1), "")?(text, 0);
        Ok(places.map_or(Value::Null, |places| first_group(text, &places)))
    });
    f.strict(
        "regexp_replace",
        "text, text, text, text?",
        "text",
        |_, a| {
            let flags = str_at(a, 3);
            let which = if flags.contains('g') { None } else { Some(1) };
            replaced(a, 0, which, flags)
        },
    );
    f.strict(
        "regexp_replace",
        "text, text, text, int4, int4?, text?",
        "text",
        |_, a| {
            let which = match a.get(4) {
                Some(Value::Int(0)) => None,
                Some(Value::Int(which)) => usize::try_from(*which).ok(),
                _ => Some(1),
            };
            replaced(a, start(a, 3)?, which, str_at(a, 5))
        },
    );
    f.strict("regexp_match", "text, text, text?", "text[]", |_, a| {
        let flags = str_at(a, 2);
        if flags.contains('g') {
            let message = "regexp_match() does not support the \"global\" option";
            return Err(failure("22023", message));
        }
        let text = str_at(a, 0);
        let places = flagged(str_at(a, 1), flags)?(text, 0);
        Ok(places.map_or(Value::Null, |places| groups(text, &places)))
    });
    f.strict("regexp_like", "text, text, text?", "bool", |_, a| {
        let find = flagged(str_at(a, 1), str_at(a, 2))?;
        Ok(Value::Bool(find(str_at(a, 0), 0).is_some()))
    });
    f.strict(
        "regexp_count",
        "text, text, int4?, text?",
        "int4",
        |_, a| {
            let find = flagged(str_at(a, 1), str_at(a, 3))?;
            let from = if a.len() > 2 { start(a, 2)? } else { 0 };
            Ok(count(
                all(&*find, str_at(a, 0), byte_of(str_at(a, 0), from)).len(),
            ))
        },
    );
    f.strict(
        "regexp_substr",
        "text, text, int4?, int4?, text?, int4?",
        "text",
        |_, a| {
            let found = nth(a, 4, 5)?;
            Ok(Value::optional(
                found.and_then(|(from, to)| str_at(a, 0).get(from..to)),
            ))
        },
    );
    f.strict(
        "regexp_instr",
        "text, text, int4?, int4?, int4?, text?, int4?",
        "int4",
        |_, a| {
            let at_end = int_at(a, 4) == 1;
            Ok(match nth(a, 5, 6)? {
                Some((from, to)) => {
                    let at = if at_end { to } else { from };
                    let before = str_at(a, 0).get(..at).unwrap_or("");
                    count(before.chars().count() + 1)
                }
                None => Value::Int(0),
            })
        },
    );
    f.strict(
        "regexp_split_to_array",
        "text, text, text?",
        "text[]",
        |_, a| {
            Ok(Value::texts(split(
                str_at(a, 0),
                str_at(a, 1),
                str_at(a, 2),
            )?))
        },
    );
}

type Places = Vec<Option<(usize, usize)>>;

/// Where a search starts, counted from 0 in letters.
fn start(a: &[Value], position: usize) -> Result<usize> {
    let start = int_at(a, position);
    let start = usize::try_from(start)
        .ok()
        .and_then(|start| start.checked_sub(1));
    start.ok_or_else(|| {
        let message = format!(
            "invalid value for parameter \"start\": {}",
            int_at(a, position)
        );
        failure("22023", message)
    })
}

fn byte_of(text: &str, letters: usize) -> usize {
    let place = text.char_indices().nth(letters);
    place.map_or(text.len(), |(at, _)| at)
}

/// All matches from a place on, each behind the one before.
fn all(find: &Find, text: &str, from: usize) -> Vec<Places> {
    let (mut matches, mut at) = (Vec::new(), from);
    while at <= text.len() {
        let Some(places) = find(text, at) else {
            break;
        };
        let Some((start, end)) = places.first().copied().flatten() else {
            break;
        };
        matches.push(places);
        at = match end > start {
            true => end,
            // Behind an empty match one letter is passed over.
            false => {
                end + text
                    .get(end..)
                    .and_then(|r| r.chars().next())
                    .map_or(1, char::len_utf8)
            }
        };
    }
    matches
}

fn part(text: &str, place: Option<(usize, usize)>) -> Option<&str> {
    place.and_then(|(from, to)| text.get(from..to))
}

/// The first group, or all where there is none.
fn first_group(text: &str, places: &Places) -> Value {
    let place = places.get(1).or(places.first()).copied().flatten();
    Value::optional(part(text, place))
}

fn groups(text: &str, places: &Places) -> Value {
    let groups = if places.len() > 1 {
        places.get(1..)
    } else {
        places.get(..)
    };
    let groups = groups.unwrap_or_default().iter();
    Value::array(
        groups
            .map(|place| Value::optional(part(text, *place)))
            .collect(),
    )
}

/// The match of a number, or a group of it.
fn nth(a: &[Value], flags: usize, group: usize) -> Result<Option<(usize, usize)>> {
    let text = str_at(a, 0);
    let find = flagged(str_at(a, 1), str_at(a, flags))?;
    let from = if a.len() > 2 { start(a, 2)? } else { 0 };
    let which = if a.len() > 3 { int_at(a, 3) } else { 1 };
    let which = usize::try_from(which)
        .ok()
        .and_then(|which| which.checked_sub(1));
    let which = which.ok_or_else(|| {
        failure(
            "22023",
            format!("invalid value for parameter \"n\": {}", int_at(a, 3)),
        )
    })?;
    let matches = all(&*find, text, byte_of(text, from));
    let group = usize::try_from(int_at(a, group)).unwrap_or(0);
    Ok(matches
        .get(which)
        .and_then(|places| places.get(group).copied().flatten()))
}

fn replaced(a: &[Value], from: usize, which: Option<usize>, flags: &str) -> Result<Value> {
    let (text, replacement) = (str_at(a, 0), str_at(a, 2));
    let find = flagged(str_at(a, 1), &flags.replace('g', ""))?;
    let from = byte_of(text, from);
    let (mut result, mut at) = (String::new(), 0);
    for (number, places) in (1..).zip(all(&*find, text, from)) {
        let Some((start, end)) = places.first().copied().flatten() else {
            continue;
        };
        if which.is_some_and(|which| which != number) {
            continue;
        }
        result.push_str(text.get(at..start).unwrap_or(""));
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
            result.push_str(part(text, place).unwrap_or(""));
        }
        if result.len() > super::text::MOST_LETTERS {
            return Err(failure("54000", "requested length too large"));
        }
        at = end;
        if which.is_some() {
            break;
        }
    }
    result.push_str(text.get(at..).unwrap_or(""));
    Ok(Value::text(result))
}

/// The groups of each match, or the whole match where there are none: of all with the flag `g`, else of
/// the first.
pub fn matches<'t>(text: &'t str, pattern: &str, flags: &str) -> Result<Vec<Vec<Option<&'t str>>>> {
    let find = flagged(pattern, &flags.replace('g', ""))?;
    let most = if flags.contains('g') { usize::MAX } else { 1 };
    let found = match most {
        1 => find(text, 0).into_iter().collect(),
        _ => all(&*find, text, 0),
    };
    let groups = found.into_iter().map(|places| {
        let groups = if places.len() > 1 { 1 } else { 0 };
        let groups = places.iter().skip(groups);
        groups.map(|place| part(text, *place)).collect()
    });
    Ok(groups.collect())
}

/// What lies between the matches; an empty match at an end or right behind another parts nothing.
pub fn split<'t>(text: &'t str, pattern: &str, flags: &str) -> Result<Vec<&'t str>> {
    let find = flagged(pattern, flags)?;
    let (mut parts, mut at) = (Vec::new(), 0);
    for places in all(&*find, text, 0) {
        let Some((start, end)) = places.first().copied().flatten() else {
            continue;
        };
        if start == end && (start == at || start == text.len()) {
            continue;
        }
        parts.push(text.get(at..start).unwrap_or(""));
        at = end;
    }
    parts.push(text.get(at..).unwrap_or(""));
    Ok(parts)
}
