//! Results in files: whole or not at all.

use std::process::Command;

use super::{Outcome, failure, stdout};

#[test]
fn cli_copy_writes_a_file_whole_or_not_at_all() -> Outcome {
    let workspace = super::workspace()?;
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
    assert!(errors.contains("division by zero"), "{errors}");
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

    let workspace = super::workspace()?;
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
fn cli_every_command_writes_a_file() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    stdout(&workspace, &["demo", "--days", "1"])?;
    let written = |arguments: &[&str], name: &str| {
        let file = directory.path().join(name);
        let path = file.to_string_lossy().into_owned();
        let shown = stdout(&workspace, &[arguments, &["-o", &path]].concat())?;
        assert_eq!(shown, "", "{arguments:?}");
        Ok::<_, Box<dyn std::error::Error>>(std::fs::read(&file)?)
    };
    for arguments in [
        &["query", "select 1 as a; select 2 as b"] as &[&str],
        &["run"],
        &["run", "--no-store"],
        &["history"],
        &["sweep", "--set", "stop_loss_percent=8,12"],
        &["settings"],
        &["settings", "history"],
        &["scenarios"],
        &["user", "list"],
        &["config"],
        &["demo", "--days", "1"],
    ] {
        let csv = written(arguments, "result.csv")?;
        assert!(!csv.is_empty(), "{arguments:?}");
        let said = stdout(&workspace, &[arguments, &["--format", "csv"]].concat())?;
        // What a run is called and when it was made differs each time.
        let same = csv.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(said.lines().count(), same, "{arguments:?}");
    }
    assert!(written(&["history"], "history.parquet")?.starts_with(b"PAR1"));
    assert_eq!(written(&["scenarios", "export"], "all.json")?, b"[]\n");
    let (code, errors) = failure(&workspace, &["history", "-o", "history"])?;
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("cannot tell the format of history\nhint: "),
        "{errors}"
    );

    // A failure leaves what was there.
    let file = directory.path().join("result.csv");
    let before = std::fs::read(&file)?;
    let path = file.to_string_lossy();
    let fails = "select 1 / (3 - x) as n from generate_series(1, 9000) t(x)";
    let (code, _) = failure(&workspace, &["query", fails, "-o", &path])?;
    assert_eq!(code, Some(1));
    assert_eq!(std::fs::read(&file)?, before);
    let is_part = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains(".part-"))
    };
    assert!(!std::fs::read_dir(directory.path())?.any(is_part));
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn cli_a_full_disk_is_no_success() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    stdout(&workspace, &["demo", "--days", "1"])?;
    let full = || std::fs::File::options().write(true).open("/dev/full");
    let fails = |arguments: &[&str], to: std::process::Stdio| {
        let output = super::hindsight(&workspace)
            .args(arguments)
            .stdout(to)
            .output()?;
        let errors = super::text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {errors}");
        assert!(
            errors.contains("No space left on device"),
            "{arguments:?}: {errors}"
        );
        Ok::<_, Box<dyn std::error::Error>>(errors)
    };
    for format in [
        "table", "csv", "json", "ndjson", "markdown", "parquet", "arrow",
    ] {
        for sql in [
            "select 1 as a",
            "select x from generate_series(1, 100000) t(x)",
        ] {
            let said = fails(&["query", sql, "--format", format], full()?.into())?;
            assert!(said.starts_with("error: standard output: "), "{said}");
            let null = std::process::Stdio::null;
            let said = fails(
                &["query", sql, "--format", format, "-o", "/dev/full"],
                null(),
            )?;
            assert!(said.contains("error: /dev/full: "), "{said}");
            if format != "table" {
                let copy = format!("copy ({sql}) to '/dev/full' (format {format})");
                let said = fails(&["query", &copy], null())?;
                assert!(said.contains("error: /dev/full: "), "{said}");
            }
        }
    }
    for arguments in [
        &["run", "--no-store"] as &[&str],
        &["history"],
        &["scenarios", "export"],
        &["config"],
        &["completions", "bash"],
        &["man"],
        &["--version"],
        &["query", "--help"],
    ] {
        fails(arguments, full()?.into())?;
    }
    Ok(())
}
