//! Live settings that are applied while the process is killed: all of them with their history row,
//! or none.

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

    let mut killer = Killer::new(name, took);
    let (mut current, mut history) = (1, state.rows(HISTORY));
    let mut applied_and_killed = 0;
    while killer.next_round().is_some() {
        let target = 1 - current;
        let ended = killer.kill(&mut apply(&runs[target]));
        let (live, rows) = (state.rows(LIVE), state.rows(HISTORY));
        if let Some(output) = &ended {
            assert!(output.status.success(), "{}", text(&output.stderr));
            assert_eq!(live, lives[target], "acknowledged settings are lost");
        }
        if live == lives[target] {
            applied_and_killed += u32::from(ended.is_none());
            history.push(format!("{},true", runs[target]));
            current = target;
        } else {
            assert_eq!(live, lives[current], "settings are half applied");
        }
        assert_eq!(rows, history);
    }
    eprintln!("{name}: {applied_and_killed} were killed when they had applied the settings");
}
