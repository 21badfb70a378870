//! Several statements, and how a command ends.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use super::{Outcome, failure, hindsight, run, text};

#[test]
fn cli_scripts_run_in_order_and_stop_at_an_error() -> Outcome {
    let workspace = tempfile::tempdir()?;
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

    for file in [&[] as &[&str], &["-f", "-"]] {
        let mut child = hindsight(workspace.path())
            .arg("query")
            .args(file)
            .args(["--format", "csv"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().ok_or("no stdin")?;
        stdin.write_all(
            b"create temp table t as select 1 as a; select a from t; select a + 1 as b from t",
        )?;
        drop(stdin);
        let output = child.wait_with_output()?;
        assert_eq!(text(&output.stdout), "a\n1\nb\n2\n");
    }
    Ok(())
}

#[test]
fn cli_exit_codes_tell_what_was_wrong() -> Outcome {
    let workspace = tempfile::tempdir()?;
    let directory = workspace.path();
    for (arguments, code, error) in [
        (&["query", "selec 1"] as &[&str], 1, "error: "),
        (&["query", "select * from nothing"], 1, "error: table "),
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
    let workspace = tempfile::tempdir()?;
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
