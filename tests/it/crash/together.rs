//! Two processes on one workspace: writers are told who holds it, readers see one history or the
//! next, and nothing is lost.

use std::io::Write;

use super::*;

#[test]
fn together_one_load_and_many_readers() {
    let directory = tempfile::tempdir().unwrap();
    let workspace = directory.path().join("data");
    load_tiny(&workspace);
    let before = digest(&workspace);

    // A pipe holds the first load for as long as the test wants.
    let pipe = directory.path().join("prices.csv");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let mut first = hindsight(&workspace);
    first.arg("load").arg("--prices").arg(&pipe);
    let first = first.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let first = first.unwrap();
    // Opened once the first load reads it, and so has the workspace.
    let mut writer = std::fs::File::options().write(true).open(&pipe).unwrap();
    writer
        .write_all(b"token_address,timestamp,price\n")
        .unwrap();

    let second = Files::get().load(&workspace).output().unwrap();
    let said = text(&second.stderr);
    assert_eq!(second.status.code(), Some(3), "{said}");
    assert!(
        said.contains("another process is loading into it; try again when it has finished"),
        "{said}"
    );
    assert_eq!(digest(&workspace), before);

    writer.write_all(b"New,2025-01-01T00:00:00Z,1.5\n").unwrap();
    drop(writer);
    let output = first.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let prices = "select price from token_prices where token_address = 'New'";
    let found = done(hindsight(&workspace).args(["query", prices, "--format", "csv"])).0;
    assert_eq!(found, "price\n1.500000000000000000\n");

    // Readers while another load replaces the history.
    let between = digest(&workspace);
    let mut load = Files::get().load(&workspace);
    let mut load = load
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut seen = Vec::new();
    while load.try_wait().unwrap().is_none() {
        seen.push(digest(&workspace));
    }
    assert!(load.wait().unwrap().success());
    let after = digest(&workspace);
    assert_ne!(after, between);
    assert!(seen.iter().all(|seen| *seen == between || *seen == after));
}
