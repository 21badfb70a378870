//! What is not ours, wherever we look for what is: refused or left alone, and never changed.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// Everything below a directory, with what is in it.
fn everything(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let content = match path.symlink_metadata().unwrap() {
            metadata if metadata.is_dir() => {
                found.extend(everything(&path));
                b"a directory".to_vec()
            }
            metadata if metadata.is_symlink() => b"a link".to_vec(),
            _ => std::fs::read(&path).unwrap(),
        };
        found.insert(path, content);
    }
    found
}

fn write(directory: &Path, files: &[&str]) {
    for file in files {
        let path = directory.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("theirs: {file}")).unwrap();
    }
}

/// Loads the tiny history from inside a folder, as `--data .`.
fn load_here(folder: &Path) -> Command {
    let mut load = hindsight(Path::new("."));
    load.current_dir(folder).arg("load");
    for (option, table) in [("--signals", "signals"), ("--prices", "token_prices")] {
        let file = crate::files::test_data().join(format!("tiny/{table}.parquet"));
        load.arg(option).arg(file);
    }
    load
}

/// Holds that a command is refused with a sentence and the way out, and changes nothing.
fn refused(folder: &Path, command: &mut Command, place: &str) {
    let before = everything(folder);
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(place), "{said}");
    assert!(said.contains("Nothing in it was touched"), "{said}");
    assert!(said.contains("--data ./"), "{said}");
    let after = everything(folder);
    let changed = |(path, content): &(&PathBuf, &Vec<u8>)| after.get(*path) != Some(*content);
    assert_eq!(before.iter().find(changed), None, "{said}");
}

#[test]
fn foreign_projects_are_refused() {
    for files in [
        &["dataset/train.csv", "dataset/1/prices.arrow", "dataset/2/x"][..],
        &["dataset/manifest.json"],
        &["dataset/lock"],
        &["dataset/.gitkeep"],
    ] {
        let project = tempfile::tempdir().unwrap();
        write(project.path(), files);
        refused(project.path(), &mut load_here(project.path()), "dataset");
        let demo = &["demo", "--days", "1"];
        refused(
            project.path(),
            hindsight(Path::new("."))
                .current_dir(project.path())
                .args(demo),
            "dataset",
        );
    }
    let project = tempfile::tempdir().unwrap();
    write(
        project.path(),
        &["demo/signals.parquet", "demo/history.json"],
    );
    let mut demo = hindsight(Path::new("."));
    demo.current_dir(project.path())
        .args(["demo", "--days", "1"]);
    refused(project.path(), &mut demo, "demo");

    // A database of another program.
    let project = tempfile::tempdir().unwrap();
    done(&mut load_here(project.path()));
    write(project.path(), &["state.sqlite"]);
    let mut insert = hindsight(Path::new("."));
    insert.current_dir(project.path());
    insert.args(["query", "insert into scenarios (name) values ('a')"]);
    let before = everything(project.path());
    let output = insert.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(everything(project.path()), before);
}

#[test]
fn foreign_files_in_a_workspace_stay() {
    let workspace = tempfile::tempdir().unwrap();
    let workspace = workspace.path();
    load_tiny(workspace);
    let theirs = [
        "notes.txt",
        "dataset/notes.txt",
        "dataset/manifest.json.tmp",
        "dataset/1/notes.txt",
        "dataset/2/prices.arrow",
        "dataset/2/prices-0.tmp",
        "dataset/17/signals.arrow",
        "runs/exp1/model.bin",
        "runs/simulated_trades.parquet",
        "state.sqlite.probe-1",
        "demo.txt",
    ];
    write(workspace, &theirs);
    let elsewhere = tempfile::tempdir().unwrap();
    write(elsewhere.path(), &["prices.arrow"]);
    std::os::unix::fs::symlink(elsewhere.path(), workspace.join("dataset/3")).unwrap();
    done(&mut Files::get().load(workspace));
    let run = |label: &str| {
        let call = format!("select backtest_id from run_backtest(label => '{label}')");
        let csv = done(hindsight(workspace).args(["query", &call, "--format", "csv"])).0;
        csv.lines().nth(1).unwrap().to_owned()
    };
    let id = run("one");
    write(workspace, &[&format!("runs/{id}/notes.txt")]);
    done(&mut Files::get().load(workspace));
    for file in theirs {
        let found = std::fs::read_to_string(workspace.join(file)).unwrap();
        assert_eq!(found, format!("theirs: {file}"));
    }
    assert!(workspace.join(format!("runs/{id}/notes.txt")).exists());
    assert!(workspace.join("dataset/3").is_symlink());
    assert!(elsewhere.path().join("prices.arrow").exists());
    let left = dataset_files(workspace);
    let ours = left.iter().filter(|file| file.starts_with("4/")).count();
    assert_eq!(ours, 5, "{left:?}");
    assert!(!left.contains(&"1/prices.arrow".to_owned()), "{left:?}");
}

/// What others may do with a file or directory.
fn others_may(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o077
}

#[test]
fn foreign_eyes_see_no_state() {
    let directory = tempfile::tempdir().unwrap();
    let workspace = directory.path().join("workspace");
    // Whatever the mask allows.
    let open = |command: &Command| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 000; exec \"$0\" \"$@\""]);
        shell.arg(command.get_program()).args(command.get_args());
        shell
    };
    done(&mut open(&Files::get().load(&workspace)));
    assert_eq!(others_may(&workspace), 0);
    // One that was there keeps its permissions; the state is for its user alone.
    std::fs::set_permissions(&workspace, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut add = hindsight(&workspace);
    add.args(["user", "add", "ann", "--role", "reader"]);
    let mut add = open(&add);
    done(add.env("HINDSIGHT_PASSWORD", "long enough to be one"));
    assert_eq!(others_may(&workspace.join("state.sqlite")), 0);
    let engine = crate::engine::block_on(hindsight::Engine::open(&workspace)).unwrap();
    let insert = "insert into scenarios (name) values ('a')";
    crate::engine::block_on(engine.sql(insert)).unwrap();
    for file in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
        assert_eq!(others_may(&workspace.join(file)), 0, "{file}");
    }
    crate::engine::block_on(engine.store().close());
}
