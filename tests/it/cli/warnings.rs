//! What the history warns of, beside the result that it is about and only there.

use super::{Outcome, failure, run, stdout, text};

#[test]
fn what_is_wrong_with_a_call_is_said_without_warnings() -> Outcome {
    let folder = tempfile::tempdir()?;
    let workspace = folder.path().join("data");
    let file = |name: &str, lines: &[&str]| -> std::io::Result<String> {
        let path = folder.path().join(name);
        std::fs::write(&path, lines.join("\n"))?;
        Ok(path.display().to_string())
    };
    let signals = file(
        "signals.csv",
        &[
            "id,timestamp,token_address,wallet_score,token_metrics,liquidity,holder_distribution,momentum",
            "one,2025-01-01T00:00:00Z,Priced,1,1,1,1,1",
            "two,2025-01-01T00:00:00Z,Unknown,1,1,1,1,1",
        ],
    )?;
    let prices = file(
        "prices.csv",
        &[
            "token_address,timestamp,price",
            "Priced,2025-01-01T00:00:00Z,1",
        ],
    )?;
    stdout(
        &workspace,
        &["load", "--signals", &signals, "--prices", &prices],
    )?;
    for (set, problem) in [
        (
            "score_threshold=999",
            "score_threshold must be between 0 and 100",
        ),
        ("stop_loss=12", "has no argument stop_loss"),
        ("stop_loss_percent=8,10", "stop_loss_percent must be"),
    ] {
        for more in [&[][..], &["--no-store"], &["--format", "csv"]] {
            let (code, said) = failure(&workspace, &[&["run", "--set", set], more].concat())?;
            assert_eq!(code, Some(1), "{said}");
            assert!(!said.contains("warning: "), "{said}");
            assert!(said.contains(problem), "{said}");
        }
    }
    for more in [&[][..], &["--no-store"], &["--format", "csv"]] {
        let output = run(&workspace, &[&["run"], more].concat())?;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("warning: signals no_prices: "), "{said}");
    }
    Ok(())
}

#[test]
fn a_history_without_signals_has_nothing_to_backtest() -> Outcome {
    let folder = tempfile::tempdir()?;
    let workspace = folder.path().join("data");
    let prices = folder.path().join("prices.csv");
    std::fs::write(
        &prices,
        "token_address,timestamp,price\nPriced,2025-01-01T00:00:00Z,1\n",
    )?;
    let prices = prices.display().to_string();
    stdout(&workspace, &["load", "--prices", &prices])?;
    for arguments in [
        &["run"][..],
        &["run", "--no-store"],
        &["sweep", "--set", "stop_loss_percent=8,12"],
    ] {
        let (code, said) = failure(&workspace, arguments)?;
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("no signals are loaded yet"), "{said}");
        assert!(said.contains("hint: hindsight load --signals"), "{said}");
    }
    let history = stdout(&workspace, &["history", "--format", "csv"])?;
    assert_eq!(history.lines().count(), 1, "{history}");
    Ok(())
}
