//! Several statements, and how a command ends.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Output, Stdio};

use super::{Outcome, failure, hindsight, run, stdout, text};

#[test]
fn cli_scripts_run_in_order_and_stop_at_an_error() -> Outcome {
    let workspace = super::workspace()?;
    let script = workspace.path().join("script.sql");
    let sql = "-- first; not yet\nselect ';' as a;\n\n/* second */\nselect nothing\nfrom signals;\nselect 3;\n";
    std::fs::write(&script, sql)?;
    let path = script.to_string_lossy();
    let output = run(workspace.path(), &["query", "-f", &path, "--format", "csv"])?;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "a\n;\n");
    let errors = text(&output.stderr);
    assert!(
        errors.starts_with("error: statement 2 (line 5): "),
        "{errors}"
    );

    let script = "create temp table t as select 1 as a; select a from t; select a + 1 as b from t";
    for from in [&[] as &[&str], &["-"], &["-f", "-"]] {
        let arguments = [&["query"], from, &["--format", "csv"]].concat();
        let output = piped(workspace.path(), &arguments, script)?;
        assert_eq!(text(&output.stdout), "a\n1\nb\n2\n");
    }

    // What runs before the error is printed once, and nothing behind it.
    let script = "select 1 as a; select 1/0; select 2 as b;";
    let output = piped(workspace.path(), &["query", "-", "--format", "csv"], script)?;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "a\n1\n");
    Ok(())
}

/// What a command makes of its standard input.
fn piped(
    workspace: &Path,
    arguments: &[&str],
    input: &str,
) -> Result<Output, Box<dyn std::error::Error>> {
    let mut child = hindsight(workspace)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    Ok(child.wait_with_output()?)
}

#[test]
fn cli_variables_are_put_in_as_psql_does() -> Outcome {
    let workspace = super::workspace()?;
    let path = workspace.path();
    let script = "select :n + 1 as a, :'who' as b, :n::text as c, ':n' as d, 3 as :\"who\" -- :n";
    let variables = ["-v", "n=41", "-v", "who=O'Neil", "--format", "csv"];
    assert_eq!(
        stdout(path, &[&["query", script], &variables[..]].concat())?,
        "a,b,c,d,O'Neil\n42,O'Neil,41,:n,3\n"
    );
    let (code, errors) = failure(path, &["query", "select :'day'"])?;
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("nobody has set :day; -v day=… sets it"),
        "{errors}"
    );
    let (code, errors) = failure(path, &["query", "select 1", "-v", "day"])?;
    assert_eq!(code, Some(2));
    assert!(errors.contains("a variable is name=value"), "{errors}");
    Ok(())
}

#[test]
fn cli_a_workspace_that_is_not_there_is_said_to_be() -> Outcome {
    let directory = tempfile::tempdir()?;
    let [nowhere, empty, others] =
        ["nowhere", "empty", "others"].map(|name| directory.path().join(name));
    std::fs::create_dir(&empty)?;
    std::fs::create_dir_all(others.join("dataset"))?;
    std::fs::write(others.join("prices.csv"), "theirs")?;
    let id = "0198";
    for arguments in [
        &["query", "select 1"] as &[&str],
        &["query", "select count(*) from signals"],
        &["run"],
        &["run", "--no-store"],
        &["sweep", "--set", "stop_loss_percent=8,10"],
        &["status"],
        &["status", "--verify"],
        &["history"],
        &["history", "--delete", id, "--yes"],
        &["compare", id],
        &["scenarios"],
        &["scenarios", "export"],
        &["settings"],
        &["settings", "history"],
        &["apply", id, "--yes"],
        &["rollback", id, "--yes"],
        &["shell"],
        &["user", "list"],
        &["user", "remove", "ann"],
    ] {
        for (folder, problem) in [
            (&nowhere, "is not there"),
            (&empty, "holds nothing of hindsight's yet"),
            (&others, "holds nothing of hindsight's yet"),
        ] {
            let (code, errors) = failure(folder, arguments)?;
            assert_eq!(code, Some(3), "{arguments:?}: {errors}");
            let expected = format!("error: workspace {}: {problem}\nhint: ", folder.display());
            assert!(errors.starts_with(&expected), "{arguments:?}: {errors}");
        }
        assert!(!nowhere.exists(), "{arguments:?}");
        assert_eq!(std::fs::read_dir(&empty)?.count(), 0, "{arguments:?}");
        assert_eq!(std::fs::read_dir(&others)?.count(), 2, "{arguments:?}");
    }
    Ok(())
}

#[test]
fn cli_exit_codes_tell_what_was_wrong() -> Outcome {
    let workspace = super::workspace()?;
    let directory = workspace.path();
    for (arguments, code, error) in [
        (&["query", "selec 1"] as &[&str], 1, "error: "),
        (&["query", "select * from nothing"], 1, "error: relation "),
        (
            &["query", "select * from backtest(stop_loss_percent => 60)"],
            1,
            "error: stop_loss_percent must be between 1 and 50, found 60\nhint: ",
        ),
        (
            &["query", "-f", "/no/such/file.sql"],
            1,
            "error: /no/such/file.sql: ",
        ),
        (
            &["query", "select 1", "--format", "xml"],
            2,
            "error: invalid value 'xml'",
        ),
        (&["load"], 2, "error: nothing to load"),
        (
            &["load", "--signals", "/no/such/file.csv"],
            1,
            "error: /no/such/file.csv: ",
        ),
        (
            &["run", "--set", "stop_loss_percent"],
            2,
            "error: invalid value",
        ),
        (
            &["sweep", "--set", "score_threshold=60:90"],
            2,
            "error: --set score_threshold: 60:90 is not a range",
        ),
        (&["run"], 3, "error: workspace "),
        (
            &["sweep", "--set", "score_threshold=60,70"],
            3,
            "error: workspace ",
        ),
    ] {
        let (found, errors) = failure(directory, arguments)?;
        assert_eq!(found, Some(code), "{arguments:?}: {errors}");
        assert!(errors.starts_with(error), "{arguments:?}: {errors}");
    }
    let (_, errors) = failure(directory, &["run"])?;
    assert!(
        errors.contains("nothing is loaded yet\nhint: hindsight demo"),
        "{errors}"
    );
    Ok(())
}

#[test]
fn cli_a_closed_pipe_is_no_failure() -> Outcome {
    let workspace = super::workspace()?;
    for format in ["csv", "ndjson", "json", "markdown", "table", "arrow"] {
        let mut child = hindsight(workspace.path())
            .args([
                "query",
                "select value from range(0, 3000000)",
                "--format",
                format,
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut first = Vec::new();
        let stdout = child.stdout.take().ok_or("no stdout")?;
        BufReader::new(stdout).read_until(b'\n', &mut first)?;
        let output = child.wait_with_output()?;
        assert_eq!(text(&output.stderr), "", "{format}");
        assert_eq!(output.status.code(), Some(0), "{format}");
    }
    Ok(())
}
