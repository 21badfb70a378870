//! Another PostgreSQL that mounts a server as foreign tables: `postgres_fdw`, as it comes with it.

use crate::engine::{Execution, TestEngine, block_on};
use crate::files::test_data;
use crate::postgres::{Database, Postgres};
use crate::rows::{Cell, Row};
use crate::server::workspace;
use crate::wire::{TestServer, trusting};

/// The rows of a query whose columns are text, in one line each.
fn lines(database: &Database, sql: &str) -> Vec<String> {
    let shown = |row: &Vec<Option<String>>| {
        let cells: Vec<_> = row
            .iter()
            .map(|cell| cell.as_deref().unwrap_or("null"))
            .collect();
        cells.join(", ")
    };
    database.rows(sql).iter().map(shown).collect()
}

#[test]
fn foreign_tables_of_postgres_are_read() {
    let workspace = workspace();
    let server = TestServer::of_workspace(workspace.path(), &trusting());
    let database = Postgres::shared().database("foreign_tables");
    let (host, port) = (server.address.ip(), server.address.port());
    // Estimates ask for EXPLAIN, the size of a fetch for cursors.
    database.execute(&format!(
        "create extension postgres_fdw;
         create server hindsight foreign data wrapper postgres_fdw options (host '{host}', port '{port}', \
             dbname 'hindsight', use_remote_estimate 'true', fetch_size '10');
         create user mapping for current_user server hindsight \
             options (user 'me', password_required 'false');
         import foreign schema public from server hindsight into public"
    ));
    assert_eq!(
        lines(
            &database,
            "select attname::text, format_type(atttypid, atttypmod) from pg_attribute \
             where attrelid = 'signals'::regclass and attname in ('id', 'timestamp', 'score') order by 1"
        ),
        [
            "id, text",
            "score, numeric(7,2)",
            "timestamp, timestamp with time zone"
        ]
    );
    // More rows than a fetch has, a join of two that are sorted there, and what is computed there.
    let engine = block_on(TestEngine::of_files(
        &test_data().join("tiny"),
        Execution::USUAL,
    ));
    for sql in [
        "select count(*)::text as rows from signals",
        "select id, score::text as score from signals order by id",
        "select s.id, max(p.price)::text as price from signals s join token_prices p using (token_address) \
         group by s.id order by s.id",
        "select id from signals where timestamp > '2025-01-02' and source_wallet like 'T%' order by id",
    ] {
        let shown = |row: &Row| {
            let cells = row.0.iter().map(|(_, cell)| match cell {
                Cell::Text(text) => text.clone(),
                other => panic!("{sql}: {other:?}"),
            });
            cells.collect::<Vec<_>>().join(", ")
        };
        let expected: Vec<_> = engine.rows(sql).iter().map(shown).collect();
        assert!(!expected.is_empty(), "{sql}");
        assert_eq!(lines(&database, sql), expected, "{sql}");
    }
    // A savepoint here is one there.
    database.execute(
        "begin; select * from signals; savepoint a; select * from token_prices limit 1; \
         rollback to a; select count(*) from token_prices; commit",
    );
}
