//! What was odd while the files of a table were read, gathered from all threads into findings.

use std::collections::{BTreeMap, BTreeSet};

use super::chunk::{Check, Note};
use super::columns::Table;
use super::read::Place;
use super::timestamp::Form;
use super::{Finding, Severity};
use crate::error::InputRow;

/// How the timestamps of a table say their zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Zones {
    /// Some say it, or are epoch numbers, which are UTC.
    pub(super) given: bool,
    /// Some do not, and were taken as UTC.
    pub(super) absent: bool,
}

/// The name of the check of [`Zones::absent`].
pub(super) const WITHOUT_ZONE: &str = "timestamps_without_zone";

/// How many names an example shows.
const NAMES_SHOWN: usize = 20;

/// What threads note about the files of one table.
pub(super) struct Notes {
    table: &'static Table,
    /// By column and check: how many, and the first.
    values: BTreeMap<(usize, Check), (u64, Place, String)>,
    /// Names of columns that were not used, with the files that have them.
    unused: BTreeMap<String, String>,
    misnamed: BTreeMap<String, (String, &'static str)>,
    headers: BTreeMap<String, u64>,
}

impl Notes {
    pub(super) fn new(table: &'static Table) -> Self {
        Self {
            table,
            values: BTreeMap::new(),
            unused: BTreeMap::new(),
            misnamed: BTreeMap::new(),
            headers: BTreeMap::new(),
        }
    }

    /// Adds what one chunk has noted, with the place of its first value.
    pub(super) fn add(&mut self, place: Place, note: &Note) {
        let columns = &mut self.table.columns.iter();
        let column = columns.position(|column| column.name == note.column);
        let key = (column.unwrap_or_default(), note.check);
        match self.values.get_mut(&key) {
            Some((count, first, found)) => {
                *count += note.count;
                if place < *first {
                    *first = place;
                    found.clone_from(&note.found);
                }
            }
            None => drop(
                self.values
                    .insert(key, (note.count, place, note.found.clone())),
            ),
        }
    }

    /// Adds a column of a file that was not used.
    pub(super) fn add_unused(&mut self, file: &str, name: &str, near: Option<&'static str>) {
        match near {
            Some(near) => {
                let known = self.misnamed.entry(name.to_owned());
                known.or_insert_with(|| (file.to_owned(), near));
            }
            None => {
                let known = self.unused.entry(name.to_owned());
                known.or_insert_with(|| file.to_owned());
            }
        }
    }

    pub(super) fn add_headers(&mut self, file: &str, headers: u64) {
        if headers > 0 {
            *self.headers.entry(file.to_owned()).or_default() += headers;
        }
    }

    pub(super) fn zones(&self) -> Zones {
        let mut zones = Zones::default();
        for (_, check) in self.values.keys() {
            match check {
                Check::Clock(Form::Naive) => zones.absent = true,
                Check::Clock(_) => zones.given = true,
                _ => {}
            }
        }
        zones
    }

    pub(super) fn findings(self, locate: impl Fn(Place) -> (String, InputRow)) -> Vec<Finding> {
        let mut findings = Vec::new();
        let finding = |check_name, severity, row_count, example| Finding {
            table_name: self.table.name,
            check_name,
            severity,
            row_count,
            example,
        };
        let shown = |position: usize, place: Place, found: &str| {
            let (file, row) = locate(place);
            let column = self.table.columns[position].name;
            format!("{file}: row {row}, column {column}: {found}")
        };
        // One finding for a table: its first value in the order of the files, whatever its column.
        let noted = |check: Check| {
            let noted = self.values.iter().filter(move |((_, of), _)| *of == check);
            let count: u64 = noted.clone().map(|(_, (count, ..))| count).sum();
            let first = noted
                .clone()
                .min_by_key(|(key, (_, place, _))| (*place, **key));
            let columns: Vec<_> = noted.map(|((position, _), _)| *position).collect();
            first.map(|((position, _), (_, place, found))| {
                (count, columns, shown(*position, *place, found))
            })
        };
        if let Some((count, _, example)) = noted(Check::Rounded) {
            findings.push(finding("rounded_values", Severity::Info, count, example));
        }
        if let Some((count, _, example)) = noted(Check::Nothing) {
            let example = example + " was taken as no value";
            findings.push(finding("words_for_nothing", Severity::Info, count, example));
        }
        if let Some((count, columns, example)) = noted(Check::Clock(Form::Naive)) {
            let columns: Vec<_> = columns
                .iter()
                .map(|position| self.table.columns[*position].name)
                .collect();
            let example = format!(
                "{example}; {} without zone was read as UTC",
                columns.join(", ")
            );
            findings.push(finding(WITHOUT_ZONE, Severity::Info, count, example));
        }
        let mut columns = 0..self.table.columns.len();
        findings.extend(columns.find_map(|position| self.mixed_units(position, &shown)));
        if !self.misnamed.is_empty() {
            let shown = self.misnamed.iter().take(NAMES_SHOWN);
            let shown: Vec<_> = shown
                .map(|(name, (file, near))| format!("{file}: {name} → {near}?"))
                .collect();
            let example = format!(
                "{} was not used; --column {}={} if that is what it is called",
                shown.join(", "),
                self.misnamed
                    .values()
                    .next()
                    .map_or("NAME", |(_, near)| near),
                self.misnamed.keys().next().map_or("THEIRS", String::as_str),
            );
            let count = self.misnamed.len() as u64;
            findings.push(finding(
                "misnamed_columns",
                Severity::Warning,
                count,
                example,
            ));
        }
        if !self.unused.is_empty() {
            let files: BTreeSet<_> = self.unused.values().collect();
            let mut names: Vec<_> = self.unused.keys().map(String::as_str).collect();
            let more = names.len().saturating_sub(NAMES_SHOWN);
            names.truncate(NAMES_SHOWN);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let file = files.first().map_or("", |file| file.as_str());
            let example = format!("{file}: {}{more} not used", names.join(", "));
            let count = self.unused.len() as u64;
            findings.push(finding("unused_columns", Severity::Info, count, example));
        }
        if let Some((file, _)) = self.headers.first_key_value() {
            let example = format!("{file}: lines that repeat the header were passed");
            let count = self.headers.values().sum();
            findings.push(finding("repeated_headers", Severity::Info, count, example));
        }
        findings
    }

    /// Epoch numbers of several units in one column.
    fn mixed_units(
        &self,
        position: usize,
        shown: &impl Fn(usize, Place, &str) -> String,
    ) -> Option<Finding> {
        let units = [
            (Form::Seconds, "seconds"),
            (Form::Milliseconds, "milliseconds"),
            (Form::Microseconds, "microseconds"),
            (Form::Nanoseconds, "nanoseconds"),
        ];
        let noted = units.into_iter().filter_map(|(form, name)| {
            let (count, place, found) = self.values.get(&(position, Check::Clock(form)))?;
            Some((*count, name, *place, found))
        });
        let mut noted: Vec<_> = noted.collect();
        if noted.len() < 2 {
            return None;
        }
        let words: Vec<_> = noted
            .iter()
            .map(|(count, name, ..)| format!("{count} {name}"))
            .collect();
        noted.sort_by_key(|(count, ..)| *count);
        let (_, name, place, found) = noted.first()?;
        Some(Finding {
            table_name: self.table.name,
            check_name: "mixed_epoch_units",
            severity: Severity::Warning,
            row_count: noted.iter().map(|(count, ..)| count).sum(),
            example: format!(
                "{}, read as {name}; the column has {}",
                shown(position, *place, found),
                words.join(", ")
            ),
        })
    }
}
