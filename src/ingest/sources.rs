//! Findings about files and tables as wholes: what was not read, what has no rows, what a policy shows.

use std::path::PathBuf;

use super::{Finding, Severity, columns};

/// What lies in directories and was not read.
pub(super) fn not_read(table_name: &'static str, paths: &[PathBuf]) -> Finding {
    const SHOWN: usize = 10;
    let is_mark = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.starts_with(b".") || name.starts_with(b"_")
    };
    let shown = paths
        .iter()
        .take(SHOWN)
        .map(|path| path.display().to_string());
    let shown: Vec<_> = shown.collect();
    let more = match paths.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Finding {
        table_name,
        check_name: "files_not_read",
        severity: match paths.iter().all(is_mark) {
            true => Severity::Info,
            false => Severity::Warning,
        },
        row_count: paths.len() as u64,
        example: format!("{}{more}", shown.join(", ")),
    }
}

/// Files that were read and have no row.
pub(super) fn empty_files(
    table: &columns::Table,
    names: &[String],
    files: usize,
) -> Option<Finding> {
    let first = names.first()?;
    let more = match names.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(Finding {
        table_name: table.name,
        check_name: "empty_files",
        severity: match names.len() == files {
            true => Severity::Warning,
            false => Severity::Info,
        },
        row_count: names.len() as u64,
        example: format!("{first}{more}: no rows in it"),
    })
}

/// A table of a database that was read under row-level security, all of whose rows a policy shows.
pub(super) fn by_policy(table_name: &'static str) -> Finding {
    Finding {
        table_name,
        check_name: "row_level_security",
        severity: Severity::Info,
        row_count: 1,
        example: "row-level security is on, and a policy showed this role every row: should it \
                  change, loads are refused rather than find fewer rows"
            .into(),
    }
}
