//! Whatever goes wrong, the workspace holds the old history or the new one.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::ingest::{Phase, Progress};

const PRICES: &str = "token_address,timestamp,price\nT,2025-01-01,1\n";
const MORE: &str = "token_address,timestamp,price\nT,2025-01-02,2\n";

#[test]
fn nothing_loaded_yet_is_an_empty_dataset() {
    let bench = Bench::new();
    let dataset = bench.open();
    assert_eq!(dataset.generation, 0);
    assert_eq!(Dataset::current_generation(&bench.workspace()).unwrap(), 0);
    assert_eq!(
        dataset.signals.num_rows() + dataset.price_book.price_count(),
        0
    );
    assert!(!bench.workspace().exists());
    // A load of no rows is the same dataset.
    let empty = bench.file("p.csv", "token_address,timestamp,price\n");
    assert_eq!(
        bench.load(&[], &[&empty], &[]).unwrap().fingerprint,
        dataset.fingerprint
    );
}

#[test]
fn readers_keep_their_generation() {
    let bench = Bench::new();
    let (one, two) = (bench.file("1.csv", PRICES), bench.file("2.csv", MORE));
    bench.load(&[], &[&one], &[]).unwrap();
    let before = bench.open();
    bench.load(&[], &[&two], &[]).unwrap();
    assert_eq!(prices_of(&before, "T").0, [(0, 1)]);
    assert_eq!(prices_of(&bench.open(), "T").0, [(0, 1), (86_400, 2)]);
    assert_eq!(Dataset::current_generation(&bench.workspace()).unwrap(), 2);
    let files = files_below(&bench.workspace());
    assert!(
        files.iter().all(|file| !file.starts_with("dataset/1/")),
        "{files:?}"
    );
}

#[test]
fn what_a_killed_load_leaves_does_no_harm() {
    let bench = Bench::new();
    let (one, two) = (bench.file("1.csv", PRICES), bench.file("2.csv", MORE));
    bench.load(&[], &[&one], &[]).unwrap();
    let root = bench.workspace().join("dataset");
    // As a load leaves it that is killed: listed in the lock, and half written.
    let writer = crate::dataset::GenerationWriter::begin(&bench.workspace()).unwrap();
    std::mem::forget(writer.prices(false).unwrap());
    std::fs::write(root.join("2/prices-0.tmp"), "half").unwrap();
    std::fs::write(root.join("2/manifest.json"), "{").unwrap();
    let lock = std::fs::read(root.join("lock")).unwrap();
    let half = files_below(&root.join("2"));
    drop(writer);
    std::fs::create_dir(root.join("2")).unwrap();
    for file in half {
        std::fs::write(root.join("2").join(file), "half").unwrap();
    }
    std::fs::write(root.join("lock"), lock).unwrap();
    assert_eq!(bench.open().generation, 1);
    assert_eq!(bench.load(&[], &[&two], &[]).unwrap().generation, 2);
    let files = files_below(&root);
    let arrow = [
        "data_quality",
        "prices",
        "signals",
        "tokens",
        "trade_outcomes",
    ];
    let mut expected: Vec<_> = arrow.map(|table| format!("2/{table}.arrow")).into();
    expected.extend(["lock".to_owned(), "manifest.json".to_owned()]);
    assert_eq!(files, expected);
}

#[test]
fn a_load_that_fails_at_the_end_leaves_the_old_history() {
    let bench = Bench::new();
    let (one, two) = (bench.file("1.csv", PRICES), bench.file("2.csv", MORE));
    bench.load(&[], &[&one], &[]).unwrap();
    let before = files_below(&bench.workspace());
    let writer = crate::dataset::GenerationWriter::begin(&bench.workspace()).unwrap();
    // The manifest cannot be made where a directory has its name.
    let in_the_way = bench.workspace().join("dataset/2/manifest.json");
    std::fs::create_dir(&in_the_way).unwrap();
    let prices = writer.prices(false).unwrap();
    let old = bench.open();
    let error = writer
        .commit(prices, &old.signals, &old.trade_outcomes, &old.data_quality)
        .unwrap_err();
    std::fs::remove_dir_all(in_the_way.parent().unwrap()).unwrap();
    assert!(
        error
            .to_string()
            .contains("manifest.json: cannot be written:"),
        "{error}"
    );
    assert_eq!(files_below(&bench.workspace()), before);
    assert_eq!(prices_of(&bench.open(), "T").0, [(0, 1)]);
    assert_eq!(bench.load(&[], &[&two], &[]).unwrap().generation, 2);
}

#[test]
fn what_others_put_there_stays() {
    let bench = Bench::new();
    let (one, two) = (bench.file("1.csv", PRICES), bench.file("2.csv", MORE));
    bench.load(&[], &[&one], &[]).unwrap();
    let root = bench.workspace().join("dataset");
    // A generation in use, one that is next, one that is past, and beside them.
    let theirs = ["1/notes.txt", "2/prices.arrow", "0/x", "a.tmp", "b/c"];
    let elsewhere = bench.directory.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("prices.arrow"), "theirs").unwrap();
    for file in theirs {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "theirs").unwrap();
    }
    std::os::unix::fs::symlink(&elsewhere, root.join("3")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, root.join("1/signals")).unwrap();
    let summary = bench.load(&[], &[&two], &[]).unwrap();
    assert_eq!(summary.generation, 4);
    for _ in 0..2 {
        bench.load(&[], &[&two], &[]).unwrap();
        for file in theirs {
            assert_eq!(std::fs::read_to_string(root.join(file)).unwrap(), "theirs");
        }
        assert_eq!(files_below(&elsewhere), ["prices.arrow"]);
        assert!(root.join("3").is_symlink());
    }
    assert_eq!(
        files_below(&root.join("1")),
        ["notes.txt", "signals/prices.arrow"]
    );
}

#[test]
fn a_directory_of_others_is_refused() {
    let foreign: [&[(&str, &str)]; 6] = [
        &[("train.csv", "a,b\n")],
        &[("1/prices.arrow", "theirs")],
        &[("manifest.json", "{\"name\": \"app\", \"format\": 1}")],
        &[("lock", "12345\n")],
        &[("lock", ""), ("1/x", "")],
        &[("lock", ""), ("manifest.json", "")],
    ];
    for files in foreign {
        let bench = Bench::new();
        let one = bench.file("1.csv", PRICES);
        let root = bench.workspace().join("dataset");
        for (file, content) in files {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let before = files_below(&root);
        let error = bench.load(&[], &[&one], &[]).unwrap_err().to_string();
        assert!(error.contains("is not hindsight's"), "{error}");
        assert!(error.contains("--data ./hindsight-data"), "{error}");
        assert_eq!(files_below(&root), before);
        for (file, content) in files {
            assert_eq!(std::fs::read_to_string(root.join(file)).unwrap(), *content);
        }
    }
}

#[test]
fn nothing_new_writes_nothing() {
    let bench = Bench::new();
    let (one, two) = (bench.file("1.csv", PRICES), bench.file("2.csv", MORE));
    assert!(bench.load(&[], &[&one], &[]).unwrap().is_new);
    let written = |bench: &Bench| {
        let root = bench.workspace().join("dataset");
        let files = files_below(&root);
        let all = files.into_iter().filter(|file| file != "lock");
        all.map(|file| {
            let metadata = std::fs::metadata(root.join(&file)).unwrap();
            (file, metadata.modified().unwrap())
        })
        .collect::<Vec<_>>()
    };
    let before = written(&bench);
    let again = bench.load(&[], &[&one], &[]).unwrap();
    assert_eq!((again.is_new, again.generation), (false, 1));
    assert_eq!(written(&bench), before);
    let more = bench.load(&[], &[&one, &two], &[]).unwrap();
    assert_eq!((more.is_new, more.generation), (true, 2));
}

#[test]
fn every_byte_that_changes_is_found() {
    let bench = Bench::new();
    let one = bench.file("1.csv", PRICES);
    let signals = bench.file("s.csv", "id,timestamp,token_address\na,2025-01-01,T\n");
    bench.load(&[&signals], &[&one], &[]).unwrap();
    let verify = || Dataset::verify(&bench.workspace(), &|| false).unwrap();
    let whole = verify();
    assert_eq!((whole.damage, whole.digests), (vec![], 5));
    let root = bench.workspace().join("dataset");
    for file in files_below(&root) {
        let path = root.join(&file);
        let bytes = std::fs::read(&path).unwrap();
        for (position, bit) in (0..bytes.len()).zip((0..8).cycle()) {
            let mut changed = bytes.clone();
            changed[position] ^= 1 << bit;
            std::fs::write(&path, &changed).unwrap();
            let damage = verify().damage;
            assert!(
                damage.iter().any(|damage| damage.path == path),
                "{file}: byte {position}: {damage:?}"
            );
        }
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(verify().damage.iter().any(|damage| damage.path == path));
        std::fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(verify().damage, []);
}

#[test]
fn one_load_at_a_time() {
    let bench = Bench::new();
    let one = bench.file("1.csv", PRICES);
    let writer = crate::dataset::GenerationWriter::begin(&bench.workspace()).unwrap();
    let error = bench.load(&[], &[&one], &[]).unwrap_err().to_string();
    assert!(
        error.ends_with("another process is loading into it; try again when it has finished"),
        "{error}"
    );
    drop(writer);
    bench.load(&[], &[&one], &[]).unwrap();
}

#[test]
fn a_damaged_dataset_is_an_error() {
    let bench = Bench::new();
    let one = bench.file("1.csv", PRICES);
    bench.load(&[], &[&one], &[]).unwrap();
    let generation = bench.workspace().join("dataset/1");
    for file in ["prices.arrow", "tokens.arrow", "signals.arrow"] {
        let path = generation.join(file);
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 5, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = Dataset::open(&bench.workspace()).unwrap_err().to_string();
            assert!(error.contains(file), "{error}");
        }
        std::fs::write(&path, &whole).unwrap();
    }
    bench.open();
    std::fs::remove_file(generation.join("prices.arrow")).unwrap();
    assert!(Dataset::open(&bench.workspace()).is_err());
}

#[test]
fn a_workspace_that_cannot_be_written_is_an_error() {
    let bench = Bench::new();
    let one = bench.file("1.csv", PRICES);
    std::fs::write(bench.workspace(), "a file").unwrap();
    let error = bench.load(&[], &[&one], &[]).unwrap_err().to_string();
    assert!(error.contains("cannot be written"), "{error}");
    std::fs::remove_file(bench.workspace()).unwrap();
    bench.load(&[], &[&one], &[]).unwrap();
    let root = bench.workspace().join("dataset");
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o555)).unwrap();
    let loaded = bench.load(&[], &[&one], &[]);
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    // The superuser may write everywhere.
    if let Err(error) = loaded {
        assert!(error.to_string().contains("cannot be written"), "{error}");
    }
    assert_eq!(prices_of(&bench.open(), "T").0, [(0, 1)]);
}

/// Asks to stop after so many questions.
struct StopAfter(AtomicUsize);

impl Progress for StopAfter {
    fn begin(&self, _: Phase, _: u64) {}
    fn advance(&self, _: Phase, _: u64) {}
    fn should_stop(&self) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_err()
    }
}

#[test]
fn a_load_can_be_stopped_at_any_time() {
    let bench = Bench::new();
    let one = bench.file("1.csv", PRICES);
    let request = LoadRequest {
        prices: vec![one],
        ..LoadRequest::default()
    };
    let mut questions = 0;
    while let Err(error) = load(
        &bench.workspace(),
        &request,
        &StopAfter(AtomicUsize::new(questions)),
    ) {
        assert_eq!(error.to_string(), "cancelled");
        assert_eq!(files_below(&bench.workspace()), ["dataset/lock"]);
        questions += 1;
    }
    assert!(questions > 1);
    assert_eq!(bench.open().generation, 1);
}
