//! What tools send as they connect and look around, as it is in the public record of each: answered
//! as by PostgreSQL, or refused so that the tool goes on without.

use crate::server::workspace;
use crate::wire::{Message, TestServer, Wire, parse, query, sync, trusting};

/// An answer in words: of each statement its rows, and its tag or what it was refused with.
fn said(answer: &[Message]) -> Vec<String> {
    let cell = |cell: Option<Vec<u8>>| match cell {
        Some(cell) => String::from_utf8_lossy(&cell).into_owned(),
        None => "null".to_owned(),
    };
    let words = answer.iter().filter_map(|message| match message.kind {
        b'D' => Some(
            message
                .cells()
                .into_iter()
                .map(cell)
                .collect::<Vec<_>>()
                .join("|"),
        ),
        b'C' => Some(String::from_utf8_lossy(&message.body[..message.body.len() - 1]).into_owned()),
        b'E' => Some(message.sqlstate()),
        b'I' => Some("nothing".to_owned()),
        _ => None,
    });
    words.collect()
}

/// A statement, and what is said of it.
type Asked<'a> = (&'a str, &'a [&'a str]);

#[test]
fn tools_are_answered_as_they_look_around() {
    let workspace = workspace();
    let server = TestServer::of_workspace(workspace.path(), &trusting());
    let tools: [(&str, &[Asked<'_>]); 7] = [
        (
            "DuckDB",
            &[
                (
                    "begin transaction isolation level repeatable read read only",
                    &["BEGIN"],
                ),
                (
                    "select 1; select (select count(*) from pg_settings where name like 'rds%'); select 3",
                    &["1", "SELECT 1", "0", "SELECT 1", "3", "SELECT 1"],
                ),
                (
                    "select to_regclass('duckdb_secrets')",
                    &["null", "SELECT 1"],
                ),
                // No pages, so that no ranges of ctid are asked for.
                (
                    "select relname, relpages from pg_class where relname in ('signals', 'token_prices') order by 1",
                    &["signals|0", "token_prices|0", "SELECT 2"],
                ),
                ("commit", &["COMMIT"]),
                ("discard all", &["DISCARD ALL"]),
                (
                    "select pg_is_in_recovery(), (select count(*) from pg_stat_wal_receiver)",
                    &["f|0", "SELECT 1"],
                ),
            ],
        ),
        (
            "Tableau",
            &[
                (
                    "create local temporary table \"#Tableau_1_c\" (\"COL\" integer) on commit preserve rows",
                    &["CREATE TABLE"],
                ),
                ("insert into \"#Tableau_1_c\" values (1)", &["INSERT 0 1"]),
                (
                    "select \"COL\" from \"#Tableau_1_c\" group by 1",
                    &["1", "SELECT 1"],
                ),
                ("drop table \"#Tableau_1_c\"", &["DROP TABLE"]),
                (
                    "select * into temporary table \"#T2\" from (select 1 as a) t",
                    &["SELECT 1"],
                ),
                ("begin", &["BEGIN"]),
                (
                    "declare \"SQL_CUR1\" cursor with hold for select 7 as n from signals",
                    &["DECLARE CURSOR"],
                ),
                ("commit", &["COMMIT"]),
                ("fetch 2 in \"SQL_CUR1\"", &["7", "7", "FETCH 2"]),
                ("close \"SQL_CUR1\"", &["CLOSE CURSOR"]),
            ],
        ),
        (
            "pgAdmin",
            &[
                (
                    "select set_config('bytea_output', 'hex', false) from pg_settings where name = 'bytea_output'",
                    &["hex", "SELECT 1"],
                ),
                (
                    "select set_config('no_such', 'hex', false) from pg_settings where name = 'no_such'",
                    &["SELECT 0"],
                ),
                (
                    "select count(*) > 50 from pg_show_all_settings()",
                    &["t", "SELECT 1"],
                ),
                (
                    "select rolname, rolsuper, rolcanlogin from pg_roles where rolname = current_user",
                    &["ann|f|t", "SELECT 1"],
                ),
                (
                    "select gss_authenticated, encrypted from pg_catalog.pg_stat_gssapi where pid = pg_backend_pid()",
                    &["f|f", "SELECT 1"],
                ),
                (
                    "set client_encoding = 'utf-8'; set enable_seqscan = off",
                    &["SET", "SET"],
                ),
            ],
        ),
        (
            "Metabase",
            &[
                (
                    "set session characteristics as transaction isolation level read uncommitted",
                    &["SET"],
                ),
                (
                    "select to_char(current_timestamp, 'YYYY-MM-DD HH24:MI:SS.MS TZ') ~ '^20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d\\d\\d UTC$'",
                    &["t", "SELECT 1"],
                ),
                ("set session timezone to 'Asia/Tokyo'", &["SET"]),
                (
                    "select date_trunc('month', \"public\".\"signals\".\"timestamp\") as \"timestamp\", count(*) from \"public\".\"signals\" where \"public\".\"signals\".\"timestamp\" >= date_trunc('month', (timestamptz '2025-12-01' + interval '-12 month')) group by date_trunc('month', \"public\".\"signals\".\"timestamp\") order by date_trunc('month', \"public\".\"signals\".\"timestamp\") asc",
                    &["2025-01-01 00:00:00+09|60", "SELECT 1"],
                ),
                ("set timezone to 'UTC'", &["SET"]),
                (
                    "select cast(extract(dow from timestamptz '2025-01-01') as integer) + 1",
                    &["4", "SELECT 1"],
                ),
                (
                    "select min(date_trunc('week', (timestamp + interval '1 day')) + interval '-1 day') from signals",
                    &["2024-12-29 00:00:00+00", "SELECT 1"],
                ),
            ],
        ),
        (
            "ADBC",
            &[(
                "select t.typname, t.typsend, t.typreceive, t.typelem, coalesce(r.rngsubtype, 0), array(select a.atttypid from pg_attribute as a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped order by a.attnum) from pg_type as t left join pg_range as r on r.rngtypid = t.oid where t.typname in ('_text', 'numeric') order by 1",
                &[
                    "_text|array_send|array_recv|25|0|{}",
                    "numeric|numeric_send|numeric_recv|0|0|{}",
                    "SELECT 2",
                ],
            )],
        ),
        (
            "Prisma",
            &[
                (
                    "set search_path = \"public\"; set names 'UTF8';",
                    &["SET", "SET"],
                ),
                ("select * from information_schema.sequences", &["SELECT 0"]),
            ],
        ),
        (
            "lib/pq and Looker",
            &[
                (";", &["nothing"]),
                ("-- ping", &["nothing"]),
                ("", &["nothing"]),
                (
                    "select count(*) from pg_stat_activity where pid = pg_backend_pid()",
                    &["1", "SELECT 1"],
                ),
                ("select pg_terminate_backend(1)", &["42501"]),
                ("select 1", &["1", "SELECT 1"]),
            ],
        ),
    ];
    for (tool, statements) in tools {
        let mut wire = Wire::connect(server.address);
        for (sql, expected) in statements {
            assert_eq!(said(&wire.ask(&query(sql))), *expected, "{tool}: {sql}");
        }
    }
    let mut wire = Wire::connect(server.address);
    let two = parse("", "set search_path = \"public\"; set names 'UTF8';", &[]);
    assert_eq!(said(&wire.ask(&[two, sync()].concat())), ["42601"]);
}

#[test]
fn tools_are_told_which_function_there_is_not() {
    let workspace = workspace();
    let server = TestServer::of_workspace(workspace.path(), &trusting());
    let mut wire = Wire::connect(server.address);
    for sql in [
        "select pg_export_snapshot()",
        "select pg_is_in_recovery(), pg_export_snapshot()",
        "select pg_is_in_recovery(), (select pg_export_snapshot() from pg_stat_wal_receiver)",
        "select coalesce(pg_export_snapshot(), '') from pg_class",
    ] {
        let answer = wire.ask(&query(sql));
        let refused = answer.iter().find(|message| message.kind == b'E').unwrap();
        let message = refused.field(b'M').unwrap();
        assert_eq!(refused.sqlstate(), "42883", "{sql}: {message}");
        assert!(message.contains("pg_export_snapshot"), "{sql}: {message}");
    }
    // A table that is not there comes first, as from PostgreSQL.
    let answer = wire.ask(&query("select pg_is_in_recovery(), nothing() from nowhere"));
    assert_eq!(said(&answer), ["42P01"]);
}

#[test]
fn tools_say_their_zone_as_they_know_it() {
    let workspace = workspace();
    let server = TestServer::of_workspace(workspace.path(), &trusting());
    for (zone, expected) in [
        ("Asia/Calcutta", "2025-01-01 05:30:00+05:30"),
        ("Asia/Saigon", "2025-01-01 07:00:00+07"),
        ("Europe/Kiev", "2025-01-01 02:00:00+02"),
        ("Europe/Kyiv", "2025-01-01 02:00:00+02"),
        ("America/Buenos_Aires", "2024-12-31 21:00:00-03"),
        ("Asia/Katmandu", "2025-01-01 05:45:00+05:45"),
        ("US/Pacific", "2024-12-31 16:00:00-08"),
        // West of Greenwich, as POSIX means it.
        ("GMT+03:00", "2024-12-31 21:00:00-03"),
        ("GMT-03:00", "2025-01-01 03:00:00+03"),
        ("Etc/GMT+3", "2024-12-31 21:00:00-03"),
        ("UTC+3", "2024-12-31 21:00:00-03"),
        ("EST5EDT", "2024-12-31 19:00:00-05"),
    ] {
        for (name, value) in [
            ("TimeZone", zone.to_owned()),
            ("options", format!("-c TimeZone={zone}")),
        ] {
            let parameters = [
                ("user", "ann"),
                ("database", "hindsight"),
                (name, value.as_str()),
            ];
            let wire = Wire::connect_with(server.address, &parameters);
            let mut wire = wire.unwrap_or_else(|refused| panic!("{zone}: {refused:?}"));
            let found = wire.rows("select timestamptz '2025-01-01 00:00+00'");
            assert_eq!(found.unwrap(), [[expected]], "{zone}");
        }
    }
    let parameters = [
        ("user", "ann"),
        ("database", "hindsight"),
        ("TimeZone", "Nowhere/Else"),
    ];
    let Err(refused) = Wire::connect_with(server.address, &parameters) else {
        panic!("a zone that is none was taken");
    };
    assert_eq!(refused.sqlstate(), "22023");
    assert!(refused.field(b'M').unwrap().contains("Nowhere/Else"));
}
