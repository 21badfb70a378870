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
