//! Names in statements that there are not: PostgreSQL's sentence, and which may have been meant.

use std::cmp::Reverse;

use datafusion::common::{Column, SchemaError};

/// How alike two names are at least, of 1.
const ALIKE: f64 = 0.85;
/// How many names are told at once.
const TOLD: usize = 3;
/// How many columns are told where none is like what was asked for.
const ALL_TOLD: usize = 12;

/// What is wrong with the name of a column.
pub fn column(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound { field, .. } => match &field.relation {
            Some(relation) if is_of_no_table(error) => {
                format!(
                    "missing FROM-clause entry for table \"{}\"",
                    relation.table()
                )
            }
            Some(relation) => format!("column {relation}.{} does not exist", field.name),
            None => format!("column \"{}\" does not exist", field.name),
        },
        SchemaError::AmbiguousReference { field } => {
            format!("column reference \"{}\" is ambiguous", field.name)
        }
        SchemaError::DuplicateQualifiedField { qualifier, name } => format!(
            "two tables are called \"{}\" here, each with a column \"{name}\"",
            qualifier.table()
        ),
        error => error.to_string(),
    }
}

/// Whether a column is asked of a table that is none of those that are read.
pub fn is_of_no_table(error: &SchemaError) -> bool {
    let SchemaError::FieldNotFound {
        field,
        valid_fields,
    } = error
    else {
        return false;
    };
    let tables = valid_fields
        .iter()
        .filter_map(|field| field.relation.as_ref());
    let is_known = |name: &str| tables.clone().any(|table| table.table() == name);
    let name = field.relation.as_ref().map(|relation| relation.table());
    tables.clone().next().is_some() && name.is_some_and(|name| !is_known(name))
}

/// Which columns there are in place of one that there is not.
pub fn columns(error: &SchemaError) -> Option<String> {
    let SchemaError::FieldNotFound {
        field,
        valid_fields,
    } = error
    else {
        return None;
    };
    if is_of_no_table(error) {
        return None;
    }
    let near = nearest(&field.name, valid_fields);
    let known: Vec<String> = valid_fields
        .iter()
        .map(|field| quoted(&field.name))
        .collect();
    match (near.as_slice(), known.len()) {
        ([], 0) => None,
        ([], 1..=ALL_TOLD) => Some(format!("there are {}", known.join(", "))),
        ([], count) => Some(format!(
            "there are {count}, the first of them {}; select * with limit 1 shows all",
            known[..ALL_TOLD].join(", ")
        )),
        ([one], _) => Some(format!("did you mean {one}?")),
        ([others @ .., last], _) => Some(format!("did you mean {} or {last}?", others.join(", "))),
    }
}

/// What is wrong with the name of a table, where that is what DataFusion says.
pub fn table(text: &str) -> Option<String> {
    let name = text.strip_prefix("table '")?.strip_suffix("' not found")?;
    let name = name.strip_prefix("hindsight.").unwrap_or(name);
    let name = name.strip_prefix("public.").unwrap_or(name);
    Some(format!("relation \"{name}\" does not exist"))
}

/// The names most like this one: with the most words in common, and then the most letters.
fn nearest(name: &str, known: &[Column]) -> Vec<String> {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split('_').collect();
    let mut near: Vec<(usize, f64, &str)> = Vec::new();
    for known in known {
        let other = known.name.to_lowercase();
        let common = words
            .iter()
            .filter(|word| other.split('_').any(|o| o == **word));
        let (common, alike) = (common.count(), strsim::jaro_winkler(&name, &other));
        let is_told = near.iter().any(|(.., told)| *told == known.name);
        if !is_told && (alike >= ALIKE || common > 1 || (common == 1 && words.len() <= 2)) {
            near.push((common, alike, &known.name));
        }
    }
    near.sort_by(|a, b| Reverse(a.0).cmp(&Reverse(b.0)).then(b.1.total_cmp(&a.1)));
    // What shares fewer words than the best is not worth telling beside it.
    let best = near.first().map_or(0, |(common, ..)| *common);
    near.retain(|(common, ..)| *common == best);
    near.iter()
        .take(TOLD)
        .map(|(.., name)| quoted(name))
        .collect()
}

/// A name as it is to be written.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match !name.is_empty() && name.chars().all(is_plain) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(name: &str, known: &[&str]) -> (String, Option<String>) {
        let known = known.iter().map(|name| Column::from_name(*name));
        let error = SchemaError::FieldNotFound {
            field: Box::new(Column::from_name(name)),
            valid_fields: known.collect(),
        };
        (column(&error), columns(&error))
    }

    #[test]
    fn a_column_that_there_is_not_is_told_with_those_that_are_like_it() {
        let sides = [
            "scenario",
            "actual_total_pnl_sol",
            "simulated_total_pnl_sol",
            "score_threshold",
            "Wallet",
        ];
        let hint = |name| unknown(name, &sides).1.unwrap_or_default();
        assert_eq!(unknown("x", &[]).0, "column \"x\" does not exist");
        assert_eq!(
            hint("net_pnl_sol"),
            "did you mean actual_total_pnl_sol or simulated_total_pnl_sol?"
        );
        assert_eq!(hint("scenaro"), "did you mean scenario?");
        assert_eq!(hint("threshold"), "did you mean score_threshold?");
        assert_eq!(hint("wallet"), "did you mean \"Wallet\"?");
        assert_eq!(
            hint("zzz"),
            "there are scenario, actual_total_pnl_sol, simulated_total_pnl_sol, score_threshold, \
             \"Wallet\""
        );
        let many: Vec<String> = (0..90).map(|number| format!("c{number:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let hint = unknown("nothing", &many).1.unwrap_or_default();
        assert!(
            hint.starts_with("there are 90, the first of them c00, c01"),
            "{hint}"
        );
        assert!(hint.len() < 130, "{hint}");
    }

    #[test]
    fn tables_are_told_by_their_own_names() {
        let told = |text| table(text).unwrap_or_default();
        assert_eq!(
            told("table 'nope' not found"),
            "relation \"nope\" does not exist"
        );
        assert_eq!(
            told("table 'hindsight.public.nope' not found"),
            "relation \"nope\" does not exist"
        );
        assert_eq!(
            told("table 'a.b' not found"),
            "relation \"a.b\" does not exist"
        );
        assert_eq!(table("table function 'x' not found"), None);
    }
}
