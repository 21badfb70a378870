//! Where what is not said on the command line comes from.

use std::path::Path;
use std::process::{Command, Output};

use super::{Outcome, failure, hindsight, run, stdout, text};

#[test]
fn cli_a_configuration_widens_what_a_parameter_may_be() -> Outcome {
    let workspace = super::workspace()?;
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

/// A command in a folder, with a configuration directory of its own, and nothing said of a workspace.
fn in_folder(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hindsight"));
    for variable in ["DATA", "STATE", "QUIET", "LISTEN", "MAX_CONNECTIONS"] {
        command.env_remove(format!("HINDSIGHT_{variable}"));
    }
    command
        .env("XDG_CONFIG_HOME", folder.join("configuration"))
        .current_dir(folder)
        .args(arguments);
    command
}

/// What `hindsight config` says of a setting: value and origin.
fn setting(output: &Output, name: &str) -> Option<(String, String)> {
    let shown = text(&output.stdout);
    let line = shown
        .lines()
        .find(|line| line.starts_with(&format!("{name},")))?;
    let mut fields = line.split(',').skip(1).map(str::to_owned);
    Some((fields.next()?, fields.next()?))
}

#[test]
fn cli_settings_come_from_files_variables_and_flags() -> Outcome {
    let directory = tempfile::tempdir()?;
    let folder = directory.path();
    let config = ["config", "--format", "csv"];
    let shown = |name: &str, command: &mut Command| -> std::io::Result<Option<(String, String)>> {
        Ok(setting(&command.output()?, name))
    };
    let is = |value: &str, origin: &str| Some((value.to_owned(), origin.to_owned()));
    assert_eq!(
        shown("data", &mut in_folder(folder, &config))?,
        is("./hindsight-data", "default")
    );

    std::fs::write(
        folder.join("hindsight.toml"),
        "data = 'here'\nstate = 'postgres://bot:hunter2@db/x'\nlisten = '127.0.0.1:7777'\n\
         max_connections = 7\nquiet = true\n",
    )?;
    let output = in_folder(folder, &config).output()?;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(setting(&output, "data"), is("here", "hindsight.toml"));
    assert_eq!(
        setting(&output, "state"),
        is("postgres://bot@db:5432/x", "hindsight.toml")
    );
    assert_eq!(
        setting(&output, "listen"),
        is("127.0.0.1:7777", "hindsight.toml")
    );
    assert_eq!(
        setting(&output, "max_connections"),
        is("7", "hindsight.toml")
    );
    assert_eq!(setting(&output, "quiet"), is("true", "hindsight.toml"));
    let help = in_folder(folder, &["serve", "--help"]).output()?;
    assert!(
        !text(&help.stdout).contains("hunter2"),
        "{}",
        text(&help.stdout)
    );
    assert!(
        text(&help.stdout).contains("127.0.0.1:7777"),
        "{}",
        text(&help.stdout)
    );

    let configured = folder.join("configuration/hindsight");
    std::fs::create_dir_all(&configured)?;
    std::fs::write(configured.join("hindsight.toml"), "data = 'there'\n")?;
    let (data, origin) = shown("data", &mut in_folder(folder, &config))?.ok_or("no data")?;
    assert_eq!(Path::new(&data), configured.join("there"));
    assert_eq!(Path::new(&origin), configured.join("hindsight.toml"));
    let mut by_variable = in_folder(folder, &config);
    by_variable.env("HINDSIGHT_DATA", "elsewhere");
    assert_eq!(
        shown("data", &mut by_variable)?,
        is("elsewhere", "HINDSIGHT_DATA")
    );
    by_variable.args(["--data", "flagged"]);
    assert_eq!(shown("data", &mut by_variable)?, is("flagged", "--data"));

    // What is in force is what is shown.
    std::fs::create_dir(configured.join("there"))?;
    std::fs::write(configured.join("there/hindsight.json"), "{}")?;
    let mut query = in_folder(folder, &["query", "select 1 as a", "--format", "csv"]);
    let output = query.env("HINDSIGHT_STATE", "").output()?;
    assert_eq!(text(&output.stdout), "a\n1\n", "{}", text(&output.stderr));
    Ok(())
}

#[test]
fn cli_a_wrong_file_of_settings_is_refused() -> Outcome {
    let directory = tempfile::tempdir()?;
    let folder = directory.path();
    for (text_of_file, expected) in [
        (
            "dta = 'x'",
            "hindsight.toml: dta is no setting; did you mean data?",
        ),
        (
            "trust = 'operator'",
            "hindsight.toml: trust is no setting; ",
        ),
        ("data = [1]", "hindsight.toml: data must be a text, "),
        ("data = 'x'\nlisten", "hindsight.toml: line 2: "),
    ] {
        std::fs::write(folder.join("hindsight.toml"), text_of_file)?;
        let output = in_folder(folder, &["config"]).output()?;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(
            errors.starts_with(&format!("error: {expected}")),
            "{errors}"
        );
        assert_eq!(errors.lines().count(), 1, "{errors}");
        let help = in_folder(folder, &["--help"]).output()?;
        assert_eq!(help.status.code(), Some(0));
    }
    std::fs::write(folder.join("hindsight.toml"), "listen = 'moon'")?;
    let output = in_folder(folder, &["serve", "--check"]).output()?;
    assert_eq!(output.status.code(), Some(2));
    let errors = text(&output.stderr);
    assert!(errors.contains("invalid value 'moon'"), "{errors}");
    assert!(errors.contains("hindsight.toml"), "{errors}");
    Ok(())
}

#[test]
fn cli_quiet_says_nothing_but_results() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    let output = run(&workspace, &["demo", "--days", "1", "--quiet"])?;
    assert_eq!(text(&output.stderr), "");
    assert!(!output.stdout.is_empty());
    for arguments in [
        &["-q", "query", "select 1 as a"] as &[&str],
        &["-q", "run"],
        &["-q", "sweep", "--set", "stop_loss_percent=8,9"],
        &["-q", "history"],
    ] {
        let output = run(&workspace, arguments)?;
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        assert!(!output.stdout.is_empty());
    }
    let by_variable = hindsight(&workspace)
        .env("HINDSIGHT_QUIET", "1")
        .args(["query", "select 1 as a"])
        .output()?;
    assert_eq!(text(&by_variable.stderr), "");
    let (code, errors) = failure(&workspace, &["-q", "query", "select nothing"])?;
    assert_eq!(code, Some(1));
    assert!(errors.starts_with("error: "), "{errors}");
    Ok(())
}

#[test]
fn cli_says_what_it_is() -> Outcome {
    let workspace = super::workspace()?;
    let path = workspace.path();
    let version = stdout(path, &["--version"])?;
    let expected = format!("hindsight {} (", env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(&expected), "{version}");
    let format = format!("dataset format {})\n", hindsight::dataset::FORMAT);
    assert!(version.ends_with(&format), "{version}");

    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = stdout(path, &["completions", shell])?;
        assert!(completions.contains("sweep"), "{shell}");
    }
    let bash = workspace.path().join("completions.bash");
    std::fs::write(&bash, stdout(path, &["completions", "bash"])?)?;
    assert!(
        Command::new("bash")
            .arg("-n")
            .arg(&bash)
            .status()?
            .success()
    );

    assert!(stdout(path, &["man"])?.contains(".TH hindsight 1"));
    let page = stdout(path, &["man", "sweep"])?;
    assert!(page.contains(".TH hindsight-sweep 1"), "{page}");
    assert!(page.contains("stop_loss_percent"), "{page}");
    let (code, errors) = failure(path, &["man", "swep"])?;
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("there is no command swep\nhint: did you mean sweep?"),
        "{errors}"
    );
    Ok(())
}
