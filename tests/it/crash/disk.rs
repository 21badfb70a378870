//! A full disk and a workspace that cannot be written: a clear error, and the old data intact.

use hindsight::Engine;

use super::*;
use crate::cli::run;
use crate::engine::block_on;

/// A small file system of its own, for root alone.
struct Mounted {
    directory: TempDir,
}

impl Mounted {
    /// `None`, and said so, where it cannot be mounted.
    fn new(test: &str, megabytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(directory.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { directory });
        }
        eprintln!("{test} SKIPPED in part: a file system can be mounted by root only");
        None
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn make_read_only(&self) {
        let mut command = Command::new("mount");
        done(command.args(["-o", "remount,ro"]).arg(self.path()));
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

/// A command that may write no file larger than this, as if the disk were full.
fn limited(command: &Command, blocks_of_512: u32) -> Command {
    let script = format!("trap '' XFSZ; ulimit -f {blocks_of_512}; exec \"$0\" \"$@\"");
    let mut limited = Command::new("sh");
    limited.args(["-c", &script]).arg(command.get_program());
    limited
        .args(command.get_args())
        .env_remove("HINDSIGHT_DATA");
    limited
}

/// Holds that a load fails as the file system says, and leaves the old history.
fn refuses(workspace: &Path, load: &mut Command, expected: &str) {
    let (before, files) = (digest(workspace), dataset_files(workspace));
    let output = load.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert_eq!(
        said.lines()
            .filter(|line| line.starts_with("error: "))
            .count(),
        1,
        "{said}"
    );
    assert!(
        said.contains("cannot be written: ") && said.contains(expected),
        "{said}"
    );
    assert_eq!(digest(workspace), before);
    assert_eq!(dataset_files(workspace), files);
}

#[test]
fn disk_full() {
    let files = Files::get();
    let workspace = tempfile::tempdir().unwrap();
    load_tiny(workspace.path());
    // The prices alone are more than 4 MB.
    let mut load = limited(&files.load(workspace.path()), 8192);
    refuses(workspace.path(), &mut load, "File too large");
    done(&mut files.load(workspace.path()));

    if let Some(mounted) = Mounted::new("disk_full", 8) {
        let workspace = mounted.path().join("data");
        load_tiny(&workspace);
        for _ in 0..3 {
            refuses(
                &workspace,
                &mut files.load(&workspace),
                "No space left on device",
            );
        }
        load_tiny(&workspace);

        done(hindsight(&workspace).args(["query", &insert("kept")]));
        let rest = mounted.path().join("rest");
        let fill = Command::new("dd")
            .args(["if=/dev/zero", "bs=4096"])
            .arg(format!("of={}", rest.display()))
            .output();
        assert!(!fill.unwrap().status.success(), "the disk is not full");
        refuses_to_write(&workspace, "No space left on device");
        assert_eq!(names(&workspace), "name\nkept\n");
        std::fs::remove_file(&rest).unwrap();
        done(hindsight(&workspace).args(["query", &insert("later")]));
        assert_eq!(names(&workspace), "name\nkept\nlater\n");
    }
}

#[test]
fn disk_is_left_clean_by_a_refused_load_of_standard_input() {
    let workspace = tempfile::tempdir().unwrap();
    load_tiny(workspace.path());
    let files = dataset_files(workspace.path());
    let text_of = tempfile::tempdir().unwrap();
    let wrong = text_of.path().join("wrong");
    std::fs::write(&wrong, "token_address,timestamp,price\nT,2025-01-01,many\n").unwrap();
    let mut load = hindsight(workspace.path());
    load.args(["load", "--input-format", "csv", "--prices", "-"]);
    load.stdin(std::fs::File::open(wrong).unwrap());
    let output = load.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(dataset_files(workspace.path()), files);
}

/// A load of prices from what a line of shell writes.
fn load_of(workspace: &Path, writer: &str, format: &str) -> Command {
    let script = format!("{writer} | \"$0\" \"$@\"");
    let load = hindsight(workspace);
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(load.get_program());
    command.args(load.get_args()).env_remove("HINDSIGHT_DATA");
    command.args(["load", "--input-format", format, "--prices", "-"]);
    command
}

#[test]
fn disk_is_not_filled_by_what_never_ends() {
    let workspace = tempfile::tempdir().unwrap();
    load_tiny(workspace.path());
    let files = dataset_files(workspace.path());
    for (writer, format, expected) in [
        (
            "yes",
            "csv",
            "found no column token_address, timestamp, price among y",
        ),
        (
            "yes | gzip",
            "csv",
            "found no column token_address, timestamp, price among y",
        ),
        (
            "yes | tr -d '\\n'",
            "csv",
            "found a first line longer than 64 KiB",
        ),
        (
            "yes",
            "ndjson",
            "found y, expected a JSON object for each row",
        ),
        (
            "yes",
            "parquet",
            "found what seems to be text, expected a Parquet file",
        ),
    ] {
        let output = load_of(workspace.path(), writer, format).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains(&format!("error: standard input: {expected}")),
            "{said}"
        );
        assert_eq!(dataset_files(workspace.path()), files);
    }
    if let Some(mounted) = Mounted::new("disk_is_not_filled_by_what_never_ends", 32) {
        let workspace = mounted.path().join("data");
        load_tiny(&workspace);
        let rows = "{ echo token_address,timestamp,price; yes T,1735689600,1; }";
        let expected = "what the load puts aside would fill the disk";
        refuses(&workspace, &mut load_of(&workspace, rows, "csv"), expected);
        load_tiny(&workspace);
    }
}

fn insert(name: &str) -> String {
    // Long enough for a page of its own.
    let description = "x".repeat(20_000);
    format!("insert into scenarios (name, description) values ('{name}', '{description}')")
}

fn names(workspace: &Path) -> String {
    let names = "select name from scenarios order by name";
    done(hindsight(workspace).args(["query", names, "--format", "csv"])).0
}

/// Holds that a write to the state fails and says why.
fn refuses_to_write(workspace: &Path, expected: &str) {
    let output = run(workspace, &["query", &insert("refused")]).unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.starts_with("error: ") && said.contains(expected),
        "{said}"
    );
}

/// The files of SQLite that lie beside the state.
fn beside_state(workspace: &Path) -> Vec<&'static str> {
    let suffixes = ["-journal", "-shm", "-wal"].into_iter();
    suffixes
        .filter(|suffix| workspace.join(format!("state.sqlite{suffix}")).exists())
        .collect()
}

#[test]
fn disk_read_only() {
    let Some(mounted) = Mounted::new("disk_read_only", 64) else {
        return;
    };
    load_tiny(mounted.path());
    done(hindsight(mounted.path()).args(["query", &insert("kept")]));
    assert_eq!(beside_state(mounted.path()), [""; 0]);

    // As a process leaves it that is killed, here and on its way out.
    let engine = block_on(Engine::open(mounted.path())).unwrap();
    block_on(engine.sql(&insert("logged"))).unwrap();
    let killed = [&["", "-wal", "-shm"][..], &["", "-wal"]].map(|suffixes| {
        let workspace = mounted.path().join(format!("killed{}", suffixes.len()));
        std::fs::create_dir(&workspace).unwrap();
        for suffix in suffixes {
            let name = format!("state.sqlite{suffix}");
            std::fs::copy(mounted.path().join(&name), workspace.join(&name)).unwrap();
        }
        workspace
    });
    block_on(engine.store().close());
    assert_eq!(beside_state(mounted.path()), [""; 0]);

    mounted.make_read_only();
    let mut load = Files::get().load(mounted.path());
    refuses(mounted.path(), &mut load, "Read-only file system");
    for workspace in killed.iter().map(PathBuf::as_path).chain([mounted.path()]) {
        assert_eq!(names(workspace), "name\nkept\nlogged\n");
        refuses_to_write(workspace, "Read-only file system");
    }
}
