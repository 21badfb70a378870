//! JSON made of other JSON: joined, without a part, with a part in another's place, without nulls, and in
//! lines for people. Each returns the text of what it makes.

use std::fmt::Write;

use datafusion::common::Result;

use super::json_text::{Json, Kind, quoted};
use super::routine::failed;

fn object<'t>(members: impl Iterator<Item = (&'t String, String)>) -> String {
    let members = members.map(|(key, value)| format!("{}: {value}", quoted(key)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

fn array(items: Vec<String>) -> String {
    format!("[{}]", items.join(", "))
}

/// `a || b`: the members of both objects, of which those of the second hold, or the items of both.
pub fn joined(left: &Json<'_>, right: &Json<'_>) -> String {
    if let (Kind::Object(old), Kind::Object(new)) = (&left.kind, &right.kind) {
        let is_kept = |key: &String| !new.iter().any(|(name, _)| name == key);
        let kept = old.iter().filter(|(key, _)| is_kept(key)).chain(new);
        return object(kept.map(|(key, value)| (key, value.text.to_owned())));
    }
    let items = |json: &Json<'_>| match &json.kind {
        Kind::Array(items) => items.iter().map(|item| item.text.to_owned()).collect(),
        _ => vec![json.text.to_owned()],
    };
    array([items(left), items(right)].concat())
}

/// `a - key`, `a - place`: without a member or item.
pub fn without(json: &Json<'_>, key: &str, place: Option<i64>) -> Result<String> {
    match (&json.kind, place) {
        (Kind::Object(members), None) => {
            let kept = members.iter().filter(|(name, _)| name != key);
            Ok(object(
                kept.map(|(key, value)| (key, value.text.to_owned())),
            ))
        }
        (Kind::Object(_), Some(_)) => {
            let message = "cannot delete from object using integer index";
            Err(failed("22023", message))
        }
        (Kind::Array(items), place) => {
            let at = place.and_then(|place| position(place, items.len()));
            let is_kept = |(number, item): &(usize, &Json<'_>)| match place {
                Some(_) => Some(*number) != at,
                None => !matches!(&item.kind, Kind::Text(text) if text == key),
            };
            let kept = items.iter().enumerate().filter(is_kept);
            Ok(array(kept.map(|(_, item)| item.text.to_owned()).collect()))
        }
        _ => Err(failed("22023", "cannot delete from scalar")),
    }
}

/// `#-`: without the member or item at the end of a path.
pub fn without_path(json: &Json<'_>, path: &[String]) -> String {
    let [step, rest @ ..] = path else {
        return json.text.to_owned();
    };
    let left = |part: &Json<'_>| (!rest.is_empty()).then(|| without_path(part, rest));
    match &json.kind {
        Kind::Object(members) => object(members.iter().filter_map(|(key, part)| {
            let is_it = key == step;
            let text = if is_it {
                left(part)?
            } else {
                part.text.to_owned()
            };
            Some((key, text))
        })),
        Kind::Array(items) => {
            let place = step.trim().parse().ok();
            let at = place.and_then(|place| position(place, items.len()));
            let kept =
                items
                    .iter()
                    .enumerate()
                    .filter_map(|(number, part)| match Some(number) == at {
                        true => left(part),
                        false => Some(part.text.to_owned()),
                    });
            array(kept.collect())
        }
        _ => json.text.to_owned(),
    }
}

/// A place counted from the end where it is negative.
fn position(place: i64, length: usize) -> Option<usize> {
    let place = match place {
        ..0 => i64::try_from(length).ok()? + place,
        place => place,
    };
    usize::try_from(place).ok().filter(|place| *place < length)
}

/// `jsonb_set`: with a value at a path, where all before its last step is there; the last may be made.
pub fn with(json: &Json<'_>, path: &[String], value: &str, creates: bool) -> String {
    let [step, rest @ ..] = path else {
        return json.text.to_owned();
    };
    let changed = |part: &Json<'_>| match rest {
        [] => value.to_owned(),
        rest => with(part, rest, value, creates),
    };
    match &json.kind {
        Kind::Object(members) => {
            let is_there = members.iter().any(|(key, _)| key == step);
            let mut all: Vec<(&String, String)> = members
                .iter()
                .map(|(key, part)| match key == step {
                    true => (key, changed(part)),
                    false => (key, part.text.to_owned()),
                })
                .collect();
            if !is_there && rest.is_empty() && creates {
                all.push((step, value.to_owned()));
            }
            object(all.into_iter())
        }
        Kind::Array(items) => {
            let Ok(place) = step.parse::<i64>() else {
                return json.text.to_owned();
            };
            let at = position(place, items.len());
            let mut all: Vec<String> = items
                .iter()
                .enumerate()
                .map(|(number, part)| match Some(number) == at {
                    true => changed(part),
                    false => part.text.to_owned(),
                })
                .collect();
            if at.is_none() && rest.is_empty() && creates {
                let end = if place < 0 { 0 } else { all.len() };
                all.insert(end, value.to_owned());
            }
            array(all)
        }
        _ => json.text.to_owned(),
    }
}

/// `jsonb_insert`: with a value before or behind the item at a path, or as a member that is not there yet.
pub fn inserted(json: &Json<'_>, path: &[String], value: &str, is_behind: bool) -> Result<String> {
    let [step, rest @ ..] = path else {
        return Ok(json.text.to_owned());
    };
    let deeper = |part: &Json<'_>| inserted(part, rest, value, is_behind);
    match &json.kind {
        Kind::Object(members) => {
            let is_there = members.iter().any(|(key, _)| key == step);
            if is_there && rest.is_empty() {
                return Err(failed("22023", "cannot replace existing key"));
            }
            let mut all = Vec::with_capacity(members.len() + 1);
            for (key, part) in members {
                all.push((
                    key,
                    match key == step {
                        true => deeper(part)?,
                        false => part.text.to_owned(),
                    },
                ));
            }
            if !is_there && rest.is_empty() {
                all.push((step, value.to_owned()));
            }
            Ok(object(all.into_iter()))
        }
        Kind::Array(items) => {
            let Ok(place) = step.parse::<i64>() else {
                return Err(failed(
                    "22P02",
                    format!("path element is not an integer: \"{step}\""),
                ));
            };
            let at = position(place, items.len());
            let mut all: Vec<String> = items.iter().map(|item| item.text.to_owned()).collect();
            match (rest, at) {
                ([], Some(at)) => all.insert(at + usize::from(is_behind), value.to_owned()),
                ([], None) => {
                    let end = if place < 0 { 0 } else { all.len() };
                    all.insert(end, value.to_owned());
                }
                (_, at) => {
                    let part = at.and_then(|at| items.get(at));
                    if let (Some(at), Some(part)) = (at, part) {
                        all[at] = deeper(part)?;
                    }
                }
            }
            Ok(array(all))
        }
        _ => Ok(json.text.to_owned()),
    }
}

/// `jsonb_strip_nulls`: without members that are null, at every depth.
pub fn without_nulls(json: &Json<'_>) -> String {
    match &json.kind {
        Kind::Object(members) => {
            let known = members
                .iter()
                .filter(|(_, value)| !matches!(value.kind, Kind::Null));
            object(known.map(|(key, value)| (key, without_nulls(value))))
        }
        Kind::Array(items) => array(items.iter().map(without_nulls).collect()),
        _ => json.text.to_owned(),
    }
}

/// `json_strip_nulls`, which leaves no blanks; `jsonb` has its own.
pub fn without_nulls_or_blanks(json: &Json<'_>) -> String {
    match &json.kind {
        Kind::Object(members) => {
            let known = members
                .iter()
                .filter(|(_, value)| !matches!(value.kind, Kind::Null));
            let known = known
                .map(|(key, value)| format!("{}:{}", quoted(key), without_nulls_or_blanks(value)));
            format!("{{{}}}", known.collect::<Vec<_>>().join(","))
        }
        Kind::Array(items) => {
            let items = items.iter().map(without_nulls_or_blanks);
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
        _ => json.text.to_owned(),
    }
}

/// `jsonb_pretty`: a line for each part.
pub fn in_lines(json: &Json<'_>) -> String {
    let mut text = String::new();
    write_lines(json, 0, &mut text);
    text
}

fn write_lines(json: &Json<'_>, depth: usize, text: &mut String) {
    let begin = |depth: usize, text: &mut String| {
        let _ = write!(text, "\n{:width$}", "", width = depth * 4);
    };
    match &json.kind {
        Kind::Object(members) => {
            text.push('{');
            for (number, (key, value)) in members.iter().enumerate() {
                if number > 0 {
                    text.push(',');
                }
                begin(depth + 1, text);
                let _ = write!(text, "{}: ", quoted(key));
                write_lines(value, depth + 1, text);
            }
            begin(depth, text);
            text.push('}');
        }
        Kind::Array(items) => {
            text.push('[');
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    text.push(',');
                }
                begin(depth + 1, text);
                write_lines(item, depth + 1, text);
            }
            begin(depth, text);
            text.push(']');
        }
        _ => text.push_str(json.text),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn parts_change_as_in_postgresql() {
        let json = |text: &'static str| Json::parse(text).unwrap();
        let joined = |a, b| joined(&json(a), &json(b));
        assert_eq!(
            joined(r#"{"a": 1, "b": 2}"#, r#"{"a": 3}"#),
            r#"{"b": 2, "a": 3}"#
        );
        assert_eq!(joined("[1]", "[2, 3]"), "[1, 2, 3]");
        assert_eq!(joined(r#"{"a": 1}"#, "[2]"), r#"[{"a": 1}, 2]"#);
        assert_eq!(joined("1", "2"), "[1, 2]");
        let without = |a, key, place| without(&json(a), key, place).unwrap();
        assert_eq!(without(r#"{"a": 1, "b": 2}"#, "a", None), r#"{"b": 2}"#);
        assert_eq!(without(r#"["a", "b"]"#, "a", None), r#"["b"]"#);
        assert_eq!(without("[1, 2, 3]", "", Some(-1)), "[1, 2]");
        assert_eq!(without("[1]", "", Some(5)), "[1]");
        let path = |steps: &[&str]| steps.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let with = |a, steps: &[&str], creates| with(&json(a), &path(steps), "9", creates);
        assert_eq!(
            with(r#"{"a": [1, {"b": 2}]}"#, &["a", "1", "b"], true),
            r#"{"a": [1, {"b": 9}]}"#
        );
        assert_eq!(with(r#"{"a": 1}"#, &["b"], true), r#"{"a": 1, "b": 9}"#);
        assert_eq!(with(r#"{"a": 1}"#, &["b"], false), r#"{"a": 1}"#);
        assert_eq!(with("[1, 2]", &["-1"], true), "[1, 9]");
        assert_eq!(
            without_nulls(&json(r#"{"a": null, "b": [null, {"c": null}]}"#)),
            r#"{"b": [null, {}]}"#
        );
        assert_eq!(
            in_lines(&json(r#"{"a": [1, 2]}"#)),
            "{\n    \"a\": [\n        1,\n        2\n    ]\n}"
        );
    }
}
