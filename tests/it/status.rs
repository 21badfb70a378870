//! `hindsight status`: what a workspace holds, and what of it is not as it was written.

use std::path::Path;

use crate::cli::{hindsight, run, text};

fn load_tiny(workspace: &Path) {
    let mut load = hindsight(workspace);
    load.arg("load");
    for (option, table) in [
        ("--signals", "signals"),
        ("--prices", "token_prices"),
        ("--trades", "trade_outcomes"),
    ] {
        let file = crate::files::test_data().join(format!("tiny/{table}.parquet"));
        load.arg(option).arg(file);
    }
    let output = load.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Exit code, standard output and standard error.
fn status(workspace: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = run(workspace, &[&["status"], arguments].concat()).unwrap();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

#[test]
fn status_says_what_there_is() {
    let directory = tempfile::tempdir().unwrap();
    let workspace = directory.path().join("it's");
    load_tiny(&workspace);
    let fingerprint = hindsight::dataset::Dataset::open(&workspace)
        .unwrap()
        .fingerprint;
    let (code, out, said) = status(&workspace, &[]);
    assert_eq!(code, 0, "{said}");
    for line in [
        format!(" workspace      │ {}", workspace.display()),
        " generation     │ 1".into(),
        format!(" fingerprint    │ {fingerprint}"),
        " stored_runs    │ 0".into(),
        " runs_under_way │ 0".into(),
    ] {
        assert!(out.lines().any(|found| found == line), "{line}\n{out}");
    }
    for column in [
        "signals",
        "token_prices",
        "first_signal",
        "last_price",
        "state",
    ] {
        assert!(out.contains(&format!(" {column} ")), "{out}");
    }
    let (_, json, _) = status(&workspace, &["--format", "json"]);
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows[0]["fingerprint"], fingerprint.as_str());
    assert_eq!(rows[0]["generation"], 1);
    assert!(rows[0]["signals"].as_i64().unwrap() > 0);
}

#[test]
fn status_of_a_copy_has_what_was_committed() {
    let directory = tempfile::tempdir().unwrap();
    let (workspace, copy) = (directory.path().join("w"), directory.path().join("copy"));
    load_tiny(&workspace);
    load_tiny(&copy);
    let engine = crate::engine::block_on(hindsight::Engine::open(&workspace)).unwrap();
    let insert = "insert into scenarios (name) values ('kept')";
    crate::engine::block_on(engine.sql(insert)).unwrap();
    // While it is open, and without the log beside it.
    assert!(workspace.join("state.sqlite-wal").exists());
    std::fs::copy(workspace.join("state.sqlite"), copy.join("state.sqlite")).unwrap();
    let names = ["query", "select name from scenarios", "--format", "csv"];
    assert_eq!(text(&run(&copy, &names).unwrap().stdout), "name\nkept\n");
    crate::engine::block_on(engine.store().close());
}

#[test]
fn status_verifies_every_file() {
    let directory = tempfile::tempdir().unwrap();
    let workspace = directory.path().join("w");
    load_tiny(&workspace);
    let call = "select backtest_id from run_backtest()";
    let output = run(&workspace, &["query", call, "--format", "csv"]).unwrap();
    let id = text(&output.stdout).lines().nth(1).unwrap().to_owned();
    let (code, _, said) = status(&workspace, &["--verify"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("every byte is as it was written"), "{said}");

    for file in [
        "1/prices.arrow",
        "1/data_quality.arrow",
        "manifest.json",
        "lock",
    ] {
        let path = workspace.join("dataset").join(file);
        let whole = std::fs::read(&path).unwrap();
        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        std::fs::write(&path, changed).unwrap();
        let (code, out, said) = status(&workspace, &["--verify"]);
        assert_eq!((code, out.as_str()), (3, ""), "{said}");
        assert!(said.contains(file), "{said}");
        std::fs::write(&path, whole).unwrap();
    }
    // The rows of a run, changed and left behind.
    for file in [
        "simulated_trades.parquet",
        "equity_curves.parquet",
        "digests.json",
    ] {
        let path = workspace.join(format!("runs/{id}/{file}"));
        let whole = std::fs::read(&path).unwrap();
        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        std::fs::write(&path, changed).unwrap();
        let (code, out, said) = status(&workspace, &["--verify"]);
        assert_eq!((code, out.as_str()), (3, ""), "{said}");
        assert!(said.contains(&id), "{said}");
        std::fs::write(&path, whole).unwrap();
    }
    assert_eq!(status(&workspace, &["--verify"]).0, 0);
    std::fs::remove_file(workspace.join(format!("runs/{id}/trade_comparisons.parquet"))).unwrap();
    let (code, _, said) = status(&workspace, &["--verify"]);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("trade_comparisons.parquet: cannot be read"),
        "{said}"
    );
}

/// A workspace with a stored run and some scenarios, closed.
fn with_a_run(workspace: &Path) -> String {
    load_tiny(workspace);
    let call = "select backtest_id from run_backtest()";
    let output = run(workspace, &["query", call, "--format", "csv"]).unwrap();
    for name in ["one", "two", "three"] {
        let insert = format!("insert into scenarios (name) values ('{name}')");
        assert!(
            run(workspace, &["query", &insert])
                .unwrap()
                .status
                .success()
        );
    }
    text(&output.stdout).lines().nth(1).unwrap().to_owned()
}

/// The log of what is written while a reader keeps SQLite from moving it to the database.
fn log_of(workspace: &Path, statement: &str) -> (Vec<u8>, Vec<u8>) {
    let engine = crate::engine::block_on(hindsight::Engine::open(workspace)).unwrap();
    crate::engine::block_on(engine.sql(statement)).unwrap();
    let state = std::fs::read(workspace.join("state.sqlite")).unwrap();
    let log = std::fs::read(workspace.join("state.sqlite-wal")).unwrap();
    crate::engine::block_on(engine.store().close());
    assert!(!log.is_empty());
    (state, log)
}

#[test]
fn status_and_all_others_refuse_a_log_of_another_state() {
    let directory = tempfile::tempdir().unwrap();
    let [workspace, other] = ["w", "other"].map(|name| directory.path().join(name));
    with_a_run(&workspace);
    load_tiny(&other);
    let insert = "insert into scenarios (name) values ('late')";
    let (_, of_other) = log_of(&other, insert);
    let (before, old) = log_of(&workspace, insert);
    let now = std::fs::read(workspace.join("state.sqlite")).unwrap();
    let delete = "delete from scenarios where name = 'late'";
    assert!(
        run(&workspace, &["query", delete])
            .unwrap()
            .status
            .success()
    );
    let newer = std::fs::read(workspace.join("state.sqlite")).unwrap();
    let (_, next) = log_of(&workspace, insert);

    let names = ["query", "select count(*) from scenarios", "--format", "csv"];
    let tried = |state: &[u8], log: &[u8]| {
        std::fs::write(workspace.join("state.sqlite"), state).unwrap();
        std::fs::write(workspace.join("state.sqlite-wal"), log).unwrap();
        let output = run(&workspace, &names).unwrap();
        let said = text(&output.stderr);
        if output.status.code() == Some(3) {
            // It was not touched, and without it all goes on.
            assert!(std::fs::read(workspace.join("state.sqlite-wal")).unwrap() == log);
            assert!(std::fs::read(workspace.join("state.sqlite")).unwrap() == state);
            assert!(said.contains("hint: move it away"), "{said}");
            assert_eq!(status(&workspace, &["--verify"]).0, 3);
            std::fs::remove_file(workspace.join("state.sqlite-wal")).unwrap();
            assert!(run(&workspace, &names).unwrap().status.success());
        }
        (output.status.code(), said)
    };
    for (state, log, expected) in [
        (&newer, &of_other, "is the log of another database"),
        (&newer, &old, "is older than the database beside it"),
        (&before, &next, "is newer than the database beside it"),
    ] {
        let (code, said) = tried(state, log);
        assert_eq!(code, Some(3), "{said}");
        assert!(
            said.contains(&format!("state.sqlite-wal: {expected}")),
            "{said}"
        );
    }
    // Its own is applied, whether or not the database has it already, and half of one is none.
    for (state, log) in [
        (&before, &old[..]),
        (&now, &old[..]),
        (&newer, &next[..]),
        (&newer, &next[..next.len() / 2]),
        (&newer, &[]),
        (&newer, b"no log"),
    ] {
        let (code, said) = tried(state, log);
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
fn status_finds_a_state_that_is_damaged_or_lacks_runs() {
    let directory = tempfile::tempdir().unwrap();
    let workspace = directory.path().join("w");
    load_tiny(&workspace);
    let insert = "insert into scenarios (name) values ('kept')";
    assert!(
        run(&workspace, &["query", insert])
            .unwrap()
            .status
            .success()
    );
    let state = workspace.join("state.sqlite");
    let before = std::fs::read(&state).unwrap();
    let id = with_a_run(&workspace);
    let after = std::fs::read(&state).unwrap();
    let (code, _, said) = status(&workspace, &["--verify"]);
    assert_eq!(code, 0, "{said}");

    // An older copy does not know the run.
    std::fs::write(&state, &before).unwrap();
    let (code, _, said) = status(&workspace, &["--verify"]);
    assert_eq!(code, 3, "{said}");
    let expected = format!("{id}: holds the rows of a run that the state does not know");
    assert!(said.contains(&expected), "{said}");

    // Every page, damaged in its head and in its middle; what is free holds nothing.
    let page = 4096;
    let mut found = 0;
    for at in (0..after.len() / page).flat_map(|at| [at * page, at * page + page - 8]) {
        let mut damaged = after.clone();
        damaged[at..at + 8].fill(0x5a);
        std::fs::write(&state, &damaged).unwrap();
        let (code, out, said) = status(&workspace, &["--verify"]);
        match code {
            0 => {}
            code => {
                assert_eq!((code, out.as_str()), (3, ""), "{said}");
                assert!(said.contains("state.sqlite"), "{said}");
                found += 1;
            }
        }
    }
    assert!(found >= after.len() / page / 2, "{found}");
    std::fs::write(&state, &after).unwrap();
    assert_eq!(status(&workspace, &["--verify"]).0, 0);
}
