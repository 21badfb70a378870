//! Every call by which a load changes the disk fails once, from then on, or is the last: the old
//! history is there or the new one, whole, and the next load goes on from it.

use hindsight::ingest::{self, LoadRequest, NoProgress};

use super::*;

pub(super) const EIO: i32 = 5;
const ENOMEM: i32 = 12;
pub(super) const ENOSPC: i32 = 28;

/// How a call goes wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// This one fails.
    Once(i32),
    /// So do all that come after.
    FromThen(i32),
    Killed,
}

impl Fault {
    /// Makes the call go wrong that a command makes for the so manieth time on what lies in a folder
    /// `above` of the directory, and notes there that it did.
    pub(super) fn inject(
        self,
        command: &mut Command,
        library: &Path,
        call: &str,
        at: u64,
        directory: &Path,
    ) {
        command
            .env("LD_PRELOAD", library)
            .env("XDG_CONFIG_HOME", directory.join("no-configuration"))
            .env("FAULT_CALL", call)
            .env("FAULT_AT", at.to_string())
            .env("FAULT_UNDER", directory.join("above"))
            .env("FAULT_NOTE", directory.join("note"));
        match self {
            Self::Once(error) => command.env("FAULT_ERROR", error.to_string()),
            Self::FromThen(error) => command
                .env("FAULT_ERROR", error.to_string())
                .env("FAULT_ON", "1"),
            Self::Killed => command.env("FAULT_ERROR", "0"),
        };
    }
}

/// The calls, each with how it can go wrong.
const FAULTS: &[(&str, &[Fault])] = &[
    (
        "write",
        &[Fault::Once(EIO), Fault::FromThen(ENOSPC), Fault::Killed],
    ),
    (
        "fsync",
        &[Fault::Once(EIO), Fault::FromThen(EIO), Fault::Killed],
    ),
    ("rename", &[Fault::Once(EIO), Fault::Killed]),
    ("mkdir", &[Fault::Once(ENOSPC), Fault::Killed]),
    ("mmap", &[Fault::Once(ENOMEM)]),
    (
        "open",
        &[Fault::Once(EIO), Fault::FromThen(EIO), Fault::Killed],
    ),
    (
        "unlink",
        &[Fault::Once(EIO), Fault::FromThen(EIO), Fault::Killed],
    ),
    ("flock", &[Fault::Once(EIO)]),
];

/// The library that makes calls fail; `None`, and said so, where there is no compiler.
pub(super) fn library() -> Option<&'static Path> {
    static BUILT: LazyLock<Option<(TempDir, PathBuf)>> = LazyLock::new(|| {
        let directory = removed_at_the_end(tempfile::tempdir().unwrap());
        let library = directory.path().join("faults.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/crash/faults.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output();
        match built {
            Ok(output) => {
                assert!(output.status.success(), "{}", text(&output.stderr));
                Some((directory, library))
            }
            Err(error) => {
                eprintln!("crash_faults SKIPPED: there is no cc: {error}");
                None
            }
        }
    });
    BUILT.as_ref().map(|(_, library)| library.as_path())
}

/// A small history in CSV files: the first, and one with more.
struct Histories {
    directory: TempDir,
}

impl Histories {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, days) in [("first", 1..3), ("more", 1..6)] {
            let mut prices = "token_address,timestamp,price\n".to_owned();
            let mut signals = "id,timestamp,token_address\n".to_owned();
            for day in days {
                prices += &format!("T,2025-01-0{day},{day}.5\nU,2025-01-0{day},{day}\n");
                signals += &format!("s{day},2025-01-0{day},T\n");
            }
            let file = |table: &str| directory.path().join(format!("{name}-{table}.csv"));
            std::fs::write(file("prices"), prices).unwrap();
            std::fs::write(file("signals"), signals).unwrap();
        }
        Self { directory }
    }

    fn request(&self, name: &str) -> LoadRequest {
        let file = |table: &str| {
            let path = self.directory.path().join(format!("{name}-{table}.csv"));
            vec![path.to_str().unwrap().to_owned()]
        };
        LoadRequest {
            signals: file("signals"),
            prices: file("prices"),
            ..LoadRequest::default()
        }
    }

    fn load(&self, workspace: &Path, name: &str) -> String {
        // A process that another test is just starting holds what is open here for a moment.
        let mut loads = (0..100).map(|_| {
            let loaded = ingest::load(workspace, &self.request(name), &NoProgress);
            let is_held =
                |error: &hindsight::Error| error.to_string().contains("is loading into it");
            if loaded.as_ref().is_err_and(is_held) {
                std::thread::sleep(Duration::from_millis(20));
            }
            loaded
        });
        let loaded = loads.find(Result::is_ok);
        loaded.expect("a load that succeeds").unwrap().fingerprint
    }
}

/// The files of the workspace and what is in them.
fn foreign(workspace: &Path) {
    for file in [
        "dataset/notes.txt",
        "dataset/9/prices.arrow",
        "dataset/1/theirs.txt",
    ] {
        let path = workspace.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "theirs").unwrap();
    }
}

fn foreign_is_there(workspace: &Path) -> bool {
    [
        "dataset/notes.txt",
        "dataset/9/prices.arrow",
        "dataset/1/theirs.txt",
    ]
    .iter()
    .all(|file| std::fs::read_to_string(workspace.join(file)).is_ok_and(|text| text == "theirs"))
}

#[test]
fn crash_faults_of_a_first_load() {
    let histories = Histories::new();
    every_fault("crash_faults_of_a_first_load", &histories, None);
}

#[test]
fn crash_faults_of_a_later_load() {
    let histories = Histories::new();
    let prepared = tempfile::tempdir().unwrap();
    histories.load(prepared.path(), "first");
    foreign(prepared.path());
    every_fault(
        "crash_faults_of_a_later_load",
        &histories,
        Some(prepared.path()),
    );
}

fn every_fault(name: &str, histories: &Histories, prepared: Option<&Path>) {
    let Some(library) = library() else {
        return;
    };
    let whole = tempfile::tempdir().unwrap();
    let before = fingerprint(prepared.unwrap_or(whole.path()));
    let after = histories.load(whole.path(), "more");
    let mut places = 0;
    for (call, faults) in FAULTS {
        for fault in *faults {
            let mut at = 1;
            while one_fault(
                library,
                histories,
                prepared,
                call,
                *fault,
                at,
                [&before, &after],
            ) {
                at += 1;
            }
            // A first load has nothing to map or remove.
            let none = prepared.is_none() && ["mmap", "unlink"].contains(call);
            assert!(at > 1 || none, "{call} is never called");
            places += at - 1;
        }
    }
    eprintln!("{name}: {places} faults");
}

/// Whether the call was made so often.
fn one_fault(
    library: &Path,
    histories: &Histories,
    prepared: Option<&Path>,
    call: &str,
    fault: Fault,
    at: u64,
    [before, after]: [&str; 2],
) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let workspace = directory.join("above/workspace");
    if let Some(prepared) = prepared {
        crate::files::copy(prepared, &workspace);
    }
    let note = directory.join("note");
    let mut load = hindsight(&workspace);
    fault.inject(&mut load, library, call, at, &directory);
    let request = histories.request("more");
    load.arg("load").arg("--signals").args(&request.signals);
    let output = load.arg("--prices").args(&request.prices).output().unwrap();

    let said = text(&output.stderr);
    let what = format!("{call} {at}, {fault:?}: {said}");
    let found = fingerprint(&workspace);
    match output.status.code() {
        Some(0) => assert_eq!(found, after, "{what}"),
        Some(code) => {
            assert_eq!(code, 3, "{what}");
            assert!(said.starts_with("error: workspace "), "{what}");
            assert!(found == before || found == after, "{what}");
        }
        None => {
            assert!(matches!(fault, Fault::Killed), "{what}");
            assert!(found == before || found == after, "{what}");
        }
    }
    let damage = Dataset::verify(&workspace, &|| false).unwrap().damage;
    assert_eq!(damage, [], "{what}");
    // Only a sync that fails after the rename, or opening what is to be synced, leaves the new history
    // and an error.
    if output.status.code() == Some(3) && found == after {
        assert!(["fsync", "open"].contains(&call), "{what}");
        assert!(said.contains("load again to make sure"), "{what}");
    }
    assert!(prepared.is_none() || foreign_is_there(&workspace), "{what}");

    // Whatever was left does not stand in the way, and goes.
    assert_eq!(histories.load(&workspace, "more"), after, "{what}");
    histories.load(&workspace, "first");
    let left: Vec<_> = dataset_files(&workspace)
        .into_iter()
        .filter(|file| !["notes.txt", "9/prices.arrow", "1/theirs.txt"].contains(&&**file))
        .collect();
    assert_eq!(left.len(), 2 + 5, "{what}: {left:?}");
    assert!(prepared.is_none() || foreign_is_there(&workspace), "{what}");
    note.exists()
}
