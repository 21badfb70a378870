//! A demo from its beginning to its end, and interrupted.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Outcome, failure, hindsight, stdout};

#[test]
fn cli_demo_runs_end_to_end() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    let demo = stdout(&workspace, &["demo", "--days", "2"])?;
    assert!(
        demo.starts_with("2025-01-01 to 2025-01-02 · dataset "),
        "{demo}"
    );
    assert!(demo.contains(" metric "), "{demo}");
    assert!(
        demo.contains("The trades that would have changed most"),
        "{demo}"
    );
    assert_eq!(
        demo,
        stdout(&workspace, &["demo", "--days", "2"])?,
        "a second demo"
    );
    // The same history and settings, so the same comparison.
    assert_eq!(
        demo,
        stdout(&workspace, &["run", "--set", "start_date=2025-01-01"])?
    );

    let (code, errors) = failure(&workspace, &["demo", "--days", "3"])?;
    assert_eq!(code, Some(3));
    assert!(
        errors.contains("holds another demo already: --seed 6 --days 2"),
        "{errors}"
    );

    let run = ["run", "--set", "stop_loss_percent=12", "--format", "ndjson"];
    let row: serde_json::Value = serde_json::from_str(&stdout(&workspace, &run)?)?;
    assert_eq!(row["stop_loss_percent"].to_string(), "12.0");
    let (code, errors) = failure(&workspace, &["run", "--set", "stop_los=12"])?;
    assert_eq!(code, Some(1));
    assert!(errors.contains("has no argument stop_los\nhint: did you mean stop_loss_percent?"));

    let sweep = [
        "sweep",
        "--set",
        "stop_loss_percent=8,12",
        "--set",
        "score_threshold=60:90:10",
    ];
    let rows = stdout(&workspace, &[&sweep[..], &["--format", "csv"]].concat())?;
    assert_eq!(rows.lines().count(), 1 + 2 * 4);
    let totals = rows.lines().skip(1).map(|row| {
        let total = row.split(',').nth(4).unwrap_or_default();
        total.parse::<f64>().unwrap_or(f64::NAN)
    });
    assert!(
        totals.collect::<Vec<_>>().is_sorted_by(|a, b| a >= b),
        "{rows}"
    );
    Ok(())
}

#[test]
fn cli_interrupted_demo_leaves_nothing() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    let mut child = hindsight(&workspace)
        .args(["demo", "--days", "3650"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !workspace.join("demo/token_prices.parquet").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let pressed = Instant::now();
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()?;
    assert!(kill.success());
    let status = child.wait()?;
    let took = pressed.elapsed();
    let mut errors = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut errors)?;
    }
    assert_eq!(status.code(), Some(130), "{errors}");
    assert_eq!(errors, "error: cancelled\n");
    assert!(!workspace.exists());
    // Half a second is promised; machines that test are slower than those that trade.
    assert!(took < Duration::from_secs(2), "{took:?}");
    Ok(())
}

#[test]
fn cli_interrupted_load_changes_nothing() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    stdout(&workspace, &["demo", "--days", "1"])?;
    let fingerprint = || std::fs::read_to_string(workspace.join("dataset/manifest.json"));
    let before = fingerprint()?;

    // A pipe that nobody writes to keeps the load reading until it is interrupted.
    let pipe = directory.path().join("prices.csv");
    if !Command::new("mkfifo").arg(&pipe).status()?.success() {
        return Ok(());
    }
    let mut child = hindsight(&workspace)
        .arg("load")
        .arg("--prices")
        .arg(&pipe)
        .stderr(Stdio::null())
        .spawn()?;
    std::thread::sleep(Duration::from_millis(500));
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()?;
    assert!(kill.success());
    assert_eq!(child.wait()?.code(), Some(130));
    assert_eq!(fingerprint()?, before);
    stdout(&workspace, &["demo", "--days", "1"])?;
    Ok(())
}
