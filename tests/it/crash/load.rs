//! A load that is killed leaves the old history or the new one, whole.

use std::process::Command;

use super::*;
use crate::postgres::Postgres;

#[test]
fn crash_load_of_files() {
    let files = Files::get();
    kill_loads("crash_load_of_files", |workspace| files.load(workspace));
}

#[test]
fn crash_load_of_a_database() {
    let database = Postgres::shared().database("source");
    database.execute(
        "create table signals as select 's' || n as id, '2025-01-01'::timestamptz + n * interval \
            '30 minutes' as timestamp, 'T' || n % 7 as token_address, 50 as score \
            from generate_series(1, 500) as n; \
         create table token_prices as select 'T' || n % 7 as token_address, \
            '2025-01-01'::timestamptz + n * interval '2 seconds' as timestamp, n % 1000 as price \
            from generate_series(1, 400000) as n; \
         create table trade_outcomes as select id as signal_id, timestamp as entry_timestamp, \
            timestamp as exit_timestamp, 0.1 as realized_pnl_sol from signals",
    );
    kill_loads("crash_load_of_a_database", |workspace| {
        let mut command = hindsight(workspace);
        command.args(["load", "--from", &database.url()]);
        command
    });
}

fn kill_loads(name: &'static str, load: impl Fn(&Path) -> Command) {
    let prepared = || {
        let workspace = tempfile::tempdir().unwrap();
        load_tiny(workspace.path());
        workspace
    };
    let mut workspace = prepared();
    let before = (fingerprint(workspace.path()), digest(workspace.path()));
    let whole = prepared();
    let (_, took) = done(&mut load(whole.path()));
    let after = (fingerprint(whole.path()), digest(whole.path()));
    assert_ne!(before, after);

    let mut killer = Killer::new(name, took);
    while killer.next_round().is_some() {
        let ended = killer.kill(&mut load(workspace.path()));
        let opened = Instant::now();
        let found = (fingerprint(workspace.path()), digest(workspace.path()));
        let took = opened.elapsed();
        assert!(took < Duration::from_secs(5), "opened in {took:?}");
        match ended {
            Some(output) => {
                assert!(output.status.success(), "{}", text(&output.stderr));
                assert_eq!(found, after, "an acknowledged load is lost");
            }
            None => assert!(found == before || found == after, "{found:?}"),
        }
        // Else the next one meets what this one left.
        if found == after {
            workspace = prepared();
        }
    }
    done(&mut load(workspace.path()));
    assert_eq!(fingerprint(workspace.path()), after.0);
    let left = dataset_files(workspace.path());
    assert_eq!(left.len(), 2 + 5, "{left:?}");
}
