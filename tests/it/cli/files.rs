//! Results in files: whole or not at all.

use std::process::Command;

use super::{Outcome, failure, stdout};

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
