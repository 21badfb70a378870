//! The shell, with what nobody types.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use super::{Outcome, hindsight, text};

/// What a shell makes of these lines.
fn shell(workspace: &Path, lines: &str) -> Result<Output, Box<dyn std::error::Error>> {
    let mut child = hindsight(workspace)
        .args(["shell", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    stdin.write_all(lines.as_bytes())?;
    drop(stdin);
    Ok(child.wait_with_output()?)
}

/// Standard output of lines that must succeed.
fn shown(workspace: &Path, lines: &str) -> Result<String, Box<dyn std::error::Error>> {
    let output = shell(workspace, lines)?;
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{lines}: {errors}");
    Ok(text(&output.stdout))
}

#[test]
fn cli_shell_runs_statements_and_commands() -> Outcome {
    let directory = super::workspace()?;
    let workspace = directory.path();
    assert_eq!(
        shown(
            workspace,
            "select 1\n  as a;\n\nselect 2 as b; select 3 as c"
        )?,
        "a\n1\nb\n2\nc\n3\n"
    );
    assert_eq!(
        shown(workspace, "select 1 as a;\n\\q\nselect 2 as b;")?,
        "a\n1\n"
    );
    let columns = shown(workspace, "\\d token_prices")?;
    assert!(columns.contains("\nvolume_24h,"), "{columns}");
    assert!(shown(workspace, "\\dt")?.contains("\nsignals,"));
    assert!(shown(workspace, "\\df win_rate")?.contains("win_rate"));
    assert_eq!(shown(workspace, "\\l")?, "name\nhindsight\n");
    let connection = shown(workspace, "\\conninfo")?;
    assert!(
        connection.starts_with("workspace,generation,dataset,state\n"),
        "{connection}"
    );
    assert_eq!(
        shown(workspace, "\\set day '2025-01-31'\nselect :'day' as day;\n")?,
        "day\n2025-01-31\n"
    );
    let upright = "\\format table\n\\x\nselect 1 as a, 'x' as bc;";
    assert_eq!(shown(workspace, upright)?, "─[ 1 ]─\n a  │ 1\n bc │ x\n");
    Ok(())
}

#[test]
fn cli_shell_reads_and_writes_files() -> Outcome {
    let directory = super::workspace()?;
    let workspace = directory.path();
    let path = |name: &str| workspace.join(name).display().to_string();
    std::fs::write(
        path("a.sql"),
        "select 1 as a;\n\\set n 7\nselect :n as b;\n",
    )?;
    assert_eq!(
        shown(workspace, &format!("\\i {}", path("a.sql")))?,
        "a\n1\nb\n7\n"
    );

    let lines = format!(
        "\\o {}\nselect 1 as a;\nselect 2 as a;\n\\o\nselect 3 as a;\n",
        path("out.csv")
    );
    assert_eq!(shown(workspace, &lines)?, "a\n3\n");
    assert_eq!(std::fs::read_to_string(path("out.csv"))?, "a\n1\na\n2\n");

    let copy = format!("\\copy (select 5 as a) to {}", path("copy.csv"));
    assert_eq!(shown(workspace, &copy)?, "");
    assert_eq!(std::fs::read_to_string(path("copy.csv"))?, "a\n5\n");
    Ok(())
}

#[test]
fn cli_shell_ends_at_an_error_that_nobody_sees() -> Outcome {
    let directory = super::workspace()?;
    let workspace = directory.path();
    let loops = workspace.join("loop.sql");
    std::fs::write(&loops, format!("\\i {}\n", loops.display()))?;
    for (lines, code, expected) in [
        ("select 1 as a;\nselect nothing;\nselect 2;", 1, "error: "),
        (
            "select 1 as a;\n\\timng",
            2,
            "error: there is no \\timng\nhint: did you mean \\timing?",
        ),
        (
            "select 1 as a;\n\\d signal",
            2,
            "there is no table signal\nhint: did you mean signals?",
        ),
        (
            "select 1 as a;\n\\df winrate",
            2,
            "there is no function winrate\nhint: did you mean win_rate?",
        ),
        (
            "select 1 as a;\n\\x maybe",
            2,
            "\\x is on or off, found maybe",
        ),
        ("select 1 as a;\n\\i", 2, "\\i needs FILE"),
        (
            "select 1 as a;\n\\i /no/such.sql",
            1,
            "error: /no/such.sql: ",
        ),
        (
            "select 1 as a;\n\\copy signals from x.csv",
            2,
            "hint: hindsight load",
        ),
        ("select 1 as a;\n\\o x.parquet", 2, "\\o keeps many results"),
        ("select 1 as a;\nselect ':", 1, "error: "),
        (
            "select 1 as a;\nselect :n;",
            1,
            "nobody has set :n; \\set n … does",
        ),
        (
            &format!("select 1 as a;\n\\i {}", loops.display()),
            2,
            "must not run itself",
        ),
    ] {
        let output = shell(workspace, lines)?;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{lines}: {errors}");
        assert!(errors.contains(expected), "{lines}: {errors}");
        assert_eq!(text(&output.stdout), "a\n1\n", "{lines}");
    }
    Ok(())
}
