//! Every function of a session, each cast and many operators, of values as long as a client makes them: an
//! answer or a refusal, soon, within the memory that there is.

use std::path::Path;

use super::*;

/// Texts of twice what is read as a whole, each kind with the calls that it is tried in. Bytes are shorter,
/// which take long to be made, and so are arrays: a join copies each as often as it has rows, before
/// anything is counted.
const KINDS: [(&str, &str, &[&str]); 4] = [
    (
        "text",
        "repeat('1,', 8000000)",
        &[
            "v",
            "v, v",
            "v, ','",
            "v, 1",
            "v, ',', 'b'",
            "v, ',', v",
            "'a', v",
            "v, 1, 2",
            "1, v",
            "'%s', v",
        ],
    ),
    (
        "JSON",
        "'[' || repeat('1,', 8000000) || '1]'",
        &["v", "v, v", "v, '0'", "v, '{0}', '1'"],
    ),
    (
        "array",
        "range(1, 400000)",
        &["v", "v, v", "v, 1", "1, v", "v, 1, 2", "v, ','"],
    ),
    (
        "bytes",
        "convert_to(repeat('x', 4000000), 'UTF8')",
        &["v", "v, v", "v, 'hex'", "v, 1", "v, 'UTF8'"],
    ),
];

const TYPES: [&str; 18] = [
    "int",
    "bigint",
    "numeric",
    "numeric(10, 2)",
    "float8",
    "bool",
    "date",
    "timestamptz",
    "time",
    "interval",
    "text",
    "varchar(5)",
    "bytea",
    "jsonb",
    "int[]",
    "text[]",
    "uuid",
    "regclass",
];

/// What else reads a value, or makes rows or another value of it.
const OTHERS: [&str; 25] = [
    "select count(v ~ v) from long",
    "select count(v like '%x%') from long",
    "select count(v ~ '(1,)+x') from long",
    "select count(v similar to '%x') from long",
    "select count(v || v) from long",
    "select count(v = v) from long",
    "select count(v::jsonb -> 0) from long",
    "select count(v::jsonb @> '[1]') from long",
    "select count(v::jsonb || v::jsonb) from long",
    "select count(v && array[1]) from long",
    "select count(v[1:3]) from long",
    "select count(1 = any(v)) from long",
    "select count(*) from long, unnest(v) u",
    "select count(*) from (select unnest(v) from long) u",
    "select count(*) from long, regexp_split_to_table(v, ',') u",
    "select count(*) from (select regexp_split_to_table(v, ',') from long) u",
    "select count(*) from long, jsonb_array_elements(v::jsonb) u",
    "select count(*) from long, string_to_table(v, ',') u",
    "select array_agg(v) from long, generate_series(1, 100)",
    "select mode() within group (order by v) from long, generate_series(1, 20)",
    "select percentile_disc(0.5) within group (order by v) from long, generate_series(1, 20)",
    "select count(distinct v || g) from long, generate_series(1, 100) g",
    "select length(to_json(l)::text) from long l",
    "select length(l::text) from long l",
    "select length(jsonb_agg(v)::text) from long, generate_series(1, 20)",
];

/// The same where no plan is made of tables: constants, and relations of the catalog.
const CONSTANTS: [&str; 12] = [
    "select regexp_split_to_table(repeat('a,', 10000000), ',')",
    "select regexp_split_to_array(repeat('a,', 10000000), ',')",
    "select string_to_array(repeat('a,', 15000000), ',')",
    "select repeat('1', 1000000)::numeric",
    "select repeat('1 day ', 1000000)::interval",
    "select overlay(repeat('x', 100000000) placing 'y' from 5)",
    "select array_intersect(range(1, 4000000), range(1, 4000000))",
    "select array_except(range(1, 4000000), range(5, 4000000))",
    "select (repeat('1,', 10000000) || '1')::int[]",
    "select regexp_split_to_table(repeat('a,', 10000000), ',') from pg_class limit 1",
    "select repeat('1', 1000000)::numeric from pg_class limit 1",
    "select string_agg(repeat(relname, 1000000), ',') from pg_class",
];

/// A server with two clients, one of which asks what may be too much.
struct Asked {
    server: ServerProcess,
    wire: Wire,
    other: Wire,
}

impl Asked {
    fn start(workspace: &Path) -> Self {
        let server = ServerProcess::start(workspace);
        Self {
            wire: Wire::connect(server.address),
            other: Wire::connect(server.address),
            server,
        }
    }

    /// The SQLSTATE that a statement ends with, none where it has an answer.
    fn ask(&mut self, sql: &str) -> String {
        let kept = self.server.forget_peak();
        let started = Instant::now();
        self.wire.send(&query(sql));
        // It may be told that there is no memory just now, but at once.
        let of_other = (0..3).map(|_| {
            let asked = Instant::now();
            let told = self.other.rows("select 1");
            let answer = [["1".to_owned()]];
            match &told {
                Ok(rows) => assert_eq!(rows, &answer, "{sql}: the other session"),
                Err(told) => assert!(told.contains("53200"), "{sql}: {told}"),
            }
            asked.elapsed()
        });
        let of_other = of_other.min().unwrap();
        let answer = self.wire.until_ready();
        let elapsed = started.elapsed();
        assert!(!answer.is_empty(), "the server is gone after {sql}");
        let state = errors(&answer).concat();
        assert!(!state.starts_with("XX"), "{sql}: {state}");
        // Other tests have the processor too.
        assert!(of_other < 10 * AT_ONCE, "{sql}: another waits {of_other:?}");
        assert!(elapsed < 3 * SOON, "{sql}: {elapsed:?}");
        let taken = self.server.peak().saturating_sub(kept);
        assert!(taken < 1_024, "{sql}: {taken} MiB beyond {kept}");
        assert_eq!(self.other.rows("select 1").unwrap().len(), 1, "{sql}");
        state
    }

    fn make(&mut self, value: &str) {
        let made = format!("create temp table long as select {value} as v");
        assert_eq!(self.ask(&made), "", "{value}");
    }
}

#[test]
fn what_reads_a_value_as_a_whole_has_a_bound() {
    let workspace = files::removed_at_the_end(crate::server::workspace());
    let mut asked = Asked::start(workspace.path());
    let (_, text, _) = KINDS[0];
    asked.make(text);
    for of in TYPES {
        asked.ask(&format!("select count(v::{of}) from long"));
    }
    for sql in OTHERS {
        asked.ask(sql);
    }
    for sql in CONSTANTS {
        let state = asked.ask(sql);
        assert!(!state.is_empty(), "{sql}");
    }
}

/// One in so many functions is tried, all of them where `HINDSIGHT_FUNCTIONS` is set: that is thousands of
/// statements, which take minutes.
const ONE_IN: usize = 16;

#[test]
fn every_function_has_a_bound() {
    let one_in = match std::env::var_os("HINDSIGHT_FUNCTIONS") {
        Some(_) => 1,
        None => ONE_IN,
    };
    let workspace = files::removed_at_the_end(crate::server::workspace());
    let mut asked = Asked::start(workspace.path());
    let names = "select distinct routine_name from information_schema.routines order by 1";
    let names = asked.wire.rows(names).unwrap().into_iter().flatten();
    // What only the catalog has is refused over tables by its name.
    let is_of_tables = |wire: &mut Wire, name: &str| {
        let sql = format!("select count(\"{name}\"(id)) from signals");
        !wire
            .rows(&sql)
            .is_err_and(|told| told.contains("Invalid function"))
    };
    let names: Vec<String> = names.collect();
    let names = names.into_iter();
    let names: Vec<String> = names
        .filter(|name| is_of_tables(&mut asked.wire, name))
        .collect();
    assert!(names.len() > 300, "{} functions", names.len());
    for (kind, value, calls) in KINDS {
        asked.make(value);
        let mut answered = 0;
        for name in names.iter().step_by(one_in) {
            for call in calls {
                let sql = format!("select count(\"{name}\"({call})) from long");
                answered += usize::from(asked.ask(&sql).is_empty());
            }
        }
        // Most take no such arguments, and some of those that do are quick enough.
        assert!(answered > 0, "{kind}: {answered}");
        assert_eq!(asked.ask("drop table long"), "", "{kind}");
    }
}
