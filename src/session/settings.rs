//! The settings of a session, as `SET`, `SHOW` and `RESET` know them.
//!
//! The names and defaults are PostgreSQL's, so that drivers find what they ask for. Those of its
//! planner (`enable_seqscan` and the like) are taken and do nothing: no answer depends on them.

mod values;

use std::collections::BTreeMap;

use super::zone;
use crate::error::{Error, Result};
pub use values::milliseconds;
use values::{date_style, memory, shown_milliseconds};

/// A setting that every session has.
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub kind: Kind,
    /// Whether a client is told when it changes.
    pub is_reported: bool,
    pub description: &'static str,
}

/// What values a setting takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Nobody changes it.
    Fixed,
    Bool,
    Text,
    Integer(i64, i64),
    /// A number from 0, such as a cost.
    Real,
    /// A size of memory.
    Memory,
    Milliseconds,
    OneOf(&'static [&'static str]),
    DateStyle,
    Encoding,
    Zone,
}

const LEVELS: &[&str] = &[
    "debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "notice", "warning", "error",
];
const ISOLATION: &[&str] = &[
    "serializable",
    "repeatable read",
    "read committed",
    "read uncommitted",
];

macro_rules! settings {
    ($($name:literal $default:literal $kind:expr, $reported:literal $description:literal;)*) => {
        &[$(Setting {
            name: $name,
            default: $default,
            kind: $kind,
            is_reported: $reported,
            description: $description,
        }),*]
    };
}

/// Every setting, by its name.
pub const SETTINGS: &[Setting] = settings! {
    "application_name" "" Kind::Text, true "Name of the client, for the log.";
    "backslash_quote" "safe_encoding" Kind::OneOf(&["safe_encoding", "on", "off"]), false "Whether \\' is allowed in texts.";
    "block_size" "8192" Kind::Fixed, false "Size of a disk block.";
    "bytea_output" "hex" Kind::OneOf(&["hex", "escape"]), false "Form of bytea values.";
    "check_function_bodies" "on" Kind::Bool, false "Whether CREATE FUNCTION checks bodies.";
    "client_encoding" "UTF8" Kind::Encoding, true "Encoding of the client: UTF8.";
    "client_min_messages" "notice" Kind::OneOf(LEVELS), false "The least severe messages that are sent.";
    "constraint_exclusion" "partition" Kind::OneOf(&["partition", "on", "off"]), false "PostgreSQL's planner's: taken, and without effect here.";
    "cpu_index_tuple_cost" "0.005" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "cpu_operator_cost" "0.0025" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "cpu_tuple_cost" "0.01" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "cursor_tuple_fraction" "0.1" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "datestyle" "ISO, MDY" Kind::DateStyle, true "Form of dates: ISO.";
    "default_statistics_target" "100" Kind::Integer(1, 10_000), false "PostgreSQL's planner's: taken, and without effect here.";
    "default_table_access_method" "heap" Kind::Text, false "How tables are stored.";
    "default_tablespace" "" Kind::Text, false "Where tables are stored.";
    "default_transaction_deferrable" "off" Kind::Bool, false "Whether transactions are deferrable.";
    "default_transaction_isolation" "read committed" Kind::OneOf(ISOLATION), false "Isolation of new transactions.";
    "default_transaction_read_only" "off" Kind::Bool, true "Whether new transactions are read-only.";
    "effective_cache_size" "4GB" Kind::Memory, false "PostgreSQL's planner's: taken, and without effect here.";
    "effective_io_concurrency" "1" Kind::Integer(0, 1_000), false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_async_append" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_bitmapscan" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_gathermerge" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_hashagg" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_hashjoin" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_incremental_sort" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_indexonlyscan" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_indexscan" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_material" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_memoize" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_mergejoin" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_nestloop" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_parallel_append" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_parallel_hash" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_partition_pruning" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_partitionwise_aggregate" "off" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_partitionwise_join" "off" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_seqscan" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_sort" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "enable_tidscan" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "escape_string_warning" "on" Kind::Bool, false "Whether backslashes in texts are warned of.";
    "extra_float_digits" "1" Kind::Integer(-15, 3), false "Digits of floating point values: the shortest that are exact.";
    "force_parallel_mode" "off" Kind::OneOf(&["off", "on", "regress"]), false "PostgreSQL's planner's: taken, and without effect here.";
    "from_collapse_limit" "8" Kind::Integer(1, 2_147_483_647), false "PostgreSQL's planner's: taken, and without effect here.";
    "geqo" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "geqo_threshold" "12" Kind::Integer(2, 2_147_483_647), false "PostgreSQL's planner's: taken, and without effect here.";
    "hash_mem_multiplier" "2" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "hindsight.distribute" "auto" Kind::OneOf(&["auto", "off"]), false "Whether grids and queries run on the workers of the server, where it has some.";
    "idle_in_transaction_session_timeout" "0" Kind::Milliseconds, false "How long a transaction may be idle before its connection is closed; 0 is for ever.";
    "idle_session_timeout" "0" Kind::Milliseconds, false "How long a session may be idle outside of a transaction before its connection is closed; 0 is for ever.";
    "in_hot_standby" "off" Kind::Fixed, true "Whether this is a standby.";
    "integer_datetimes" "on" Kind::Fixed, true "Whether times are counted in integers.";
    "intervalstyle" "postgres" Kind::OneOf(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]), true "Form of intervals.";
    "is_superuser" "off" Kind::Fixed, true "Whether the user may do everything.";
    "jit" "off" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "jit_above_cost" "100000" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "jit_inline_above_cost" "500000" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "jit_optimize_above_cost" "500000" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "join_collapse_limit" "8" Kind::Integer(1, 2_147_483_647), false "PostgreSQL's planner's: taken, and without effect here.";
    "lc_collate" "C" Kind::Fixed, false "Order of texts.";
    "lc_ctype" "C.UTF-8" Kind::Fixed, false "Classes of characters.";
    "lc_messages" "C" Kind::Text, false "Language of messages.";
    "lc_monetary" "C" Kind::Text, false "Form of money.";
    "lc_numeric" "C" Kind::Text, false "Form of numbers.";
    "lc_time" "C" Kind::Text, false "Form of times.";
    "lock_timeout" "0" Kind::Milliseconds, false "How long a lock is waited for: no statement here waits for one.";
    "maintenance_work_mem" "64MB" Kind::Memory, false "PostgreSQL's planner's: taken, and without effect here.";
    "max_identifier_length" "63" Kind::Fixed, false "Longest name.";
    "max_index_keys" "32" Kind::Fixed, false "Columns of an index.";
    "max_parallel_maintenance_workers" "2" Kind::Integer(0, 1_024), false "PostgreSQL's planner's: taken, and without effect here.";
    "max_parallel_workers" "8" Kind::Integer(0, 1_024), false "PostgreSQL's planner's: taken, and without effect here.";
    "max_parallel_workers_per_gather" "2" Kind::Integer(0, 1_024), false "PostgreSQL's planner's: taken, and without effect here.";
    "min_parallel_index_scan_size" "512kB" Kind::Memory, false "PostgreSQL's planner's: taken, and without effect here.";
    "min_parallel_table_scan_size" "8MB" Kind::Memory, false "PostgreSQL's planner's: taken, and without effect here.";
    "parallel_leader_participation" "on" Kind::Bool, false "PostgreSQL's planner's: taken, and without effect here.";
    "parallel_setup_cost" "1000" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "parallel_tuple_cost" "0.1" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "plan_cache_mode" "auto" Kind::OneOf(&["auto", "force_generic_plan", "force_custom_plan"]), false "PostgreSQL's planner's: taken, and without effect here.";
    "quote_all_identifiers" "off" Kind::Bool, false "Whether names are quoted always.";
    "random_page_cost" "4" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "role" "none" Kind::Fixed, false "The role in force.";
    "row_security" "on" Kind::Bool, false "Whether row security holds.";
    "search_path" "\"$user\", public" Kind::Text, true "Schemas that names are looked up in.";
    "seq_page_cost" "1" Kind::Real, false "PostgreSQL's planner's: taken, and without effect here.";
    "server_encoding" "UTF8" Kind::Fixed, true "Encoding of the server.";
    "server_version" "15.0" Kind::Fixed, true "Version of PostgreSQL that clients may expect.";
    "server_version_num" "150000" Kind::Fixed, false "The same as a number.";
    "session_authorization" "" Kind::Fixed, true "The user.";
    "session_replication_role" "origin" Kind::Fixed, false "Whether triggers fire.";
    "standard_conforming_strings" "on" Kind::OneOf(&["on"]), true "Whether backslashes in texts are themselves.";
    "statement_timeout" "0" Kind::Milliseconds, false "How long a statement may run; 0 is as long as the server lets it.";
    "synchronize_seqscans" "on" Kind::Bool, false "Whether scans share their start.";
    "synchronous_commit" "on" Kind::OneOf(&["on", "off", "local", "remote_write", "remote_apply"]), false "Whether COMMIT waits for the disk.";
    "temp_buffers" "8MB" Kind::Memory, false "PostgreSQL's planner's: taken, and without effect here.";
    "timezone" "UTC" Kind::Zone, true "Time zone that times are shown and read in.";
    "transaction_deferrable" "off" Kind::Bool, false "Whether the transaction is deferrable.";
    "transaction_isolation" "read committed" Kind::OneOf(ISOLATION), false "Isolation of the transaction.";
    "transaction_read_only" "off" Kind::Bool, false "Whether the transaction is read-only.";
    "wal_level" "replica" Kind::Fixed, false "What the write-ahead log holds.";
    "work_mem" "4MB" Kind::Memory, false "PostgreSQL's planner's: taken, and without effect here.";
    "xmlbinary" "base64" Kind::Text, false "Form of bytea in XML.";
    "xmloption" "content" Kind::Text, false "Form of XML.";
};

/// The values that a session has set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What the session began with, where it is not the default: from the login.
    initial: BTreeMap<String, String>,
    values: BTreeMap<String, String>,
    /// What was in force before a transaction set it, and whether it was for the transaction only.
    before: Option<Before>,
    /// What was in force at the savepoints of a transaction, by their names.
    saved: Vec<(String, BTreeMap<String, String>, Before)>,
}

/// Values, and whether what replaced them is for a transaction only.
type Before = BTreeMap<String, (Option<String>, bool)>;

impl Settings {
    /// The settings of a session that logs in.
    pub fn new(user: &str) -> Self {
        let user = ("session_authorization".to_owned(), user.to_owned());
        Self {
            initial: BTreeMap::from([user]),
            ..Self::default()
        }
    }

    /// Sets what the session returns to on `RESET`.
    pub fn set_initial(&mut self, name: &str, value: &str) -> Result<()> {
        let (name, value) = (name.to_lowercase(), checked(&name.to_lowercase(), value)?);
        self.initial.insert(name, value);
        Ok(())
    }

    /// The value in force; `None` where there is no such setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        let set = self.values.get(name).or_else(|| self.initial.get(name));
        let set = set.map(String::as_str);
        set.or_else(|| find(name).map(|setting| setting.default))
    }

    /// The value in force, or the error that there is no such setting.
    pub fn show(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| unknown(name))
    }

    /// Every setting with its value in force.
    pub fn all(&self) -> impl Iterator<Item = (&'static Setting, &str)> {
        let value = |setting: &'static Setting| self.get(setting.name).unwrap_or_default();
        SETTINGS
            .iter()
            .map(move |setting| (setting, value(setting)))
    }

    /// The settings that only the client knows, by names with a dot.
    pub fn own(&self) -> impl Iterator<Item = (&str, &str)> {
        let values = self.initial.iter().chain(&self.values);
        let own = values.filter(|(name, _)| name.contains('.') && find(name).is_none());
        own.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Sets a value; `None` is what the session began with.
    pub fn set(&mut self, name: &str, value: Option<&str>, is_local: bool) -> Result<()> {
        let value = match value {
            Some(value) => {
                self.check_room(name, value)?;
                Some(checked(name, value)?)
            }
            None if find(name).is_none() && !name.contains('.') => return Err(unknown(name)),
            None => None,
        };
        if let Some(before) = &mut self.before {
            let old = self.values.get(name).cloned();
            let entry = before.entry(name.to_owned()).or_insert((old, is_local));
            entry.1 &= is_local;
        } else if is_local {
            // Outside of a transaction nothing is local to one.
            return Ok(());
        }
        match value {
            Some(value) => self.values.insert(name.to_owned(), value),
            None => self.values.remove(name),
        };
        Ok(())
    }

    /// Refuses what would be kept without bound.
    fn check_room(&self, name: &str, value: &str) -> Result<()> {
        let problem = if name.len() > 1_000 || value.len() > 64_000 {
            "the setting is too long: a name has at most 1000 bytes and a value 64000"
        } else if self.values.len() >= 1_000 && !self.values.contains_key(name) {
            "too many settings: a session keeps at most 1000"
        } else {
            return Ok(());
        };
        Err(Error::session("54000", problem))
    }

    /// Returns everything to what the session began with.
    pub fn reset_all(&mut self) {
        let names: Vec<String> = self.values.keys().cloned().collect();
        for name in names {
            if let Some(before) = &mut self.before {
                let old = self.values.get(&name).cloned();
                before.entry(name.clone()).or_insert((old, false)).1 = false;
            }
            self.values.remove(&name);
        }
    }

    /// From here on, what is set is undone by a rollback.
    pub fn begin(&mut self) {
        self.before.get_or_insert_default();
    }

    /// Notes what is in force, to return to by this name.
    pub fn save(&mut self, name: &str) {
        if let Some(before) = &self.before {
            let saved = (name.to_owned(), self.values.clone(), before.clone());
            self.saved.push(saved);
        }
    }

    /// Forgets a savepoint and those behind it.
    pub fn release(&mut self, name: &str) {
        if let Some(place) = self.saved.iter().rposition(|(known, _, _)| known == name) {
            self.saved.truncate(place);
        }
    }

    /// Undoes what was set behind a savepoint.
    pub fn return_to(&mut self, name: &str) {
        if let Some(place) = self.saved.iter().rposition(|(known, _, _)| known == name) {
            self.saved.truncate(place + 1);
            if let Some((_, values, before)) = self.saved.last() {
                self.values.clone_from(values);
                self.before = Some(before.clone());
            }
        }
    }

    /// Ends a transaction: a rollback undoes what it set, a commit only what was local to it.
    pub fn end(&mut self, is_committed: bool) {
        self.saved.clear();
        for (name, (old, is_local)) in self.before.take().unwrap_or_default() {
            if is_local || !is_committed {
                match old {
                    Some(old) => self.values.insert(name, old),
                    None => self.values.remove(&name),
                };
            }
        }
    }
}

/// The setting of this name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The name as clients are told of it.
pub fn reported_name(name: &'static str) -> &'static str {
    match name {
        "datestyle" => "DateStyle",
        "timezone" => "TimeZone",
        "intervalstyle" => "IntervalStyle",
        name => name,
    }
}

fn unknown(name: &str) -> Error {
    let message = format!("unrecognized configuration parameter \"{name}\"");
    Error::session_hint("42704", message, "SHOW ALL lists what there is")
}

/// A value as it is kept, if the setting takes it.
fn checked(name: &str, value: &str) -> Result<String> {
    let Some(setting) = find(name) else {
        // A name with a dot is the client's own.
        return match name.contains('.') && !name.starts_with("datafusion.") {
            true => Ok(value.to_owned()),
            false => Err(unknown(name)),
        };
    };
    // asyncpg quotes twice.
    let value = match setting.kind {
        Kind::Encoding => value.trim_matches('\''),
        _ => value,
    };
    let refuse = |expected: &str| {
        let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
        Err(Error::session_hint("22023", message, expected))
    };
    match setting.kind {
        Kind::Fixed if value.eq_ignore_ascii_case(setting.default) => Ok(setting.default.into()),
        Kind::Fixed => {
            let message = format!("parameter \"{name}\" cannot be changed");
            Err(Error::session("55P02", message))
        }
        Kind::Text => Ok(value.to_owned()),
        Kind::Bool => match value.to_lowercase().as_str() {
            "on" | "true" | "yes" | "1" | "t" | "y" => Ok("on".into()),
            "off" | "false" | "no" | "0" | "f" | "n" => Ok("off".into()),
            _ => refuse("on or off"),
        },
        Kind::Integer(least, most) => match value.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
            _ => refuse(&format!("a whole number from {least} to {most}")),
        },
        Kind::Real => match value.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(value.to_owned()),
            _ => refuse("a number from 0"),
        },
        Kind::Memory => match memory(value) {
            true => Ok(value.to_owned()),
            false => refuse("a number of kilobytes, or with a unit: 64kB, 16MB, 1GB"),
        },
        Kind::Milliseconds => match milliseconds(value) {
            Some(number) => Ok(shown_milliseconds(number)),
            None => refuse("a number of milliseconds, or with a unit: 500ms, 30s, 5min, 1h, 1d"),
        },
        Kind::OneOf(values) => {
            let value = value.to_lowercase();
            let is_known = values.contains(&value.as_str());
            let is_true = values.contains(&"on") && matches!(value.as_str(), "true" | "1" | "yes");
            match (is_known, is_true) {
                (true, _) => Ok(value),
                (false, true) => Ok("on".into()),
                (false, false) => refuse(&format!("one of: {}", values.join(", "))),
            }
        }
        Kind::DateStyle => date_style(value).map_or_else(|| refuse("ISO with MDY, DMY or YMD"), Ok),
        Kind::Encoding => match value.to_uppercase().replace(['-', '_'], "").as_str() {
            "UTF8" | "UNICODE" | "DEFAULT" => Ok("UTF8".into()),
            _ => refuse("UTF8"),
        },
        Kind::Zone => zone::named(value).map_or_else(
            || refuse("a name such as Europe/Berlin, UTC, or hours east such as -7"),
            Ok,
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn settings_are_listed_in_order() {
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
        for setting in SETTINGS {
            if !matches!(setting.kind, Kind::Fixed) {
                let kept = checked(setting.name, setting.default).unwrap();
                assert_eq!(kept, setting.default, "{}", setting.name);
            }
        }
    }

    #[test]
    fn values_are_checked() {
        let mut settings = Settings::new("ann");
        settings
            .set("statement_timeout", Some("60000"), false)
            .unwrap();
        assert_eq!(settings.get("statement_timeout"), Some("1min"));
        settings
            .set("timezone", Some("america/new_york"), false)
            .unwrap();
        assert_eq!(settings.get("timezone"), Some("America/New_York"));
        let state = |name: &str, value: &str| {
            let error = Settings::new("ann")
                .set(name, Some(value), false)
                .unwrap_err();
            error.sqlstate()
        };
        assert_eq!(state("nope", "1"), "42704");
        assert_eq!(state("client_encoding", "LATIN1"), "22023");
        assert_eq!(state("server_version", "16"), "55P02");
        assert_eq!(state("timezone", "Nowhere"), "22023");
        assert_eq!(state("datafusion.x", "1"), "42704");
        assert_eq!(settings.get("session_authorization"), Some("ann"));
    }

    #[test]
    fn a_transaction_takes_its_settings_along() {
        let mut settings = Settings::new("ann");
        settings
            .set("application_name", Some("before"), false)
            .unwrap();
        settings.begin();
        settings
            .set("application_name", Some("local"), true)
            .unwrap();
        settings.set("row_security", Some("off"), false).unwrap();
        settings.end(true);
        assert_eq!(settings.get("application_name"), Some("before"));
        assert_eq!(settings.get("row_security"), Some("off"));
        settings.begin();
        settings.set("row_security", Some("on"), false).unwrap();
        settings.end(false);
        assert_eq!(settings.get("row_security"), Some("off"));
        settings.reset_all();
        assert_eq!(settings.get("row_security"), Some("on"));
    }
}
