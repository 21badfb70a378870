//! How far to believe a stored run, said wherever it is met again: `history`, `compare`, and `apply`
//! before it asks.

use std::path::Path;

use serde_json::Value;

use super::{Outcome, run, stdout, text};

/// The stored run of this label.
fn stored(workspace: &Path, label: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let history = stdout(workspace, &["history", "--format", "json"])?;
    let history: Vec<Value> = serde_json::from_str(&history)?;
    let run = history.into_iter().find(|run| run["label"] == label);
    run.ok_or_else(|| format!("no run {label}").into())
}

/// What `apply` says to somebody who is not there to be asked, and that it asks.
fn asked(workspace: &Path, run_id: &Value) -> Result<String, Box<dyn std::error::Error>> {
    let id = run_id.as_str().unwrap_or_default();
    let output = run(workspace, &["apply", id])?;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let (before, _) = said
        .split_once("nobody is there to be asked")
        .ok_or("it does not ask")?;
    Ok(before.to_owned())
}

#[test]
fn cli_a_stored_run_says_how_far_to_believe_it() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    // A training of 60 days and some to test it on.
    stdout(&workspace, &["demo", "--days", "70"])?;
    let start = ["--set", "start_date=2025-01-01"];

    // A difference that may be chance.
    let chance = ["run", "--label", "chance", "--set", "slippage_percent=2.2"];
    let chance = [&chance[..], &start, &["--set", "stop_loss_percent=9"]].concat();
    let shown = stdout(&workspace, &chance)?;
    assert!(
        shown.contains("It holds 0: the difference may be chance."),
        "{shown}"
    );
    let chance = stored(&workspace, "chance")?;
    let bound = |name: &str| chance[name].as_f64().unwrap_or(f64::NAN);
    assert!(bound("interval_lower_sol") < 0.0 && bound("interval_upper_sol") > 0.0);
    let id = chance["id"].as_str().unwrap_or_default();
    assert_eq!(stdout(&workspace, &["compare", id])?, shown);
    let said = asked(&workspace, &chance["id"])?;
    let range = format!(
        "may be chance: its 95 % interval is {:.4} to +{:.4} SOL",
        bound("interval_lower_sol"),
        bound("interval_upper_sol")
    );
    assert!(said.contains(&range), "{said}\n{range}");
    assert!(!said.contains("combinations"), "{said}");

    // The best of a sweep, without and with what choosing it would have brought.
    let grid = [
        &start[..],
        &["--set", "stop_loss_percent=8,12"],
        &["--set", "score_threshold=70,80"],
    ];
    let grid = grid.concat();
    let sweep = |more: &[&str]| stdout(&workspace, &[&["sweep"][..], &grid, more].concat());
    sweep(&["--store", "--label", "best"])?;
    sweep(&["--store", "--label", "walked", "--walk-forward"])?;
    let (best, walked) = (stored(&workspace, "best")?, stored(&workspace, "walked")?);
    for stored in [&best, &walked] {
        assert_eq!(stored["combinations_tried"], 4);
        assert!(stored["deflated_sharpe_ratio"].is_number(), "{stored}");
        assert!(stored["probability_of_overfitting"].is_number(), "{stored}");
    }
    assert!(best["walk_forward_efficiency"].is_null());
    let efficiency = walked["walk_forward_efficiency"]
        .as_f64()
        .ok_or("no efficiency")?;
    let folds = [&["walk-forward"][..], &grid, &["--format", "json"]].concat();
    let folds: Vec<Value> = serde_json::from_str(&stdout(&workspace, &folds)?)?;
    let sum = |name: &str| {
        folds
            .iter()
            .filter_map(|fold| fold[name].as_f64())
            .sum::<f64>()
    };
    let [fold] = &folds[..] else {
        return Err(format!("one fold, not {}", folds.len()).into());
    };
    assert_eq!(fold["test_start"], "2025-03-02");
    // Ten days of tests over sixty of training.
    let expected = sum("test_pnl_sol") / 10.0 / (sum("train_pnl_sol") / 60.0);
    assert!(
        (efficiency - expected).abs() < 1e-9,
        "{efficiency}, {expected}"
    );

    let compared = |run: &Value| stdout(&workspace, &["compare", run["id"].as_str().unwrap_or("")]);
    let sentence = "The best of 4 combinations, deflated Sharpe ratio ";
    let of_best = compared(&best)?;
    assert!(of_best.contains(sentence), "{of_best}");
    assert!(!of_best.contains("walk-forward efficiency"), "{of_best}");
    let told = format!("walk-forward efficiency {:.0} %.", efficiency * 100.0);
    assert!(compared(&walked)?.contains(&told), "{told}");

    let said = asked(&workspace, &best["id"])?;
    assert!(
        said.contains("the best of 4 combinations, which is mostly luck, and no walk-forward says"),
        "{said}"
    );
    let said = asked(&workspace, &walked["id"])?;
    assert!(efficiency > 0.0 && !said.contains("walk"), "{said}");
    // Who only looks hears it as well.
    for (run_of, objection) in [
        (&best, "which is mostly luck"),
        (&chance, "may be chance: its 95 % interval is"),
    ] {
        let id = run_of["id"].as_str().unwrap_or_default();
        let looked = run(&workspace, &["apply", id, "--dry-run"])?;
        let said = text(&looked.stderr);
        let (warned, _) = said.split_once("Nothing was changed.").ok_or("it did")?;
        assert!(warned.contains(objection), "{said}");
    }
    // It says so, and does not refuse.
    let apply = ["apply", best["id"].as_str().unwrap_or_default(), "--yes"];
    let applied = run(&workspace, &apply)?;
    let said = text(&applied.stderr);
    assert_eq!(applied.status.code(), Some(0), "{said}");
    let (warned, _) = said
        .split_once("Applied, as ")
        .ok_or("it was not applied")?;
    assert!(warned.contains("which is mostly luck"), "{said}");
    Ok(())
}

#[test]
fn cli_a_wrong_value_is_told_with_a_right_one() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("data");
    stdout(&workspace, &["demo", "--days", "1"])?;
    let example = "such as '50@100, 25@300'";
    for (setting, expected) in [
        ("take_profit_ladder=50@", example),
        ("take_profit_ladder=@", example),
        ("take_profit_ladder=50", example),
        ("take_profit_ladder=60@10, 60@20", example),
        ("take_profit_ladder=50@300, 25@100", example),
        ("take_profit_ladder=25@100, 25@100", example),
        ("take_profit_ladder=1@1,1@2,1@3,1@4,1@5,1@6,1@7", example),
        ("take_profit_ladder=-50@100", example),
        ("take_profit_ladder=50@-100", example),
        ("take_profit_ladder=0@100", example),
        ("take_profit_ladder=50@0", example),
        ("take_profit_ladder=50%@2x", example),
        (
            "take_profit_ladder=50@100000",
            "gains below 100000, such as '50@100, 25@300'",
        ),
        ("moonbag_percent=101", "between 0 and 100, or none"),
        (
            "max_open_positions=0",
            "a whole number of 1 or more, such as 1, or none",
        ),
        (
            "max_positions_per_token=0",
            "a whole number of 1 or more, such as 1, or none",
        ),
        (
            "max_trades_per_day=0",
            "a whole number of 1 or more, such as 1, or none",
        ),
        ("max_daily_loss_sol=0", "above 0, such as 0.1, or none"),
        ("starting_balance_sol=0", "above 0, such as 1, or none"),
        ("pool_sol=0", "above 0, such as 10, or none"),
        (
            "token_cooldown_minutes=-1",
            "a whole number of 0 or more, such as 5, or none",
        ),
    ] {
        let (name, value) = setting.split_once('=').ok_or(setting)?;
        let output = run(
            &workspace,
            &[
                "run",
                "--no-store",
                "--set",
                "exit_strategy=hybrid",
                "--set",
                setting,
            ],
        )?;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{setting}: {errors}");
        let mut told = errors.lines().filter(|line| line.starts_with("error: "));
        let told = (told.next().unwrap_or_default(), told.next());
        assert_eq!(told.1, None, "{setting}: one sentence");
        assert!(
            told.0.starts_with(&format!("error: {name} must be ")),
            "{errors}"
        );
        assert!(told.0.contains(expected), "{setting}: {errors}");
        assert!(told.0.contains(value), "{setting}: {errors}");
        // A sweep, and SQL, say the same.
        let set = format!("{name}={}", value.replace(',', "/"));
        let sweep = match name {
            "take_profit_ladder" => setting,
            _ => set.as_str(),
        };
        let output = run(
            &workspace,
            &["sweep", "--set", "exit_strategy=hybrid", "--set", sweep],
        )?;
        assert!(
            text(&output.stderr).contains(told.0),
            "{setting}: {}",
            text(&output.stderr)
        );
        let sql = format!("select * from backtest(exit_strategy => 'hybrid', {name} => '{value}')");
        let output = run(&workspace, &["query", &sql])?;
        assert!(
            text(&output.stderr).contains(told.0),
            "{sql}: {}",
            text(&output.stderr)
        );
    }
    let over = [
        "run",
        "--no-store",
        "--set",
        "exit_strategy=hybrid",
        "--set",
        "moonbag_percent=20",
    ];
    let over = [&over[..], &["--set", "take_profit_ladder=60@10, 40@20"]].concat();
    let errors = text(&run(&workspace, &over)?.stderr);
    assert!(
        errors.contains("at most 80, beside a moonbag_percent of 20, such as 80@100, found"),
        "{errors}"
    );
    Ok(())
}
