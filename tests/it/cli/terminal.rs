//! What is different where somebody watches: a terminal of a certain width.

use std::process::{Command, Stdio};

use super::{Outcome, text};

/// What a terminal of this width shows of a command.
fn on_terminal(columns: usize, command: &str) -> Result<String, Box<dyn std::error::Error>> {
    let folder = super::workspace()?;
    let program = env!("CARGO_BIN_EXE_hindsight");
    let data = folder.path().display();
    let command = format!("stty cols {columns} rows 24; {program} --data {data} {command}");
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("NO_COLOR", "1")
        .env("XDG_CONFIG_HOME", folder.path())
        .stdin(Stdio::null())
        .output()?;
    assert!(output.status.success(), "{}", text(&output.stdout));
    Ok(text(&output.stdout).replace("\r\n", "\n"))
}

#[test]
fn cli_a_wide_table_is_cut_to_the_terminal() -> Outcome {
    let columns: Vec<String> = (1..=12)
        .map(|n| format!("x * 1000000 as column_{n}"))
        .collect();
    let sql = format!(
        "select {} from generate_series(1, 2) t(x)",
        columns.join(", ")
    );
    let shown = on_terminal(59, &format!("query \"{sql}\""))?;
    assert_eq!(
        shown,
        " column_1 │ column_2 │ … │ column_11 │ column_12\n\
         ──────────┼──────────┼───┼───────────┼───────────\n  \
         1000000 │  1000000 │ … │   1000000 │   1000000\n  \
         2000000 │  2000000 │ … │   2000000 │   2000000\n\
         (2 rows, 4 of 12 columns; a pipe, --format and -o have all)\n"
    );
    // A pipe has all of it, and long texts lose their ends before columns go.
    let piped = on_terminal(60, &format!("query \"{sql}\" | cat"))?;
    assert!(piped.contains("column_6"), "{piped}");
    let long = format!(
        "select x, '{}' as word from generate_series(1, 2) t(x)",
        "y".repeat(90)
    );
    let shown = on_terminal(40, &format!("query \"{long}\""))?;
    assert!(
        shown.contains(&format!(" 1 │ {}…\n", "y".repeat(33))),
        "{shown}"
    );
    Ok(())
}

#[test]
fn cli_a_terminal_is_not_filled_with_bytes() -> Outcome {
    let shown = on_terminal(80, "query 'select 1' --format parquet || true")?;
    assert!(
        shown.contains("--format parquet is no text for a terminal"),
        "{shown}"
    );
    Ok(())
}
