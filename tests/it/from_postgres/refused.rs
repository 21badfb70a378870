//! What a load from a database says is wrong, and that it leaves nothing behind.

use std::process::Stdio;
use std::time::{Duration, Instant};

use hindsight::dataset::Dataset;
use hindsight::ingest::{NoProgress, load_database};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::{Outcome, TABLES, empty, load_from, read, refusal, request, tiny};
use crate::cli::{hindsight, run, text};
use crate::postgres::{Postgres, block_on};
use crate::runs::eventually;

#[test]
fn from_postgres_names_what_is_wrong() {
    let database = empty("wrong");
    let place = |table: &str| format!("table {table} of postgres://postgres@127.0.0.1:");
    let wrong = |change: &str, undo: &str, table: &str, expected: &str| {
        database.execute(change);
        let error = refusal(&request(database.url()));
        database.execute(undo);
        let message = error.to_string();
        assert!(message.starts_with(&place(table)), "{message}");
        assert!(message.contains(expected), "{message}");
        assert_eq!(error.exit_code(), 1, "{message}");
    };
    for value in ["NaN", "Infinity", "-Infinity", "-1"] {
        let found = format!(
            "row 1, column price: found {value} where token_address is T and timestamp is \
             2025-01-01 00:00:00+00, expected a price in SOL"
        );
        let insert = format!("insert into token_prices values ('T', '2025-01-01', '{value}', 5)");
        wrong(&insert, "truncate token_prices", "token_prices", &found);
        let float = "alter table token_prices alter price type float8";
        wrong(
            &format!("{float}; {insert}"),
            "truncate token_prices; alter table token_prices alter price type numeric",
            "token_prices",
            &found,
        );
    }
    wrong(
        "insert into signals values ('00000000-0000-0000-0000-000000000001', 'infinity', 'A')",
        "truncate signals",
        "signals",
        "row 1, column timestamp: found infinity where id is \
         00000000-0000-0000-0000-000000000001, expected a timestamp",
    );
    wrong(
        "insert into trade_outcomes values ('00000000-0000-0000-0000-000000000001', 'A', 1, 1, 1, \
         '2025-01-02', '2025-01-01')",
        "truncate trade_outcomes",
        "trade_outcomes",
        "column exit_timestamp: found 2025-01-01T00:00:00Z for signal \
         00000000-0000-0000-0000-000000000001",
    );
    wrong(
        "alter table signals rename to gone",
        "alter table gone rename to signals",
        "signals",
        "found no such table, expected a table or view of that name in the search path",
    );
    wrong(
        "alter table signals rename timestamp to at",
        "alter table signals rename at to timestamp",
        "signals",
        "found no column timestamp among id, at, token_address",
    );
    wrong(
        "alter table token_prices alter price type boolean using true",
        "alter table token_prices alter price type numeric using 1",
        "token_prices",
        "found column price of type boolean, expected numeric, double precision",
    );
    wrong(
        "alter table signals alter score_factors type bytea using null",
        "alter table signals alter score_factors type jsonb using null",
        "signals",
        "found column score_factors of type bytea, expected json, jsonb or text",
    );
    wrong(
        "insert into signals values ('00000000-0000-0000-0000-000000000001', '2025-01-01', 'A', \
         null, 1, '[1]')",
        "truncate signals",
        "signals",
        "column score_factors: found [1] where id is 00000000-0000-0000-0000-000000000001, \
         expected a JSON object",
    );
    // A JSON null is no object, as no object is.
    database.execute(
        "insert into signals values ('00000000-0000-0000-0000-000000000001', '2025-01-01', 'A', \
         null, 1, 'null')",
    );
    let workspace = tempfile::tempdir().unwrap();
    assert_eq!(read(&load_from(workspace.path(), &database)), [1, 0, 0]);

    // A row that contradicts a stored one, and two rows that contradict each other.
    database.execute("update signals set score = 2");
    let changed = load_database(workspace.path(), &request(database.url()), &NoProgress);
    let changed = changed.unwrap_err().to_string();
    assert!(
        changed.contains("column score: found 2 for signal 00000000-0000-0000-0000-000000000001, expected 1, which"),
        "{changed}"
    );
    wrong(
        "alter table token_prices drop constraint token_prices_pkey; \
         insert into token_prices values ('T', '2025-01-01', 1), ('T', '2025-01-01', 2)",
        "truncate token_prices",
        "token_prices",
        "column price: found 2 for token T at 2025-01-01T00:00:00Z, expected 1 as in table",
    );
    let reader = request(database.url_of("reader", "sslmode=disable"));
    let error = refusal(&reader);
    assert!(
        error.to_string().contains(
            "permission denied for table signals, expected a table that user reader may read"
        ),
        "{error}"
    );
    assert_eq!(error.exit_code(), 1);
}

#[test]
fn from_postgres_says_why_it_cannot_connect() -> Outcome {
    let database = empty("unreachable");
    let away = std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port();
    let certificates = database.url_of("only_tls", "sslmode=verify-full");
    for (url, expected) in [
        (
            database.url_of("with_password:hunter2", ""),
            "user with_password gave no password or a wrong one\nhint: the password goes into the URL, percent-encoded, or into PGPASSWORD",
        ),
        (
            database.url_of("with_password", ""),
            "user with_password gave no password or a wrong one\n",
        ),
        (
            database.url_of("only_tls:hunter2", "sslmode=disable"),
            "the server lets this user in only over TLS\nhint: sslmode=require",
        ),
        (certificates, "TLS failed: "),
        (
            format!("postgres://bot:hunter2@127.0.0.1:{away}/x"),
            "no server listens there\n",
        ),
        (
            "postgres://bot:hunter2@no-such-host.invalid/x".into(),
            "the name of its host is not known\n",
        ),
        (
            format!("{}&dbname=nothing", database.url()),
            "database \"nothing\" does not exist",
        ),
        (
            "postgres://bot:hunter2@/x?host=/nowhere".into(),
            "no server listens there\n",
        ),
    ] {
        let workspace = tempfile::tempdir()?;
        let data = workspace.path().join("data");
        let output = hindsight(&data)
            .env_remove("PGPASSWORD")
            .env("PGPASSFILE", "/nowhere")
            .args(["load", "--from", &url])
            .output()?;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{errors}");
        assert!(errors.starts_with("error: postgres://"), "{errors}");
        assert!(errors.contains(expected), "{errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
        assert!(!data.exists(), "a workspace was made");
    }
    let workspace = tempfile::tempdir()?;
    for (arguments, expected) in [
        (
            &["--from", "db.example/trading"] as &[&str],
            "error: a database is named by a URL such as",
        ),
        (
            &["--from", "postgres://b:hunter2#3@h/d"],
            "error: the URL of the database has a / ? # or @",
        ),
        (
            &["--from", "postgres://h/d", "--since", "soon"],
            "error: since must be a date",
        ),
        (
            &["--from", "postgres://h/d", "--signals", "s.csv"],
            "error: the argument '--from <URL>' cannot be used with",
        ),
        (
            &["--since", "2025-01-01"],
            "error: the following required arguments were not provided",
        ),
    ] {
        let output = run(workspace.path(), &[&["load"], arguments].concat())?;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.starts_with(expected), "{errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    }
    Ok(())
}

#[test]
fn from_postgres_writes_nothing_and_stops_at_once() -> Outcome {
    let database = tiny("stop");
    let workspace = tempfile::tempdir()?;
    load_from(workspace.path(), &database);
    let idle = "select count(*)::text from pg_stat_activity where application_name = 'hindsight' \
                and datname = current_database()";
    // The server ends a session after its client has gone.
    eventually("no session stays", || {
        database.rows(idle)[0][0].as_deref() == Some("0")
    });

    // Even where reading would write, nothing is written.
    database.execute(
        "create schema traps; create table traps.log (at text); \
         create function traps.write() returns numeric language sql volatile as \
            'insert into traps.log values (''read'') returning 1'; \
         create view traps.signals as select * from public.signals; \
         create view traps.trade_outcomes as select * from public.trade_outcomes; \
         create view traps.token_prices as select token_address, timestamp, traps.write() as price \
            from public.token_prices",
    );
    let trap = "sslmode=disable&options=-csearch_path%3Dtraps";
    let error = refusal(&request(database.url_of("postgres", trap))).to_string();
    assert!(
        error.contains("cannot execute INSERT in a read-only transaction"),
        "{error}"
    );

    // Somebody holds a lock: the load waits, until it is interrupted.
    let fingerprint = Dataset::open(workspace.path())?.fingerprint;
    let url = database.url();
    block_on(async {
        let mut holder = PgConnection::connect(&url).await.unwrap();
        let lock = "begin; lock table token_prices in access exclusive mode";
        sqlx::raw_sql(lock).execute(&mut holder).await.unwrap();
        let mut child = hindsight(workspace.path())
            .args(["load", "--full", "--from", &url])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let waiting = "select count(*)::text from pg_stat_activity where wait_event_type = 'Lock' \
                       and application_name = 'hindsight' and datname = current_database()";
        while database.rows(waiting)[0][0].as_deref() != Some("1") {
            std::thread::sleep(Duration::from_millis(20));
        }
        let pressed = Instant::now();
        let kill = std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(
            pressed.elapsed() < Duration::from_secs(2),
            "{:?}",
            pressed.elapsed()
        );
    });
    assert_eq!(Dataset::open(workspace.path())?.fingerprint, fingerprint);

    // The server is shut down in the middle: all or nothing.
    let server = Postgres::start(crate::postgres::Fsync::Off);
    let database = server.database("lost");
    database.execute(TABLES);
    database.execute(
        "insert into token_prices select 'T' || n % 100, '2025-01-01'::timestamptz + n * interval \
         '1 second', 1 from generate_series(1, 3000000) as n",
    );
    let data = workspace.path().join("lost");
    let mut child = hindsight(&data)
        .args(["load", "--from", &database.url()])
        .stderr(Stdio::piped())
        .spawn()?;
    let reading = "select count(*)::text from pg_stat_activity where query like 'copy %' \
                   and application_name = 'hindsight' and query like '%token_prices%'";
    while database.rows(reading)[0][0].as_deref() != Some("1") {
        assert_eq!(
            child.try_wait()?,
            None,
            "the load ended before it was disturbed"
        );
    }
    drop(server);
    let output = child.wait_with_output()?;
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("in the middle"), "{errors}");
    assert_eq!(Dataset::current_generation(&data)?, 0);
    Ok(())
}
