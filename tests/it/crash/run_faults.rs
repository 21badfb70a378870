//! Every call by which a run that is stored changes the disk fails once, from then on, or is the last:
//! it is there with all its rows, or is said to have none, and the next one is stored. Of calls that come
//! often some are taken, all of them where each part has at least 200 kills.

use super::faults::{EIO, ENOSPC, Fault, library};
use super::runs::check_rows;
use super::*;

/// The calls, each with how it can go wrong, and of how many one does.
const FAULTS: &[(&str, &[Fault], usize)] = &[
    (
        "write",
        &[Fault::Once(EIO), Fault::FromThen(ENOSPC), Fault::Killed],
        11,
    ),
    (
        "fsync",
        &[Fault::Once(EIO), Fault::FromThen(EIO), Fault::Killed],
        3,
    ),
    ("rename", &[Fault::Once(EIO), Fault::Killed], 1),
    ("mkdir", &[Fault::Once(ENOSPC), Fault::Killed], 1),
];

#[test]
fn crash_faults_of_a_run() {
    let Some(library) = library() else {
        return;
    };
    let prepared = tempfile::tempdir().unwrap();
    load_tiny(prepared.path());
    done(hindsight(prepared.path()).args(["run", "--label", "before"]));
    let mut places = 0;
    for (call, faults, step) in FAULTS {
        for fault in *faults {
            let calls = (1..).step_by(if kills() < 200 { *step } else { 1 });
            let made =
                calls.take_while(|at| one_fault(library, prepared.path(), call, *fault, *at));
            places += made.count();
        }
    }
    assert!(places > 0);
    eprintln!("crash_faults_of_a_run: {places} faults");
}

/// Whether the call was made so often.
fn one_fault(library: &Path, prepared: &Path, call: &str, fault: Fault, at: u64) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let workspace = directory.join("above/workspace");
    crate::files::copy(prepared, &workspace);
    let mut run = hindsight(&workspace);
    fault.inject(&mut run, library, call, at, &directory);
    let output = run.args(["run", "--label", "met"]).output().unwrap();

    let said = text(&output.stderr);
    let what = format!("{call} {at}, {fault:?}: {said}");
    match output.status.code() {
        Some(0) => {}
        Some(code) => {
            assert_eq!(code, 3, "{what}");
            assert!(said.contains("error: "), "{what}");
        }
        None => assert!(matches!(fault, Fault::Killed), "{what}"),
    }
    // What was stored before is there, and the next one is.
    done(hindsight(&workspace).args(["run", "--label", "after"]));
    let found = check_rows(&workspace);
    let status = |label: &str| {
        found
            .iter()
            .find(|(of, _)| of == label)
            .map(|(_, s)| s.as_str())
    };
    assert_eq!(status("before"), Some("completed"), "{what}");
    assert_eq!(status("after"), Some("completed"), "{what}");
    match output.status.code() {
        Some(0) => assert_eq!(status("met"), Some("completed"), "{what}"),
        _ => assert!(
            matches!(
                status("met"),
                None | Some("completed" | "failed" | "interrupted")
            ),
            "{what}: {found:?}"
        ),
    }
    let verified = hindsight(&workspace).args(["status", "--verify"]).output();
    let verified = verified.unwrap();
    assert!(
        verified.status.success(),
        "{what}: {}",
        text(&verified.stderr)
    );
    directory.join("note").exists()
}
