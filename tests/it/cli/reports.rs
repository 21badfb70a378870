//! Ready-made questions: each is listed with its question, and answers it over a demo.

use super::{Outcome, failure, stdout};

#[test]
fn cli_every_report_answers_its_question() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    stdout(&workspace, &["demo", "--days", "6"])?;
    let list = stdout(&workspace, &["query", "--report", "--format", "csv"])?;
    let names: Vec<&str> = list
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next())
        .collect();
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/queries/reports"))?;
    assert_eq!(names.len(), files.count(), "{list}");
    let query = ["query", "--format", "csv", "--set", "start_date=2025-01-01"];
    for name in names {
        let answer = |more: &[&str]| {
            stdout(
                &workspace,
                &[&query[..], &["--report", name], more].concat(),
            )
        };
        let plain = answer(&[])?;
        // A question about limits has no answer without any.
        let more = match name {
            "limits" => ["--set", "max_open_positions=2"],
            "capital" => ["--set", "base_position_sol=0.2"],
            _ => ["--set", "stop_loss_percent=8"],
        };
        let set = answer(&more)?;
        assert!(set.lines().count() > 1, "{name}: {set}");
        assert_ne!(plain, set, "{name}");
        assert_eq!(plain.lines().next(), set.lines().next(), "{name}");
    }
    let (code, errors) = failure(&workspace, &["query", "--report", "wallet"])?;
    assert_eq!(code, Some(2));
    assert!(errors.contains("the reports are wallets, "), "{errors}");
    Ok(())
}

#[test]
fn cli_calibrate_and_run_say_how_far_to_believe_them() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    let demo = stdout(&workspace, &["demo", "--days", "6"])?;
    assert!(
        demo.contains("95 % interval of the difference, resampled by "),
        "{demo}"
    );
    let calibration = stdout(&workspace, &["calibrate", "--set", "start_date=2025-01-01"])?;
    assert!(
        calibration.contains("trades that were really made and are closed"),
        "{calibration}"
    );
    assert!(calibration.contains("size and costs"), "{calibration}");
    let trades = [
        "calibrate",
        "--trades",
        "--set",
        "start_date=2025-01-01",
        "--format",
        "csv",
    ];
    let trades = stdout(&workspace, &trades)?;
    let row = [
        "calibrate",
        "--set",
        "start_date=2025-01-01",
        "--format",
        "csv",
    ];
    let row = stdout(&workspace, &row)?;
    let count = row
        .lines()
        .nth(1)
        .and_then(|row| row.split(',').next())
        .unwrap_or_default();
    assert_eq!(count, (trades.lines().count() - 1).to_string());

    let run = [
        "run",
        "--set",
        "stop_loss_percent=12",
        "--set",
        "start_date=2025-01-01",
        "--format",
    ];
    stdout(&workspace, &[&run[..], &["json"]].concat())?;
    let stored = "select b.interval_lower_sol = i.lower_sol and b.interval_upper_sol = i.upper_sol \
                  from backtests b, pnl_interval(start_date => '2025-01-01', stop_loss_percent => 12) i \
                  where i.method = b.interval_method";
    let stored = stdout(&workspace, &["query", stored, "--format", "csv"])?;
    assert_eq!(stored.lines().nth(1), Some("true"), "{stored}");
    Ok(())
}

#[test]
fn cli_the_best_of_a_sweep_is_stored_with_how_many_were_tried() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    stdout(&workspace, &["demo", "--days", "6"])?;
    let sweep = [
        "sweep",
        "--set",
        "start_date=2025-01-01",
        "--set",
        "stop_loss_percent=8,12,15",
        "--store",
        "--format",
        "csv",
    ];
    let rows = stdout(&workspace, &sweep)?;
    let stored = "select combinations_tried, simulated_total_pnl_sol, walk_forward_efficiency is null \
                  from backtests";
    let stored = stdout(&workspace, &["query", stored, "--format", "csv"])?;
    let stored: Vec<&str> = stored
        .lines()
        .nth(1)
        .unwrap_or_default()
        .split(',')
        .collect();
    let best = rows.lines().nth(1).and_then(|row| row.split(',').nth(4));
    assert_eq!(stored, ["3", best.unwrap_or_default(), "true"], "{rows}");
    let walk = [
        "walk-forward",
        "--set",
        "start_date=2025-01-01",
        "--set",
        "stop_loss_percent=8,12",
    ];
    let days = ["--train-days", "3", "--test-days", "2", "--format", "csv"];
    let walked = stdout(&workspace, &[&walk[..], &days].concat())?;
    assert_eq!(walked.lines().count(), 1 + 2, "{walked}");
    Ok(())
}

#[test]
fn cli_report_has_the_sweep_that_it_is_told_of() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    stdout(&workspace, &["demo", "--days", "3"])?;
    let report = |sweep: &[&str]| {
        let sweep = sweep.iter().flat_map(|values| ["--sweep", values]);
        let arguments: Vec<&str> = ["report", "-o", "-"].into_iter().chain(sweep).collect();
        stdout(&workspace, &arguments)
    };
    let (plain, with) = (
        report(&[])?,
        report(&["score_threshold=60:90:1", "stop_loss_percent=5:25:1"])?,
    );
    // Its 651 combinations are in it.
    assert!(
        with.len() > plain.len() + 5_000,
        "{} {}",
        plain.len(),
        with.len()
    );
    let many = [
        "--sweep",
        "stop_loss_percent=1:50:0.1",
        "--sweep",
        "score_threshold=1:99:1",
    ];
    let (code, errors) = failure(&workspace, &[&["report", "-o", "-"][..], &many].concat())?;
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("at most 10000 combinations"), "{errors}");
    let (_, errors) = failure(
        &workspace,
        &["report", "-o", "-", "--sweep", "stop_los_percent=1,2"],
    )?;
    assert!(errors.contains("stop_loss_percent"), "{errors}");
    Ok(())
}
