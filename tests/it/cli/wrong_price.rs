//! One price that is wrong: what is said of it, and what can be asked nevertheless.

use super::*;

/// A history of two trades, of which one meets a price that is 10^18 times too high.
fn loaded() -> Result<tempfile::TempDir, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str, lines: &[&str]| -> std::io::Result<String> {
        let path = folder.path().join(name);
        std::fs::write(&path, lines.join("\n"))?;
        Ok(path.display().to_string())
    };
    let signals = file(
        "signals.csv",
        &[
            "id,timestamp,token_address,wallet_score,token_metrics,liquidity,holder_distribution,momentum",
            "bad,2025-01-01T00:00:00Z,Leaping,1,1,1,1,1",
            "good,2025-01-01T00:00:00Z,Falling,1,1,1,1,1",
        ],
    )?;
    let prices = file(
        "prices.csv",
        &[
            "token_address,timestamp,price",
            "Leaping,2025-01-01T00:00:00Z,0.000000001",
            "Leaping,2025-01-01T00:01:00.5Z,1000000000",
            "Leaping,2025-01-01T00:02:00Z,0.000000001",
            "Falling,2025-01-01T00:00:00Z,100",
            "Falling,2025-01-01T00:01:00Z,85",
        ],
    )?;
    stdout(
        &folder.path().join("data"),
        &["load", "--signals", &signals, "--prices", &prices],
    )?;
    Ok(folder)
}

#[test]
fn a_trade_that_does_not_fit_is_named() -> Outcome {
    let folder = loaded()?;
    let workspace = folder.path().join("data");
    let named = "error: the trade on signal bad in Leaping does not fit numeric(20,9): 0.15 SOL \
                 bought at 0.000000001 (2025-01-01T00:00:00Z) meet a price of 1000000000 \
                 (2025-01-01T00:01:00.500Z)";
    let hint = "\nhint: the price looks wrong: ";
    for arguments in [&["run"][..], &["run", "--no-store", "--format", "csv"]] {
        let (code, said) = failure(&workspace, arguments)?;
        assert_eq!(code, Some(1), "{said}");
        // Alone: what else the history warns of would hide it.
        assert!(said.starts_with(&format!("{named}{hint}")), "{said}");
    }
    let grid = [
        "stop_loss_percent=5,10",
        "exit_strategy=trailing_stop,time_based",
    ];
    let sweep = ["sweep", "--set", grid[0], "--set", grid[1]];
    let (code, said) = failure(&workspace, &sweep)?;
    assert_eq!(code, Some(1), "{said}");
    let of = format!("{named}, with exit_strategy trailing_stop, stop_loss_percent ");
    assert!(said.contains(&of) && said.contains(hint), "{said}");
    for function in ["simulate_trades", "compare_trades", "equity_curve"] {
        let sql = format!("select * from {function}()");
        let (code, said) = failure(&workspace, &["query", &sql])?;
        assert_eq!(code, Some(1), "{said}");
        let expected = "0.15 SOL bought at 0.000000001 meet a price of 900000000";
        assert!(said.contains(expected) && said.contains(hint), "{said}");
    }
    // Where the trade ends before it gains anything, there is nothing wrong with it.
    let sql = "select simulated_total_trades from backtest(exit_strategy => 'time_based')";
    let found = stdout(&workspace, &["query", sql, "--format", "csv"])?;
    assert_eq!(found, "simulated_total_trades\n2\n");
    Ok(())
}
