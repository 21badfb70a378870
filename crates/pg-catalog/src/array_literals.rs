//! Array literals of more than one dimension, such as `{{1,2},{3,4}}`.

use crate::cast::parse_array;

/// How many dimensions an array may have, as in PostgreSQL.
const MOST_DIMENSIONS: usize = 6;

/// An item of an array literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Text(Option<String>),
    Array(Vec<Item>),
}

/// The items of an array literal; `None` where it is none, or its parts differ in size.
pub fn parse(text: &str) -> Option<Vec<Item>> {
    let items = nested(text.trim(), MOST_DIMENSIONS)?;
    sizes(&items)?;
    Some(items)
}

fn nested(text: &str, dimensions: usize) -> Option<Vec<Item>> {
    let dimensions = dimensions.checked_sub(1)?;
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    if !inner.trim_start().starts_with('{') {
        let items = parse_array(text)?.into_iter();
        return Some(items.map(Item::Text).collect());
    }
    let items = pieces(inner)?.into_iter();
    items
        .map(|piece| Some(Item::Array(nested(piece.trim(), dimensions)?)))
        .collect()
}

/// What stands between the commas that are in no braces and no quotes.
fn pieces(text: &str) -> Option<Vec<&str>> {
    let (mut depth, mut in_quotes, mut is_escaped) = (0_usize, false, false);
    let (mut pieces, mut start) = (Vec::new(), 0);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => in_quotes = !in_quotes,
            _ if in_quotes => {}
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                pieces.push(text.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    (depth == 0 && !in_quotes).then_some(())?;
    pieces.push(text.get(start..)?);
    Some(pieces)
}

/// The size of each dimension, which is the same for all its parts.
fn sizes(items: &[Item]) -> Option<Vec<usize>> {
    let mut inner: Option<Vec<usize>> = None;
    for item in items {
        let own = match item {
            Item::Text(_) => Vec::new(),
            Item::Array(items) => sizes(items)?,
        };
        match &inner {
            None => inner = Some(own),
            Some(first) if *first == own => {}
            Some(_) => return None,
        }
    }
    let mut sizes = vec![items.len()];
    sizes.extend(inner.into_iter().flatten());
    Some(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_arrays_are_of_one_size() {
        let text = |text: &str| Item::Text(Some(text.to_owned()));
        assert_eq!(
            parse("{{1,2}, {\"a,}\",NULL}}"),
            Some(vec![
                Item::Array(vec![text("1"), text("2")]),
                Item::Array(vec![text("a,}"), Item::Text(None)]),
            ])
        );
        assert_eq!(parse("{1}"), Some(vec![text("1")]));
        for wrong in [
            "{{1},{2,3}}",
            "{{1},2}",
            "{1,{2}}",
            "{{1}",
            "{{{{{{{1}}}}}}}",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
