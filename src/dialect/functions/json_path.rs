//! SQL/JSON paths, such as `$.trades[*] ? (@.pnl > 0).token`: read, and followed through a document.
//!
//! Known: `$`, `@`, `.key`, `."key"`, `.*`, `[n]`, `[n to m]`, `[last]`, `[*]`, `.size()`, `.type()`, filters with
//! comparisons, `&&`, `||`, `!`, `exists`, `starts with` and `like_regex`. Arrays are unwrapped where members
//! are asked for, as in PostgreSQL's lax mode; a strict path is refused, as is all arithmetic.

mod read;

use super::json_text::{Json, Kind, quoted};
use crate::catalog::functions::regexps::matches;
use crate::catalog::numeric::Numeric;

pub use read::read;

/// A path, or a question such as `$.a == 1`.
pub enum Path {
    Steps(Vec<Step>),
    Question(Test),
}

pub enum Step {
    Root,
    /// What a filter looks at.
    This,
    Key(String),
    AnyKey,
    All,
    /// Places from one to another.
    Places(Vec<(Place, Place)>),
    Filter(Test),
    Size,
    Type,
}

#[derive(Clone, Copy)]
pub enum Place {
    At(usize),
    Last,
}

pub enum Test {
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
    Compare(Side, &'static str, Side),
    Exists(Vec<Step>),
    StartsWith(Vec<Step>, String),
    /// With a pattern and its flags.
    Matches(Vec<Step>, String, &'static str),
}

pub enum Side {
    Steps(Vec<Step>),
    Value(Scalar),
}

/// A value without parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
}

/// What a path finds.
#[derive(Clone)]
pub enum Item<'j> {
    Part(&'j Json<'j>),
    Made(Scalar),
}

impl Item<'_> {
    /// Its text as JSON.
    pub fn text(&self) -> String {
        match self {
            Self::Part(json) => json.text.to_owned(),
            Self::Made(Scalar::Null) => "null".into(),
            Self::Made(Scalar::Bool(value)) => value.to_string(),
            Self::Made(Scalar::Number(digits)) => digits.clone(),
            Self::Made(Scalar::Text(text)) => quoted(text),
        }
    }

    fn scalar(&self) -> Option<Scalar> {
        Some(match self {
            Self::Made(scalar) => scalar.clone(),
            Self::Part(json) => match &json.kind {
                Kind::Null => Scalar::Null,
                Kind::Bool(value) => Scalar::Bool(*value),
                Kind::Number => Scalar::Number(json.text.to_owned()),
                Kind::Text(text) => Scalar::Text(text.clone()),
                Kind::Array(_) | Kind::Object(_) => return None,
            },
        })
    }
}

impl Path {
    /// What is found in a document; a question finds its answer.
    pub fn find<'j>(&self, root: &'j Json<'j>) -> Vec<Item<'j>> {
        match self {
            Self::Steps(steps) => follow(steps, root, &Item::Part(root)),
            Self::Question(_) => {
                let answer = self.answer(root);
                vec![Item::Made(answer.map_or(Scalar::Null, Scalar::Bool))]
            }
        }
    }

    /// The answer to a question; none where it is no question or cannot be told.
    pub fn answer(&self, root: &Json<'_>) -> Option<bool> {
        match self {
            Self::Question(test) => holds(test, root, &Item::Part(root)),
            Self::Steps(_) => match self.find(root).as_slice() {
                [one] => match one.scalar()? {
                    Scalar::Bool(value) => Some(value),
                    _ => None,
                },
                _ => None,
            },
        }
    }
}

fn follow<'j>(steps: &[Step], root: &'j Json<'j>, this: &Item<'j>) -> Vec<Item<'j>> {
    let mut found = Vec::new();
    for step in steps {
        found = match step {
            Step::Root => vec![Item::Part(root)],
            Step::This => vec![this.clone()],
            step => found
                .iter()
                .flat_map(|item| taken(step, root, item))
                .collect(),
        };
    }
    found
}

/// What one step finds at an item.
fn taken<'j>(step: &Step, root: &'j Json<'j>, item: &Item<'j>) -> Vec<Item<'j>> {
    let items = |item: &Item<'j>| match item {
        Item::Part(Json {
            kind: Kind::Array(items),
            ..
        }) => Some(items.iter().map(Item::Part).collect::<Vec<_>>()),
        _ => None,
    };
    match step {
        Step::Root | Step::This => vec![item.clone()],
        Step::Key(_) | Step::AnyKey => {
            let objects = items(item).unwrap_or_else(|| vec![item.clone()]);
            let members = objects.into_iter().flat_map(|object| match object {
                Item::Part(Json {
                    kind: Kind::Object(members),
                    ..
                }) => members
                    .iter()
                    .filter(|(name, _)| !matches!(step, Step::Key(key) if key != name))
                    .map(|(_, value)| Item::Part(value))
                    .collect(),
                _ => Vec::new(),
            });
            members.collect()
        }
        Step::All => items(item).unwrap_or_else(|| vec![item.clone()]),
        Step::Places(places) => {
            let all = items(item).unwrap_or_else(|| vec![item.clone()]);
            let at = |place: Place| match place {
                Place::At(place) => place,
                Place::Last => all.len().saturating_sub(1),
            };
            let parts = places.iter().flat_map(|(from, to)| {
                let (from, to) = (at(*from), at(*to).saturating_add(1).min(all.len()));
                all.get(from..to).unwrap_or_default().to_vec()
            });
            parts.collect()
        }
        Step::Filter(test) => {
            let all = items(item).unwrap_or_else(|| vec![item.clone()]);
            let kept = all.into_iter();
            kept.filter(|item| holds(test, root, item) == Some(true))
                .collect()
        }
        Step::Size => {
            let size = items(item).map_or(1, |items| items.len());
            vec![Item::Made(Scalar::Number(size.to_string()))]
        }
        Step::Type => {
            let name = match item {
                Item::Part(json) => json.type_name(),
                Item::Made(Scalar::Number(_)) => "number",
                Item::Made(Scalar::Bool(_)) => "boolean",
                Item::Made(Scalar::Text(_)) => "string",
                Item::Made(Scalar::Null) => "null",
            };
            vec![Item::Made(Scalar::Text(name.to_owned()))]
        }
    }
}

/// Whether a test holds of an item; none where that cannot be told.
fn holds(test: &Test, root: &Json<'_>, this: &Item<'_>) -> Option<bool> {
    let any_text = |steps: &[Step], fits: &dyn Fn(&str) -> bool| {
        let found = unwrapped(follow(steps, root, this));
        Some(
            found
                .iter()
                .any(|item| matches!(item.scalar(), Some(Scalar::Text(text)) if fits(&text))),
        )
    };
    match test {
        Test::And(a, b) => match (holds(a, root, this), holds(b, root, this)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Test::Or(a, b) => match (holds(a, root, this), holds(b, root, this)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Test::Not(inner) => holds(inner, root, this).map(|holds| !holds),
        Test::Exists(steps) => Some(!follow(steps, root, this).is_empty()),
        Test::StartsWith(steps, start) => any_text(steps, &|text| text.starts_with(start)),
        Test::Matches(steps, pattern, flags) => any_text(steps, &|text| {
            matches(text, pattern, flags).is_ok_and(|found| !found.is_empty())
        }),
        Test::Compare(left, operator, right) => {
            let values = |side: &Side| -> Vec<Option<Scalar>> {
                match side {
                    Side::Value(value) => vec![Some(value.clone())],
                    Side::Steps(steps) => {
                        let found = unwrapped(follow(steps, root, this));
                        found.iter().map(Item::scalar).collect()
                    }
                }
            };
            let (lefts, rights) = (values(left), values(right));
            let mut is_unknown = false;
            for left in &lefts {
                for right in &rights {
                    match compared(left.as_ref(), operator, right.as_ref()) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => is_unknown = true,
                    }
                }
            }
            (!is_unknown).then_some(false)
        }
    }
}

/// The items of arrays in their place.
fn unwrapped(found: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let items = found.into_iter().flat_map(|item| match item {
        Item::Part(Json {
            kind: Kind::Array(items),
            ..
        }) => items.iter().map(Item::Part).collect(),
        item => vec![item],
    });
    items.collect()
}

fn compared(left: Option<&Scalar>, operator: &str, right: Option<&Scalar>) -> Option<bool> {
    let (left, right) = (left?, right?);
    let order = match (left, right) {
        (Scalar::Number(left), Scalar::Number(right)) => {
            match Numeric::parse(left).zip(Numeric::parse(right)) {
                Some((left, right)) => left.compare(&right),
                // Of more digits than are counted.
                None => left
                    .parse::<f64>()
                    .ok()?
                    .partial_cmp(&right.parse().ok()?)?,
            }
        }
        (Scalar::Text(left), Scalar::Text(right)) => left.cmp(right),
        (Scalar::Bool(left), Scalar::Bool(right)) => left.cmp(right),
        (Scalar::Null, Scalar::Null) => std::cmp::Ordering::Equal,
        // Null is unlike everything else.
        (Scalar::Null, _) | (_, Scalar::Null) => return Some(operator == "!="),
        _ => return None,
    };
    Some(match operator {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str, path: &str) -> Result<String, String> {
        let json = Json::parse(json).ok_or("no JSON")?;
        let found = read(path)?.find(&json);
        let found: Vec<String> = found.iter().map(Item::text).collect();
        Ok(found.join(" "))
    }

    #[test]
    fn paths_find_what_postgresql_finds() {
        let json = r#"{"a": [1, 2, {"b": "x", "c": null}], "d": {"b": "y"}, "e f": true}"#;
        for (path, expected) in [
            ("$.d.b", "\"y\""),
            ("$.a[*]", "1 2 {\"b\": \"x\", \"c\": null}"),
            ("$.a[0 to 1]", "1 2"),
            ("$.a[last].b", "\"x\""),
            ("$.a.b", "\"x\""),
            ("$.a.size()", "3"),
            ("$.d.type()", "\"object\""),
            ("$.\"e f\"", "true"),
            ("$.a[*] ? (@ > 1)", "2"),
            ("$.a[*] ? (@.b starts with \"x\").c", "null"),
            (
                "$.a[*] ? (@ == 1 || exists(@.b))",
                "1 {\"b\": \"x\", \"c\": null}",
            ),
            ("$.* ? (@.b like_regex \"^[y]\")", "{\"b\": \"y\"}"),
            ("$.a[0] == 1", "true"),
            ("$.a[0] > \"x\"", "null"),
            ("9007199254740993 > 9007199254740992", "true"),
            ("$.a[0] == 1.00", "true"),
            ("$.a[*] ? (!(@ < 2) && @ != 3)", "2"),
            ("$.none", ""),
        ] {
            assert_eq!(found(json, path).as_deref(), Ok(expected), "{path}");
        }
        for path in [
            "",
            "$.",
            "$.a[",
            "$ ? (@ >",
            "a",
            "strict $",
            "$.a[*] ? (@ > 1",
        ] {
            assert!(found(json, path).is_err(), "{path}");
        }
        let deep = format!("$ ? {}@ > 1{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(found(json, &deep).is_err());
    }
}
