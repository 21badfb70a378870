//! Folders whose names are values of a column, such as `token_address=TokA`.
//!
//! A file that lacks the column has the value of its folder in all rows. Where a file has the column
//! too, what tells rows apart must be the same in both: rows of one token never end under another.

use std::path::{Component, Path};

use datafusion::arrow::array::StringArray;

use super::chunk::{Chunk, Mismatch, Values};
use super::columns::{Kind, Table};
use super::files::Shape;
use super::names::{self, Unused};

/// The values in the names of the folders of a path, percent-decoded.
pub(super) fn folders_of(path: &Path) -> Vec<(String, String)> {
    let parent = path.parent().unwrap_or(path);
    let folders = parent.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str()?.split_once('='),
        _ => None,
    });
    // What Hive, Spark and others call the folder of rows that have no value.
    const NOTHING: &str = "__HIVE_DEFAULT_PARTITION__";
    let folders = folders.filter(|(name, value)| !name.is_empty() && *value != NOTHING);
    folders
        .map(|(name, value)| (percent_decoded(name), percent_decoded(value)))
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

/// What the folders of a file say of columns of text, which its rows may not contradict.
#[derive(Debug, Default)]
pub(super) struct Claims(Vec<Claim>);

#[derive(Debug)]
struct Claim {
    slot: usize,
    /// As the folder writes it.
    name: String,
    value: String,
}

impl Claims {
    pub(super) fn of(shape: &Shape, table: &Table) -> Self {
        let renamed = &shape.options.columns;
        let claims = shape.folders.iter().filter_map(|(name, value)| {
            let slot = names::slot_of_key(table, renamed, name)?;
            let kind = table.columns.get(slot)?.kind;
            // Whoever says which column of the file is meant, means that.
            let is_given = names::is_renamed(table, renamed, slot);
            (matches!(kind, Kind::Text | Kind::Token) && !is_given).then(|| Claim {
                slot,
                name: name.clone(),
                value: value.clone(),
            })
        });
        Self(claims.collect())
    }

    /// Refuses the first row that contradicts a folder.
    pub(super) fn check(&self, table: &Table, chunk: &Chunk) -> Result<(), Mismatch> {
        for claim in &self.0 {
            let Some((row, found)) = chunk.columns.get(claim.slot).and_then(|v| claim.other(v))
            else {
                continue;
            };
            let Claim { slot, name, value } = claim;
            let ours = names::column_name(table, *slot);
            let mismatch = Mismatch {
                row: row as u64,
                column: ours.into(),
                found: format!("{found} in a folder {name}={value}"),
                expected: "the same in the file and in the name of its folder".into(),
                hint: None,
            };
            return Err(
                mismatch.with_hint(format!("--column {ours}={ours} takes what the file says"))
            );
        }
        Ok(())
    }
}

impl Claim {
    /// The first value that is another, with its row.
    fn other<'v>(&self, values: &'v Values) -> Option<(usize, &'v str)> {
        match values {
            Values::Text(values) => {
                let mut rows = values.iter().enumerate();
                rows.find_map(|(row, value)| Some((row, value?)).filter(|(_, v)| *v != self.value))
            }
            Values::Token(values) => {
                let texts = values.downcast_dict::<StringArray>()?;
                let known = texts.values();
                let others: Vec<_> = known
                    .iter()
                    .map(|v| v.is_some_and(|v| v != self.value))
                    .collect();
                if !others.contains(&true) {
                    return None;
                }
                let mut rows = values.keys_iter().enumerate();
                rows.find_map(|(row, key)| {
                    let key = key?;
                    others.get(key)?.then(|| (row, known.value(key)))
                })
            }
            _ => None,
        }
    }
}

/// Columns that a file has itself, so that the name of its folder was not used for them.
pub(super) fn passed(shape: &Shape, table: &Table, has: impl Fn(usize) -> bool) -> Vec<Unused> {
    let renamed = &shape.options.columns;
    let passed = shape.folders.iter().filter(|(name, _)| {
        let slot = names::slot_of_key(table, renamed, name).filter(|slot| has(*slot));
        let kind = slot.and_then(|slot| Some(table.columns.get(slot)?.kind));
        kind.is_some_and(|kind| !matches!(kind, Kind::Text | Kind::Token))
    });
    let unused = passed.map(|(name, _)| Unused {
        name: format!("{name} in names of folders"),
        near: None,
    });
    unused.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_hold_values() {
        let folders = folders_of(Path::new(
            "a/token_address=Tok%41%2FB/year=2025/part=0.parquet",
        ));
        let expected = [("token_address", "TokA/B"), ("year", "2025")];
        assert_eq!(
            folders,
            expected.map(|(name, value)| (name.into(), value.into()))
        );
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%E2%82%AC %zz"), "€ %zz");
    }
}
