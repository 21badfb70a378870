//! State in a PostgreSQL.

use super::{Outcome, failure, hindsight, stdout, text};

#[test]
fn cli_state_is_where_it_is_said_to_be() -> Outcome {
    let workspace = super::workspace()?;
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
