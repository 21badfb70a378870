//! Changes of the live settings, as they are shown before anybody is asked.

use std::io::Write;

use anstyle::Style;

use super::failure::Failure;
use super::output::{OutputArgs, texts};
use super::table::{Cell, Column, Table};
use super::terminal::{DIM, GOOD, PLAIN, stdout};

/// One setting that would change.
pub struct Change {
    pub group: String,
    pub setting: String,
    /// Empty where it is not set.
    pub live: String,
    pub new: String,
}

/// Prints them under the name that the new values have.
pub async fn print(
    changes: Vec<Change>,
    new: &'static str,
    output: &OutputArgs,
) -> Result<(), Failure> {
    if !output.is_table() {
        let value = |text: String| (!text.is_empty()).then_some(text);
        let rows = changes.into_iter().map(|change| {
            let (group, setting) = (Some(change.group), Some(change.setting));
            [group, setting, value(change.live), value(change.new)]
        });
        let batch = texts(["group", "setting", "live", new], rows)?;
        return output.open()?.write_batch(batch).await;
    }
    let mut table = Table::new(vec![
        Column::left("group"),
        Column::left("setting"),
        Column::right("live"),
        Column::right(new),
    ]);
    for change in changes {
        let value = |value: String, style: Style| match value.is_empty() {
            true => Cell::styled("not set", DIM),
            false => Cell::styled(value, style),
        };
        table.push(vec![
            Cell::plain(change.group),
            Cell::plain(change.setting),
            value(change.live, PLAIN),
            value(change.new, GOOD),
        ]);
    }
    let mut out = stdout();
    write!(out, "{table}")?;
    Ok(out.flush()?)
}
