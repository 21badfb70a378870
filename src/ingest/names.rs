//! Names of columns: which column of ours a name in a file means, and which it might mean.
//!
//! Case, blanks and underscores make no difference, `--column price=close` overrides, and what is
//! not used is said, with the column that it is near to.

use super::columns::{SCORE_FACTORS, SIGNALS, TOKEN_PRICES, TRADE_OUTCOMES, Table};
use super::near::near;
use crate::error::{Error, Result};
use crate::schema::FACTORS;

/// A column that files call otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnName {
    /// Where only one table is meant.
    table: Option<String>,
    ours: String,
    theirs: String,
}

impl ColumnName {
    /// Reads `price=close` or `token_prices.price=close`.
    pub fn parse(text: &str) -> Result<Self> {
        let usage = || {
            Error::Usage(format!(
                "--column takes NAME=THEIRS such as price=close, or TABLE.NAME=THEIRS, found {text}"
            ))
        };
        let (ours, theirs) = text.split_once('=').ok_or_else(usage)?;
        let (table, ours) = match ours.trim().split_once('.') {
            Some((table, ours)) => (Some(table.to_owned()), ours),
            None => (None, ours.trim()),
        };
        if ours.is_empty() || theirs.trim().is_empty() {
            return Err(usage());
        }
        Ok(Self {
            table,
            ours: ours.to_owned(),
            theirs: theirs.trim().to_owned(),
        })
    }

    /// The slot of the table that it names.
    fn slot(&self, table: &Table) -> Option<usize> {
        let named = self.table.as_ref().is_none_or(|name| name == table.name);
        named.then(|| slot_of(table, &self.ours)).flatten()
    }

    /// Refuses a name that no column of the tables has.
    pub(super) fn check(&self, tables: &[&Table]) -> Result<()> {
        if tables.iter().any(|table| self.slot(table).is_some()) {
            return Ok(());
        }
        let columns = tables.iter().map(|table| {
            let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
            format!("{} ({})", table.name, names.join(", "))
        });
        let columns: Vec<_> = columns.collect();
        let table = self.table.iter().map(|table| format!("{table}."));
        Err(Error::Usage(format!(
            "no column {}{} in what is loaded: {}",
            table.collect::<String>(),
            self.ours,
            columns.join(", ")
        )))
    }
}

/// What of the names of a file was not used.
#[derive(Debug, Clone, Default)]
pub(super) struct Unused {
    pub(super) name: String,
    /// The column that may be meant.
    pub(super) near: Option<&'static str>,
}

/// Why a header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadHeader {
    pub(super) found: String,
    pub(super) expected: String,
    pub(super) hint: Option<String>,
}

impl BadHeader {
    pub(super) fn new(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            found: found.into(),
            expected: expected.into(),
            hint: None,
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The slot of each name, with what `--column` says; what is wrong with the names otherwise.
pub(super) fn resolve(
    table: &'static Table,
    renamed: &[ColumnName],
    names: &[String],
) -> Result<Vec<Option<usize>>, BadHeader> {
    let mut slots: Vec<Option<usize>> = vec![None; names.len()];
    let mut claimed = vec![None; table.slots()];
    for rename in renamed {
        let Some(slot) = rename.slot(table) else {
            continue;
        };
        let exact = names.iter().position(|name| *name == rename.theirs);
        let position =
            exact.or_else(|| names.iter().position(|name| is_same(name, &rename.theirs)));
        match position {
            Some(position) => {
                slots[position] = Some(slot);
                claimed[slot] = Some(position);
            }
            // A name for several tables need not be in all of them.
            None if rename.table.is_none()
                && names.iter().any(|name| is_same(name, &rename.ours)) => {}
            None => {
                let found = format!("no column {} among {}", rename.theirs, names.join(", "));
                let expected = format!("the column that --column gives for {}", rename.ours);
                return Err(BadHeader::new(found, expected));
            }
        }
    }
    for (position, name) in names.iter().enumerate() {
        let Some(slot) = slot_of(table, name).filter(|_| slots[position].is_none()) else {
            continue;
        };
        match claimed[slot] {
            None => {
                claimed[slot] = Some(position);
                slots[position] = Some(slot);
            }
            // Given by --column.
            Some(other) if slot_of(table, &names[other]) != Some(slot) => {}
            Some(other) if renamed.iter().any(|rename| rename.theirs == names[other]) => {}
            Some(other) => {
                let ours = column_name(table, slot);
                let found = match names[other] == *name {
                    true => format!("column {name} twice"),
                    false => format!("columns {} and {name}, both for {ours}", names[other]),
                };
                let hint = format!("--column {ours}=NAME says which one is meant");
                return Err(BadHeader::new(found, "every column once").with_hint(hint));
            }
        }
    }
    let missing = table.missing(|slot| claimed[slot].is_some());
    if missing.is_empty() {
        return Ok(slots);
    }
    let shown: Vec<_> = names
        .iter()
        .filter(|name| !name.is_empty())
        .cloned()
        .collect();
    let found = format!(
        "no column {} among {}",
        missing.join(", "),
        shown.join(", ")
    );
    let bad = BadHeader::new(
        found,
        format!("the columns {}", table.required_names().join(", ")),
    );
    let meant = unused(table, names, &slots)
        .into_iter()
        .filter_map(|unused| {
            let near = unused.near.filter(|near| missing.contains(near))?;
            Some(format!("--column {near}={}", quoted(&unused.name)))
        });
    let meant: Vec<_> = meant.collect();
    if let Some((other, option)) = other_table(table, names) {
        return Err(bad.with_hint(format!(
            "it has the columns of {other}: --{option} loads them"
        )));
    }
    // A time and many more columns: mostly one of each token.
    let are_tokens = missing == ["token_address", "price"] && shown.len() > 1 && meant.is_empty();
    Err(match meant.is_empty() {
        true if are_tokens => bad.with_hint(
            "if each token has a column of its own, unpivot of DuckDB and melt of pandas make rows of \
             them; --column NAME=THEIRS says what a file calls a column",
        ),
        true => bad.with_hint("--column NAME=THEIRS says what a file calls a column"),
        false => bad.with_hint(format!("{} if that is what it is called", meant.join(" "))),
    })
}

/// The table whose columns these names have in the place of this one's, with the option of its files.
fn other_table(table: &Table, names: &[String]) -> Option<(&'static str, &'static str)> {
    let tables = [
        (&SIGNALS, "signals"),
        (&TOKEN_PRICES, "prices"),
        (&TRADE_OUTCOMES, "trades"),
    ];
    let others = tables
        .into_iter()
        .filter(|(other, _)| other.name != table.name);
    let mut fitting = others.filter(|(other, _)| {
        let has = |slot: usize| names.iter().any(|name| slot_of(other, name) == Some(slot));
        other.missing(has).is_empty()
    });
    fitting.next().map(|(other, option)| (other.name, option))
}

/// The slot that a key of a JSON object means.
pub(super) fn slot_of_key(table: &Table, renamed: &[ColumnName], key: &str) -> Option<usize> {
    let slots = || {
        renamed
            .iter()
            .filter_map(|rename| Some((rename, rename.slot(table)?)))
    };
    if let Some((_, slot)) = slots().find(|(rename, _)| is_same(key, &rename.theirs)) {
        return Some(slot);
    }
    let plain = slot_of(table, key)?;
    // What --column says of one table is called so in all its rows.
    let renamed = slots().any(|(rename, slot)| slot == plain && rename.table.is_some());
    (!renamed).then_some(plain)
}

/// Whether `--column` says which column of a file has a slot.
pub(super) fn is_renamed(table: &Table, renamed: &[ColumnName], slot: usize) -> bool {
    renamed
        .iter()
        .any(|rename| rename.slot(table) == Some(slot))
}

/// Whether a value is the name of a column, as in a header.
pub(super) fn is_column(table: &Table, value: &str) -> bool {
    slot_of(table, value).is_some()
}

/// The names without a slot.
pub(super) fn unused(
    table: &'static Table,
    names: &[String],
    slots: &[Option<usize>],
) -> Vec<Unused> {
    let free = |slot: usize| !slots.contains(&Some(slot));
    let unused = names.iter().zip(slots).filter(|(_, slot)| slot.is_none());
    unused
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, _)| Unused {
            near: near(table, name, free),
            name: name.clone(),
        })
        .collect()
}

/// The position of the factor that a key means.
pub(super) fn factor(key: &str) -> Option<usize> {
    let exact = FACTORS.iter().position(|factor| *factor == key);
    exact.or_else(|| FACTORS.iter().position(|factor| is_same(factor, key)))
}

fn slot_of(table: &Table, name: &str) -> Option<usize> {
    table.slot(name).or_else(|| {
        let name = plain(name);
        let same = |column: &str| plain(column) == name;
        if table.factors.is_some() && same(SCORE_FACTORS) {
            return Some(table.score_factors_slot());
        }
        table.columns.iter().position(|column| same(column.name))
    })
}

pub(super) fn column_name(table: &Table, slot: usize) -> &'static str {
    table
        .columns
        .get(slot)
        .map_or(SCORE_FACTORS, |column| column.name)
}

/// A name without case, blanks and marks.
pub(super) fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn is_same(one: &str, other: &str) -> bool {
    one == other || plain(one) == plain(other)
}

/// A name as a shell takes it for one word.
fn quoted(name: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
    match name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("'{name}'"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a test may stop at what it did not expect"
    )]

    use super::super::columns::{SIGNALS, TOKEN_PRICES};
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    fn slots(header: &str, columns: &[&str]) -> Result<Vec<Option<usize>>, BadHeader> {
        let renamed: Vec<_> = columns
            .iter()
            .map(|c| ColumnName::parse(c).unwrap())
            .collect();
        resolve(&TOKEN_PRICES, &renamed, &names(header))
    }

    #[test]
    fn case_blanks_and_marks_make_no_difference() {
        for header in [
            "token_address,timestamp,price",
            "Token_Address, TIMESTAMP ,Price",
            "tokenAddress,Timestamp,PRICE",
            "Token Address,time stamp,price",
        ] {
            assert_eq!(
                slots(header, &[]).unwrap(),
                [Some(0), Some(1), Some(2)],
                "{header}"
            );
        }
        let bad = slots("token_address,timestamp,price,Price", &[]).unwrap_err();
        assert_eq!(bad.found, "columns price and Price, both for price");
    }

    #[test]
    fn columns_are_renamed() {
        let header = "mint,unixTime,close,price";
        let given = [
            "token_address=mint",
            "token_prices.timestamp=unixtime",
            "price=close",
        ];
        assert_eq!(
            slots(header, &given).unwrap(),
            [Some(0), Some(1), Some(2), None]
        );
        let bad = slots("mint,timestamp,close", &[]).unwrap_err();
        assert_eq!(
            bad.found,
            "no column token_address, price among mint, timestamp, close"
        );
        assert_eq!(
            bad.hint.unwrap(),
            "--column token_address=mint --column price=close if that is what it is called"
        );
        let bad = slots("token_address,timestamp,value", &["price=close"]).unwrap_err();
        assert_eq!(
            bad.found,
            "no column close among token_address, timestamp, value"
        );
        // A name that is given for several tables need not be in each.
        assert!(slots("token_address,timestamp,price", &["timestamp=at"]).is_ok());
        assert!(
            slots(
                "token_address,timestamp,price",
                &["token_prices.timestamp=at"]
            )
            .is_err()
        );
        for text in ["price", "=close", "price=", "a.=b"] {
            assert_eq!(
                ColumnName::parse(text).unwrap_err().exit_code(),
                2,
                "{text}"
            );
        }
        let rename = ColumnName::parse("momentum=m").unwrap();
        assert!(rename.check(&[&TOKEN_PRICES]).is_err() && rename.check(&[&SIGNALS]).is_ok());
    }
}
