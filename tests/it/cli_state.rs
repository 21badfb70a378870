//! What the command line keeps: stored runs, scenarios, live settings.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::cli::text;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn hindsight(workspace: &Path, arguments: &[&str]) -> Command {
    let mut command = super::cli::hindsight(workspace);
    command.env("USER", "ann").args(arguments);
    command
}

fn run(workspace: &Path, arguments: &[&str]) -> std::io::Result<Output> {
    hindsight(workspace, arguments).output()
}

/// Standard output and standard error of a command that must succeed.
fn done(
    workspace: &Path,
    arguments: &[&str],
) -> Result<(String, String), Box<dyn std::error::Error>> {
    let output = run(workspace, arguments)?;
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    Ok((out, errors))
}

fn failure(workspace: &Path, arguments: &[&str]) -> std::io::Result<(Option<i32>, String)> {
    let output = run(workspace, arguments)?;
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    Ok((output.status.code(), text(&output.stderr)))
}

fn ndjson(
    workspace: &Path,
    arguments: &[&str],
) -> Result<Vec<serde_json::Value>, Box<dyn std::error::Error>> {
    let (out, _) = done(workspace, &[arguments, &["--format", "ndjson"]].concat())?;
    Ok(out
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?)
}

#[test]
fn cli_runs_are_stored_compared_and_applied() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    done(&workspace, &["demo", "--days", "2"])?;
    let insert =
        "insert into scenarios (name, stop_loss_percent, tags) values ('it''s tight', 8, ['a'])";
    done(&workspace, &["query", insert])?;

    let (shown, said) = done(
        &workspace,
        &[
            "run",
            "it's tight",
            "--set",
            "score_threshold=75",
            "--label",
            "first",
        ],
    )?;
    assert!(
        shown.contains("stop_loss_percent 8 (default 15)"),
        "{shown}"
    );
    let id = said
        .trim()
        .rsplit(' ')
        .next()
        .unwrap_or_default()
        .to_owned();
    assert!(said.contains(", stored as "), "{said}");
    let history = ndjson(&workspace, &["history"])?;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0]["id"], *id);
    assert_eq!(history[0]["scenario"], "it's tight");
    assert_eq!(history[0]["label"], "first");
    let (table, _) = done(&workspace, &["history"])?;
    assert!(
        table.contains(" completed │ it's tight │ first "),
        "{table}"
    );

    // Any beginning of an id that no other has.
    assert_eq!(done(&workspace, &["compare", &id])?.0, shown);
    assert_eq!(done(&workspace, &["compare", &id[..30]])?.0, shown);
    let comparisons = ndjson(&workspace, &["compare", &id])?;
    assert_eq!(comparisons[0]["backtest_id"], *id);
    let (code, errors) = failure(&workspace, &["compare", "nothing"])?;
    assert_eq!(code, Some(2));
    assert!(
        errors.starts_with("error: there is no backtest nothing\nhint: hindsight history"),
        "{errors}"
    );
    done(&workspace, &["run", "--no-store"])?;
    let (code, errors) = failure(&workspace, &["run", "loose"])?;
    assert_eq!(code, Some(1));
    assert!(errors.contains("there is no scenario 'loose'"), "{errors}");
    assert_eq!(ndjson(&workspace, &["history"])?.len(), 1);

    let setting = |name: &str| -> Result<String, Box<dyn std::error::Error>> {
        let settings = ndjson(&workspace, &["settings"])?;
        let found = settings.iter().find(|row| row["setting"] == name);
        Ok(found.map_or_else(String::new, |row| row["value"].to_string()))
    };
    let (shown, said) = done(&workspace, &["apply", &id, "--dry-run"])?;
    assert!(
        shown.contains(" exit_strategy   │ stop_loss_percent │   15 │        8"),
        "{shown}"
    );
    let warned = said.strip_suffix("\nNothing was changed.\n");
    let may_be_chance = "warning: the difference that this run found may be chance";
    assert!(
        warned
            .is_some_and(|warned| warned.starts_with(may_be_chance) && warned.lines().count() == 1),
        "{said}"
    );
    let (code, errors) = {
        let output = run(&workspace, &["apply", &id])?;
        (output.status.code(), text(&output.stderr))
    };
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("nobody is there to be asked\nhint: --yes"),
        "{errors}"
    );
    let (code, errors) = failure(&workspace, &["apply", &id, "--only", "exits"])?;
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("the groups are scoring_weights, score_threshold"),
        "{errors}"
    );
    let (_, said) = done(
        &workspace,
        &["apply", &id, "--only", "score_threshold", "--yes"],
    )?;
    assert!(said.contains("Applied, as ann.\n"), "{said}");
    assert_eq!(setting("score_threshold")?, "\"75\"");
    assert_eq!(setting("stop_loss_percent")?, "\"15\"");
    let (_, said) = done(
        &workspace,
        &["apply", &id, "--only", "score_threshold", "--yes"],
    )?;
    assert_eq!(
        said,
        "The live settings are these already; nothing is changed.\n"
    );

    let history = ndjson(&workspace, &["settings", "history"])?;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0]["applied_by"], "ann");
    let applied = history[0]["id"].as_str().unwrap_or_default().to_owned();
    let (shown, said) = done(&workspace, &["rollback", &applied[..30], "--yes"])?;
    assert!(
        said.starts_with("ann applied score_threshold on 20"),
        "{said}"
    );
    assert!(
        shown.contains(" score_threshold │ score_threshold │   75 │     70"),
        "{shown}"
    );
    assert_eq!(setting("score_threshold")?, "\"70\"");
    let (code, errors) = {
        let output = run(&workspace, &["rollback", &applied, "--yes"])?;
        (output.status.code(), text(&output.stderr))
    };
    assert_eq!(code, Some(1));
    assert!(errors.contains("is rolled back already"), "{errors}");

    // What the live system does not know is left out only if it is said.
    let ladder = [
        "run",
        "--set",
        "take_profit_ladder=50@100, 25@300",
        "--set",
        "take_profit_percent=40",
        "--set",
        "stop_loss_percent=9",
    ];
    let (_, said) = done(&workspace, &ladder)?;
    let without = "without effect: take_profit_percent, since exit_strategy trailing_stop arms no take \
                   profit; take_profit_ladder, since exit_strategy trailing_stop arms no take profit\n";
    assert_eq!(said.matches(without).count(), 1, "{said}");
    let (_, said) = done(&workspace, &[&ladder[..], &["--no-store"]].concat())?;
    assert_eq!(said.matches(without).count(), 1, "{said}");
    let of_ladder = "select id from backtests where take_profit_ladder is not null";
    let of_ladder = ndjson(&workspace, &["query", of_ladder])?;
    let of_ladder = of_ladder[0]["id"].as_str().unwrap_or_default();
    let unknown = "take_profit_ladder 50@100, 25@300";
    let output = run(&workspace, &["apply", of_ladder, "--yes"])?;
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains(&format!(
            "was run with {unknown}, which the live system does not know\nhint: --without \
             take_profit_ladder applies the rest"
        )),
        "{errors}"
    );
    assert_eq!(setting("stop_loss_percent")?, "\"15\"");
    let without = ["apply", of_ladder, "--without", "take_profit_ladder"];
    let (_, said) = done(&workspace, &[&without[..], &["--dry-run"]].concat())?;
    assert!(
        said.contains(&format!("warning: the live system does not know {unknown}")),
        "{said}"
    );
    let (_, said) = done(&workspace, &[&without[..], &["--yes"]].concat())?;
    assert!(said.contains("Applied, as ann.\n"), "{said}");
    assert_eq!(setting("stop_loss_percent")?, "\"9\"");
    let applied = &ndjson(&workspace, &["settings", "history"])?[0]["id"];
    let applied = applied.as_str().unwrap_or_default().to_owned();
    done(&workspace, &["rollback", &applied, "--yes"])?;
    Ok(())
}

#[test]
fn cli_scenarios_go_out_and_in() -> Outcome {
    let directory = tempfile::tempdir()?;
    let (one, other) = (directory.path().join("one"), directory.path().join("other"));
    // Only what loads or serves makes a workspace, or who configures one.
    for workspace in [&one, &other] {
        std::fs::create_dir(workspace)?;
        std::fs::write(workspace.join("hindsight.json"), "{}")?;
    }
    let insert = "insert into scenarios (name, description, tags, stop_loss_percent, exit_strategy, \
                  start_date, scale_with_confidence, max_entry_delay_minutes) values \
                  ('a', 'with \"quotes\"', ['x', 'y'], 8.25, 'hybrid', '2025-01-01', false, 2.5), \
                  ('b', null, null, null, null, null, null, null)";
    done(&one, &["query", insert])?;
    let (exported, _) = done(&one, &["scenarios", "export"])?;
    assert!(
        exported.contains("\"stop_loss_percent\": 8.25"),
        "{exported}"
    );
    let file = directory.path().join("scenarios.json");
    std::fs::write(&file, &exported)?;
    let file = file.to_string_lossy();
    let (_, said) = done(&other, &["scenarios", "import", &file])?;
    assert_eq!(said, "Imported 2 scenarios.\n");
    assert_eq!(done(&other, &["scenarios", "export"])?.0, exported);
    let (list, _) = done(&other, &["scenarios", "--format", "csv"])?;
    let expected = "a,\"with \"\"quotes\"\"\",\"x, y\",\"start_date 2025-01-01, scale_with_confidence false, \
                    exit_strategy hybrid, stop_loss_percent 8.25, max_entry_delay_minutes 2.5\",\
                    \"scale_with_confidence true → false, exit_strategy trailing_stop → hybrid, \
                    stop_loss_percent 15 → 8.25\"";
    assert_eq!(list.lines().nth(1), Some(expected));

    let (code, errors) = failure(&other, &["scenarios", "import", &file])?;
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("there is a scenario 'a' already"),
        "{errors}"
    );
    done(&other, &["scenarios", "import", &file, "--replace"])?;
    let (only, _) = done(&other, &["scenarios", "export", "b"])?;
    assert!(!only.contains("\"a\""), "{only}");
    for (wrong, expected) in [
        ("[", "expected an array of scenarios"),
        (
            r#"[{"name": "c", "parameters": {"stop": 1}}]"#,
            "the parameter stop in scenario 'c'",
        ),
        (
            r#"[{"name": "c", "parameters": {"stop_loss_percent": 60}}]"#,
            "must be between 1 and 50",
        ),
        (
            r#"[{"name": "c"}, {"name": ""}]"#,
            "name must be a text that is not empty",
        ),
    ] {
        std::fs::write(&*file, wrong)?;
        let (code, errors) = failure(&other, &["scenarios", "import", &file])?;
        assert_eq!(code, Some(1), "{wrong}");
        assert!(errors.contains(expected), "{wrong}: {errors}");
    }
    assert_eq!(ndjson(&other, &["scenarios"])?.len(), 2);
    Ok(())
}

#[test]
fn cli_a_run_is_deleted_with_its_rows_and_nothing_else() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    done(&workspace, &["demo", "--days", "2"])?;
    let store = |threshold: &str| -> Result<String, Box<dyn std::error::Error>> {
        let threshold = format!("score_threshold={threshold}");
        let (_, said) = done(&workspace, &["run", "--set", &threshold])?;
        Ok(said
            .trim()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned())
    };
    let (plain, foreign, applied) = (store("75")?, store("76")?, store("77")?);
    let folder = |id: &str| workspace.join("runs").join(id);
    let note = folder(&foreign).join("note.txt");
    std::fs::write(&note, "mine")?;
    done(&workspace, &["apply", &applied, "--yes"])?;

    let (code, errors) = failure(&workspace, &["history", "--delete", &plain])?;
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("nobody is there to be asked"), "{errors}");
    let (_, said) = done(&workspace, &["history", "--delete", &plain, "--yes"])?;
    assert_eq!(said, format!("Deleted {plain}.\n"));
    assert!(!folder(&plain).exists());
    let (code, errors) = failure(&workspace, &["history", "--delete", &plain, "--yes"])?;
    assert_eq!(code, Some(2));
    assert!(errors.contains("there is no backtest"), "{errors}");

    let (_, said) = done(&workspace, &["history", "--delete", &foreign, "--yes"])?;
    assert!(said.starts_with("warning: "), "{said}");
    let left: Vec<_> = std::fs::read_dir(folder(&foreign))?.flatten().collect();
    assert_eq!(left.len(), 1);
    assert!(note.exists());

    let delete = ["history", "--delete", &applied, "--yes"];
    let (code, errors) = failure(&workspace, &delete)?;
    assert_eq!(code, Some(1));
    assert!(
        errors.contains(" were applied\nhint: hindsight settings history"),
        "{errors}"
    );
    assert_eq!(ndjson(&workspace, &["history"])?.len(), 1);
    let (_, said) = done(&workspace, &[&delete[..], &["--force"]].concat())?;
    // What is lost is said, so that it can be put back by hand.
    assert!(
        said.starts_with("warning: the settings history loses ")
            && said.contains("which can then not be rolled back any more; before it: {")
            && said.contains("\"score_threshold\""),
        "{said}"
    );
    assert_eq!(ndjson(&workspace, &["history"])?.len(), 0);
    assert_eq!(ndjson(&workspace, &["settings", "history"])?.len(), 0);
    let settings = ndjson(&workspace, &["settings"])?;
    let threshold = settings
        .iter()
        .find(|row| row["setting"] == "score_threshold");
    assert_eq!(
        threshold.map(|row| row["value"].to_string()),
        Some("\"77\"".into())
    );
    Ok(())
}

#[test]
fn cli_interrupted_run_is_cancelled() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    done(&workspace, &["demo", "--days", "40"])?;
    let run = |label: &str| {
        let start = "start_date=2025-01-01";
        ["run", "--set", start, "--label", label]
            .map(str::to_owned)
            .to_vec()
    };
    let query = |label: &str| {
        let call = format!("call run_backtest(start_date => '2025-01-01', label => '{label}')");
        vec!["query".to_owned(), call]
    };
    interrupted_run_is_cancelled(&workspace, "run", &run)?;
    interrupted_run_is_cancelled(&workspace, "query", &query)
}

/// Interrupts a command that makes a run, again where the run had ended before.
fn interrupted_run_is_cancelled(
    workspace: &Path,
    name: &str,
    arguments: &dyn Fn(&str) -> Vec<String>,
) -> Outcome {
    for attempt in 0..50 {
        let label = format!("{name} {attempt}");
        let arguments = arguments(&label);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut child = hindsight(workspace, &arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let runs = workspace.join("runs");
        let deadline = Instant::now() + Duration::from_secs(20);
        let has_begun = || {
            let entries = std::fs::read_dir(&runs).into_iter().flatten().flatten();
            entries
                .into_iter()
                .any(|entry| entry.path().join("lock").exists())
        };
        while !has_begun() && child.try_wait()?.is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        if child.try_wait()?.is_some_and(|status| status.success()) {
            continue;
        }
        let pressed = Instant::now();
        let kill = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()?;
        assert!(kill.success());
        let status = child.wait()?;
        let took = pressed.elapsed();
        let history = ndjson(workspace, &["history"])?;
        let run = history.iter().find(|row| row["label"] == label.as_str());
        let stored = run.map(|run| run["status"].to_string());
        // It came too late for the run, and perhaps for the command.
        if stored.as_deref() == Some("\"completed\"") {
            continue;
        }
        assert_eq!(status.code(), Some(130));
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert_eq!(stored.as_deref(), Some("\"cancelled\""));
        return Ok(());
    }
    panic!("fifty runs had ended before they were interrupted")
}
