//! The unit by which systemd runs the server.

use std::process::Command;

use super::Outcome;
use super::page::deploy;

#[test]
fn cli_serve_unit_is_one_that_systemd_knows() -> Outcome {
    let unit = deploy("hindsight.service")?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("hindsight.service");
    let program = env!("CARGO_BIN_EXE_hindsight");
    std::fs::write(&file, unit.replace("/usr/local/bin/hindsight", program))?;
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&file)
        .output()?;
    // What it does not know it says, and goes on.
    let said = super::text(&verified.stderr) + &super::text(&verified.stdout);
    let of_ours = |line: &&str| line.contains("hindsight.service");
    let said: Vec<&str> = said.lines().filter(of_ours).collect();
    assert!(verified.status.success() && said.is_empty(), "{said:?}");
    Ok(())
}
