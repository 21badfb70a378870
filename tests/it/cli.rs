//! The command line, as a user or a script meets it: bytes, exit codes, interruption.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Every kind of value that a format treats in its own way.
const VALUES: &str = "select * from (values \
    (1, 1.50, timestamp '2025-01-01T00:00:00Z', date '2025-01-02', true, 'a,\"b\"|c', [1.5, 2]), \
    (-20, 0.25, timestamp '2025-01-01T10:20:30.000405Z', null, false, '', null), \
    (null, null, null, null, null, null, null)) \
    as t (n, amount, at, day, flag, word, list)";

pub fn hindsight(workspace: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hindsight"));
    command
        .env_remove("HINDSIGHT_DATA")
        .env_remove("HINDSIGHT_STATE")
        .arg("--data")
        .arg(workspace)
        .stdin(Stdio::null());
    command
}

pub fn run(workspace: &Path, arguments: &[&str]) -> std::io::Result<Output> {
    hindsight(workspace).args(arguments).output()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Standard output of a command that must succeed.
fn stdout(workspace: &Path, arguments: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let output = run(workspace, arguments)?;
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    Ok(text(&output.stdout))
}

/// Exit code and standard error of a command that must fail.
fn failure(workspace: &Path, arguments: &[&str]) -> std::io::Result<(Option<i32>, String)> {
    let output = run(workspace, arguments)?;
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    Ok((output.status.code(), text(&output.stderr)))
}

#[test]
fn cli_formats_are_exact() -> Outcome {
    let workspace = tempfile::tempdir()?;
    let shown = |format: &str| stdout(workspace.path(), &["query", VALUES, "--format", format]);
    assert_eq!(
        shown("csv")?,
        "n,amount,at,day,flag,word,list\n\
         1,1.50,2025-01-01T00:00:00Z,2025-01-02,true,\"a,\"\"b\"\"|c\",\"[1.5,2.0]\"\n\
         -20,0.25,2025-01-01T10:20:30.000405Z,,false,\"\",\n\
         ,,,,,,\n"
    );
    let objects = [
        r#"{"n":1,"amount":1.50,"at":"2025-01-01T00:00:00Z","day":"2025-01-02","flag":true,"word":"a,\"b\"|c","list":[1.5,2.0]}"#,
        r#"{"n":-20,"amount":0.25,"at":"2025-01-01T10:20:30.000405Z","day":null,"flag":false,"word":"","list":null}"#,
        r#"{"n":null,"amount":null,"at":null,"day":null,"flag":null,"word":null,"list":null}"#,
    ];
    assert_eq!(shown("ndjson")?, objects.join("\n") + "\n");
    assert_eq!(shown("json")?, format!("[\n{}\n]\n", objects.join(",\n")));
    assert_eq!(
        shown("markdown")?,
        "| n | amount | at | day | flag | word | list |\n\
         | ---: | ---: | --- | --- | --- | --- | --- |\n\
         | 1 | 1.50 | 2025-01-01 00:00:00 UTC | 2025-01-02 | true | a,\"b\"\\|c | [1.5,2.0] |\n\
         | -20 | 0.25 | 2025-01-01 10:20:30.000405 UTC | | false | | |\n\
         | | | | | | | |\n"
    );
    let table = [
        "    n │ amount │ at                             │ day        │ flag  │ word    │ list",
        "──────┼────────┼────────────────────────────────┼────────────┼───────┼─────────┼───────────",
        "    1 │   1.50 │ 2025-01-01 00:00:00 UTC        │ 2025-01-02 │ true  │ a,\"b\"|c │ [1.5,2.0]",
        "  -20 │   0.25 │ 2025-01-01 10:20:30.000405 UTC │ null       │ false │         │ null",
        " null │   null │ null                           │ null       │ null  │ null    │ null",
    ];
    assert_eq!(shown("table")?, table.join("\n") + "\n");
    Ok(())
}

#[test]
fn cli_tables_are_aligned_and_wide_rows_stand_upright() -> Outcome {
    let workspace = tempfile::tempdir()?;
    let sql = "select * from (values (1, 10.500, 'a'), (200, 0.250, null)) as t (n, sol, word)";
    let output = run(workspace.path(), &["query", sql])?;
    assert_eq!(
        text(&output.stdout),
        "   n │   sol │ word\n─────┼───────┼──────\n   1 │ 10.50 │ a\n 200 │  0.25 │ null\n"
    );
    assert_eq!(text(&output.stderr), "(2 rows)\n");

    let wide = format!("select 1 as n, '{}' as words, 2.50 as sol", "x".repeat(200));
    assert_eq!(
        stdout(workspace.path(), &["query", &wide])?,
        format!(" n     │ 1\n words │ {}\n sol   │ 2.5\n", "x".repeat(200))
    );
    Ok(())
}

#[test]
fn cli_empty_results_are_still_results() -> Outcome {
    let workspace = tempfile::tempdir()?;
    let shown = |format: &str| {
        let sql = "select signal_id from trade_outcomes";
        stdout(workspace.path(), &["query", sql, "--format", format])
    };
    assert_eq!(shown("csv")?, "signal_id\n");
    assert_eq!(shown("json")?, "[]\n");
    assert_eq!(shown("ndjson")?, "");
    assert_eq!(shown("markdown")?, "| signal_id |\n| --- |\n");
    assert_eq!(shown("table")?, " signal_id\n───────────\n");
    Ok(())
}

#[test]
fn cli_binary_formats_can_be_read_back() -> Outcome {
    use datafusion::arrow::ipc::reader::StreamReader;
    use datafusion::parquet::file::reader::{FileReader, SerializedFileReader};
    let workspace = tempfile::tempdir()?;
    let bytes = |format| run(workspace.path(), &["query", VALUES, "--format", format]);

    let file = workspace.path().join("result.parquet");
    std::fs::write(&file, bytes("parquet")?.stdout)?;
    let reader = SerializedFileReader::new(std::fs::File::open(&file)?)?;
    assert_eq!(reader.metadata().file_metadata().num_rows(), 3);

    let stream = bytes("arrow")?.stdout;
    let batches = StreamReader::try_new(stream.as_slice(), None)?.collect::<Result<Vec<_>, _>>()?;
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        3
    );

    let twice = [
        "query",
        "select 1 as a; select 2 as a",
        "--format",
        "parquet",
    ];
    let (code, errors) = failure(workspace.path(), &twice)?;
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("--format parquet holds one result"),
        "{errors}"
    );
    Ok(())
}

#[test]
fn cli_copy_writes_a_file_whole_or_not_at_all() -> Outcome {
    let workspace = tempfile::tempdir()?;
    let files = tempfile::tempdir()?;
    let copy = |source: &str, file: &str| {
        let path = files.path().join(file);
        format!("copy {source} to '{}'", path.display())
    };
    let rows = "(select x as n, ')' as text from generate_series(1, 3) t(x))";
    for file in ["rows.csv", "rows.csv", "rows.parquet"] {
        stdout(workspace.path(), &["query", &copy(rows, file)])?;
    }
    let written = std::fs::read_to_string(files.path().join("rows.csv"))?;
    assert_eq!(written, "n,text\n1,)\n2,)\n3,)\n");
    let parquet = std::fs::read(files.path().join("rows.parquet"))?;
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));

    let fails_late = "(select 1 / (3 - x) as n from generate_series(1, 9000) t(x))";
    let (code, errors) = failure(workspace.path(), &["query", &copy(fails_late, "rows.csv")])?;
    assert_eq!(code, Some(1));
    assert!(errors.contains("Divide by zero"), "{errors}");
    let (code, errors) = failure(workspace.path(), &["query", &copy(rows, "rows")])?;
    assert_eq!(code, Some(2));
    assert!(errors.contains("cannot tell the format"), "{errors}");
    let missing = copy(rows, "no/rows.csv");
    let (code, errors) = failure(workspace.path(), &["query", &missing])?;
    assert_eq!(code, Some(1));
    assert!(errors.contains("No such file"), "{errors}");
    assert_eq!(
        std::fs::read_to_string(files.path().join("rows.csv"))?,
        written
    );
    assert_eq!(std::fs::read_dir(files.path())?.count(), 2);
    Ok(())
}

#[cfg(unix)]
#[test]
fn cli_copy_writes_into_a_named_pipe() -> Outcome {
    use std::os::unix::fs::FileTypeExt;

    let workspace = tempfile::tempdir()?;
    let pipe = workspace.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status()?.success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read_to_string(pipe)
    });
    let copy = format!("copy (select 1 as a) to '{}' (format csv)", pipe.display());
    stdout(workspace.path(), &["query", &copy])?;
    assert!(std::fs::metadata(&pipe)?.file_type().is_fifo());
    assert_eq!(reader.join().map_err(|_| "the reader panicked")??, "a\n1\n");
    Ok(())
}

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
fn cli_demo_runs_end_to_end() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    let demo = stdout(&workspace, &["demo", "--days", "2"])?;
    assert!(
        demo.starts_with("2025-01-01 to 2025-01-02 · dataset "),
        "{demo}"
    );
    assert!(demo.contains(" metric              │ "), "{demo}");
    assert!(
        demo.contains("The trades that would have changed most"),
        "{demo}"
    );
    assert_eq!(
        demo,
        stdout(&workspace, &["demo", "--days", "2"])?,
        "a second demo"
    );
    // The same history and settings, so the same comparison.
    assert_eq!(
        demo,
        stdout(&workspace, &["run", "--set", "start_date=2025-01-01"])?
    );

    let (code, errors) = failure(&workspace, &["demo", "--days", "3"])?;
    assert_eq!(code, Some(3));
    assert!(
        errors.contains("holds another demo already: --seed 6 --days 2"),
        "{errors}"
    );

    let run = ["run", "--set", "stop_loss_percent=12", "--format", "ndjson"];
    let row: serde_json::Value = serde_json::from_str(&stdout(&workspace, &run)?)?;
    assert_eq!(row["stop_loss_percent"].to_string(), "12.0");
    let (code, errors) = failure(&workspace, &["run", "--set", "stop_los=12"])?;
    assert_eq!(code, Some(1));
    assert!(errors.contains("has no argument stop_los\nhint: did you mean stop_loss_percent?"));

    let sweep = [
        "sweep",
        "--set",
        "stop_loss_percent=8,12",
        "--set",
        "score_threshold=60:90:10",
    ];
    let rows = stdout(&workspace, &[&sweep[..], &["--format", "csv"]].concat())?;
    assert_eq!(rows.lines().count(), 1 + 2 * 4);
    let totals = rows.lines().skip(1).map(|row| {
        let total = row.split(',').nth(4).unwrap_or_default();
        total.parse::<f64>().unwrap_or(f64::NAN)
    });
    assert!(
        totals.collect::<Vec<_>>().is_sorted_by(|a, b| a >= b),
        "{rows}"
    );
    Ok(())
}

#[test]
fn cli_interrupted_demo_leaves_nothing() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    let mut child = hindsight(&workspace)
        .args(["demo", "--days", "3650"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !workspace.join("demo/token_prices.parquet").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let pressed = Instant::now();
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()?;
    assert!(kill.success());
    let status = child.wait()?;
    let took = pressed.elapsed();
    let mut errors = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut errors)?;
    }
    assert_eq!(status.code(), Some(130), "{errors}");
    assert_eq!(errors, "error: cancelled\n");
    assert!(!workspace.exists());
    // Half a second is promised; machines that test are slower than those that trade.
    assert!(took < Duration::from_secs(2), "{took:?}");
    Ok(())
}

#[test]
fn cli_interrupted_load_changes_nothing() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    stdout(&workspace, &["demo", "--days", "1"])?;
    let fingerprint = || std::fs::read_to_string(workspace.join("dataset/manifest.json"));
    let before = fingerprint()?;

    // A pipe that nobody writes to keeps the load reading until it is interrupted.
    let pipe = directory.path().join("prices.csv");
    if !Command::new("mkfifo").arg(&pipe).status()?.success() {
        return Ok(());
    }
    let mut child = hindsight(&workspace)
        .arg("load")
        .arg("--prices")
        .arg(&pipe)
        .stderr(Stdio::null())
        .spawn()?;
    std::thread::sleep(Duration::from_millis(500));
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()?;
    assert!(kill.success());
    assert_eq!(child.wait()?.code(), Some(130));
    assert_eq!(fingerprint()?, before);
    stdout(&workspace, &["demo", "--days", "1"])?;
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

#[test]
fn cli_a_configuration_widens_what_a_parameter_may_be() -> Outcome {
    let workspace = tempfile::tempdir()?;
    let path = workspace.path();
    let backtest = [
        "query",
        "select scenario from backtest(stop_loss_percent => 80)",
    ];
    let (code, refusal) = failure(path, &backtest)?;
    assert_eq!(code, Some(1));
    assert!(
        refusal.contains("must be between 1 and 50, found 80"),
        "{refusal}"
    );

    let file = path.join("hindsight.json");
    let bounds = r#"{"parameters": {"stop_loss_percent": {"maximum": 90}}}"#;
    std::fs::write(&file, bounds)?;
    stdout(path, &backtest)?;
    let range = "select maximum from parameters where name = 'stop_loss_percent'";
    let range = ["query", range, "--format", "csv"];
    assert_eq!(stdout(path, &range)?, "maximum\n90\n");

    std::fs::write(&file, bounds.replace("90", "9"))?;
    let (code, refusal) = failure(path, &range)?;
    assert_eq!(code, Some(3));
    assert!(refusal.contains("narrows stop_loss_percent"), "{refusal}");
    Ok(())
}

#[test]
fn cli_state_is_where_it_is_said_to_be() -> Outcome {
    let workspace = tempfile::tempdir()?;
    let database = crate::postgres::Postgres::shared().database("cli");
    let url = database.url();
    let names = ["query", "select name from scenarios", "--format", "csv"];
    let state = ["--state", url.as_str()];
    let insert = ["query", "insert into scenarios (name) values ('there')"];
    stdout(workspace.path(), &[&insert[..], &state].concat())?;
    assert_eq!(
        stdout(workspace.path(), &[&names[..], &state].concat())?,
        "name\nthere\n"
    );
    assert_eq!(stdout(workspace.path(), &names)?, "name\n");
    let by_variable = hindsight(workspace.path())
        .env("HINDSIGHT_STATE", &url)
        .args(names)
        .output()?;
    assert_eq!(text(&by_variable.stdout), "name\nthere\n");
    // What the environment holds is not for the help to show.
    let help = hindsight(workspace.path())
        .env("HINDSIGHT_STATE", "postgres://bot:hunter2@db/x")
        .args(["query", "--help"])
        .output()?;
    assert!(
        !text(&help.stdout).contains("hunter2"),
        "{}",
        text(&help.stdout)
    );

    let away = ["--state", "postgres://bot:hunter2@127.0.0.1:1/x"];
    let (code, errors) = failure(workspace.path(), &[&names[..], &away].concat())?;
    assert_eq!(code, Some(3), "{errors}");
    assert!(
        errors.starts_with("error: postgres://bot@127.0.0.1:1/x: "),
        "{errors}"
    );
    let (code, errors) = failure(workspace.path(), &[&names[..], &["--state", "x"]].concat())?;
    assert_eq!(code, Some(2), "{errors}");
    Ok(())
}
