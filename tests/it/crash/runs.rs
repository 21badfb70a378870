//! A run that is killed is interrupted, and says so; one that is completed has all its rows.

use super::state::State;
use super::*;

/// What a run claims to have, and what there is of it.
const RUNS: &str = "\
    select r.label, r.status, \
        coalesce(r.simulated_total_trades, 0) as trades, coalesce(r.total_signals, 0) as signals, \
        coalesce(t.n, 0) as trade_rows, coalesce(c.n, 0) as comparison_rows, \
        coalesce(e.n, 0) as curve_rows \
    from backtests as r \
    left join (select backtest_id, count(*) as n from simulated_trades group by 1) as t \
        on t.backtest_id = r.id \
    left join (select backtest_id, count(*) as n from trade_comparisons group by 1) as c \
        on c.backtest_id = r.id \
    left join (select backtest_id, count(*) as n from equity_curves group by 1) as e \
        on e.backtest_id = r.id";

#[test]
fn crash_runs_in_sqlite() {
    kill_runs("crash_runs_in_sqlite", &State::in_sqlite());
}

#[test]
fn crash_runs_in_postgres() {
    kill_runs("crash_runs_in_postgres", &State::in_postgres());
}

fn kill_runs(name: &'static str, state: &State) {
    done(&mut Files::get().load(state.workspace.path()));
    let run = |label: &str| {
        let call = format!("call run_backtest(label => '{label}', start_date => '2025-01-01')");
        state.command(&["query", &call, "--format", "csv"])
    };
    let (_, took) = done(&mut run("undisturbed"));
    let whole = status_of(state, "undisturbed").unwrap();
    assert_eq!(whole.0, "completed");
    let mut killer = Killer::new(name, took);
    while let Some(round) = killer.next_round() {
        let label = format!("round {round}");
        let ended = killer.kill(&mut run(&label));
        let found = status_of(state, &label);
        match (&ended, &found) {
            (Some(output), _) if !output.status.success() => {
                panic!("{label}: {}", text(&output.stderr))
            }
            (Some(_), Some((status, _))) => assert_eq!(status, "completed", "{label}"),
            (Some(_), None) => panic!("{label}: an acknowledged run is lost"),
            // Killed before it began, in the middle, or after it was stored.
            (None, None) => {}
            (None, Some((status, _))) => {
                assert!(
                    ["completed", "interrupted"].contains(&status.as_str()),
                    "{label}: {status}"
                );
            }
        }
        if let Some((status, rows)) = found {
            let expected = match status.as_str() {
                "completed" => whole.1.clone(),
                _ => vec![0; 5],
            };
            assert_eq!(rows, expected, "{label} is {status}");
        }
    }
    let by_status = "select status, count(*) from backtests group by 1 order by 1";
    eprintln!("{name}: {}", state.rows(by_status).join("; "));
    let under_way = "select count(*) from backtest_progress";
    assert_eq!(state.rows(under_way), ["0"]);
    // What was begun and interrupted has its reason.
    let unexplained = "select label from backtests \
                       where (status = 'completed') <> (error_message is null)";
    assert_eq!(state.rows(unexplained), [""; 0]);
    done(&mut run("afterwards"));
    assert_eq!(status_of(state, "afterwards"), Some(whole));
}

/// The label and the status of every run, of which those that are completed have all their rows.
pub(super) fn check_rows(workspace: &Path) -> Vec<(String, String)> {
    let (csv, _) = done(hindsight(workspace).args(["query", RUNS, "--format", "csv"]));
    let rows = csv.lines().skip(1).map(|row| {
        let fields: Vec<_> = row.split(',').collect();
        let [
            label,
            status,
            trades,
            signals,
            trade_rows,
            comparisons,
            curve,
        ] = fields[..]
        else {
            panic!("{row}");
        };
        match status {
            "completed" => assert_eq!((trade_rows, comparisons, curve), (trades, signals, signals)),
            _ => assert_eq!((trade_rows, comparisons, curve), ("0", "0", "0"), "{row}"),
        }
        (label.to_owned(), status.to_owned())
    });
    rows.collect()
}

/// The status of the run with this label, and its numbers of [`RUNS`].
fn status_of(state: &State, label: &str) -> Option<(String, Vec<u64>)> {
    let rows = state.rows(&format!("{RUNS} where r.label = '{label}'"));
    assert!(rows.len() < 2, "{rows:?}");
    let mut fields = rows.first()?.split(',').skip(1);
    let status = fields.next().unwrap().to_owned();
    let numbers: Vec<u64> = fields.map(|field| field.parse().unwrap()).collect();
    // Claimed and present.
    let [trades, signals, trade_rows, comparisons, curve] = numbers[..] else {
        panic!("{rows:?}");
    };
    if status == "completed" {
        assert_eq!(
            (trade_rows, comparisons, curve),
            (trades, signals, signals),
            "{label}"
        );
        assert!(trades > 0);
    }
    Some((status, numbers))
}

#[test]
fn together_running() {
    let state = State::in_sqlite();
    done(&mut Files::get().load(state.workspace.path()));
    let run = |label: &str| {
        let call = format!("call run_backtest(label => '{label}', start_date => '2025-01-01')");
        let mut command = state.command(&["query", &call]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        child.unwrap()
    };
    let labels = ["one", "two", "three", "four"];
    let runs = labels.map(run);
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let found = labels.map(|label| status_of(&state, label).unwrap());
    assert!(
        found
            .iter()
            .all(|run| *run == found[0] && run.0 == "completed"),
        "{found:?}"
    );
}
