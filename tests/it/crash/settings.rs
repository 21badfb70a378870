//! Live settings that are applied and rolled back while the process is killed: all of them with
//! their history row, or none.

use super::state::State;
use super::*;

const LIVE: &str = "select setting_group, setting, value from live_settings";
const HISTORY: &str = "select backtest_id, rolled_back_at is null as is_in_force \
                       from settings_history order by applied_at, id";

#[test]
fn crash_settings_in_sqlite() {
    kill_applying("crash_settings_in_sqlite", &State::in_sqlite());
}

#[test]
fn crash_settings_in_postgres() {
    kill_applying("crash_settings_in_postgres", &State::in_postgres());
}

fn kill_applying(name: &'static str, state: &State) {
    load_tiny(state.workspace.path());
    // Two runs that differ in a setting of every group.
    let runs = ["12, 75, 0.2, 0.25", "20, 65, 0.3, 0.35"].map(|settings| {
        let [stop, threshold, position, weight]: [&str; 4] =
            settings.split(", ").collect::<Vec<_>>().try_into().unwrap();
        let liquidity = match weight {
            "0.25" => "0.25",
            _ => "0.15",
        };
        let call = format!(
            "select backtest_id from run_backtest(stop_loss_percent => {stop}, \
             score_threshold => {threshold}, base_position_sol => {position}, \
             wallet_score_weight => {weight}, liquidity_weight => {liquidity})"
        );
        state.rows(&call)[0].clone()
    });
    let apply = |run: &str| {
        let call = format!("call apply_settings(backtest_id => '{run}', confirm => true)");
        state.command(&["query", &call, "--format", "csv"])
    };
    let mut lives = Vec::new();
    let mut took = Duration::ZERO;
    for run in &runs {
        took = done(&mut apply(run)).1;
        lives.push(state.rows(LIVE));
    }
    let changed = lives[0].iter().zip(&lives[1]).filter(|(a, b)| a != b);
    let groups = changed.map(|(line, _)| line.split(',').next().unwrap());
    let groups: std::collections::BTreeSet<_> = groups.collect();
    assert_eq!(groups.len(), 4, "the runs differ in {groups:?}");

    let roll_back = |run: &str| {
        let newest = format!(
            "select id from settings_history where backtest_id = '{run}' \
             order by applied_at desc limit 1"
        );
        let id = state.rows(&newest)[0].clone();
        let call = format!("call rollback_settings('{id}', confirm => true)");
        state.command(&["query", &call, "--format", "csv"])
    };

    // The second run is in force: it is rolled back, and applied again, as often as it takes.
    let mut killer = Killer::new(name, took);
    let (mut in_force, mut history) = (true, state.rows(HISTORY));
    let mut done_and_killed = [0, 0];
    while killer.next_round().is_some() {
        let mut command = match in_force {
            true => roll_back(&runs[1]),
            false => apply(&runs[1]),
        };
        let ended = killer.kill(&mut command);
        let (live, rows) = (state.rows(LIVE), state.rows(HISTORY));
        let (before, after) = match in_force {
            true => (&lives[1], &lives[0]),
            false => (&lives[0], &lives[1]),
        };
        if let Some(output) = &ended {
            assert!(output.status.success(), "{}", text(&output.stderr));
            assert_eq!(&live, after, "acknowledged settings are lost");
        }
        if &live == after {
            done_and_killed[usize::from(in_force)] += u32::from(ended.is_none());
            match in_force {
                true => *history.last_mut().unwrap() = format!("{},false", runs[1]),
                false => history.push(format!("{},true", runs[1])),
            }
            in_force = !in_force;
        } else {
            assert_eq!(&live, before, "settings are half changed");
        }
        assert_eq!(rows, history);
    }
    let [applied, rolled_back] = done_and_killed;
    eprintln!(
        "{name}: {applied} were killed when they had applied the settings, {rolled_back} when they \
         had rolled them back"
    );
}
