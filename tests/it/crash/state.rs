//! What is written to the state: kept once it is acknowledged, and never in part, whoever is killed
//! and whoever else writes.

use std::collections::BTreeSet;

use super::*;
use crate::postgres::Postgres;

/// A workspace with its state, in it or in a database.
pub(super) struct State {
    pub(super) workspace: TempDir,
    url: Option<String>,
}

impl State {
    pub(super) fn in_sqlite() -> Self {
        Self {
            workspace: crate::cli::workspace().unwrap(),
            url: None,
        }
    }

    pub(super) fn in_postgres() -> Self {
        let state = Self {
            workspace: crate::cli::workspace().unwrap(),
            url: Some(Postgres::shared().trading_database("state").url()),
        };
        done(&mut state.command(&["query", &insert("first")]));
        assert!(!state.workspace.path().join("state.sqlite").exists());
        state
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = hindsight(self.workspace.path());
        if let Some(url) = &self.url {
            command.env("HINDSIGHT_STATE", url);
        }
        command.args(arguments);
        command
    }

    /// The rows of a query without their header, fields between commas.
    pub(super) fn rows(&self, sql: &str) -> Vec<String> {
        let (csv, _) = done(&mut self.command(&["query", sql, "--format", "csv"]));
        csv.lines().skip(1).map(str::to_owned).collect()
    }

    /// The names of the scenarios that begin so.
    fn scenarios(&self, beginning: &str) -> BTreeSet<String> {
        let sql = format!("select name from scenarios where name like '{beginning}%'");
        self.rows(&sql).into_iter().collect()
    }

    /// A file of statements in the workspace.
    fn script(&self, name: &str, statements: impl Iterator<Item = String>) -> String {
        let path = self.workspace.path().join(name);
        let script: Vec<_> = statements.collect();
        std::fs::write(&path, script.join(";\n")).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn insert(name: &str) -> String {
    format!("insert into scenarios (name, stop_loss_percent) values ('{name}', 12)")
}

#[test]
fn crash_writing_scenarios_in_sqlite() {
    kill_writers("crash_writing_scenarios_in_sqlite", &State::in_sqlite());
}

#[test]
fn crash_writing_scenarios_in_postgres() {
    kill_writers("crash_writing_scenarios_in_postgres", &State::in_postgres());
}

fn kill_writers(name: &'static str, state: &State) {
    const SINGLE: usize = 60;
    let script = |round: &str| {
        let single = (0..SINGLE).map(|n| insert(&format!("{round} single {n:02}")));
        let begin = ["begin".to_owned()].into_iter();
        let together = (0..10).map(|n| insert(&format!("{round} together {n}")));
        let statements = single.chain(begin).chain(together);
        state.script("script.sql", statements.chain(["commit".to_owned()]))
    };
    let path = script("undisturbed");
    let (_, took) = done(&mut state.command(&["query", "-f", &path]));
    let mut killer = Killer::new(name, took);
    while let Some(round) = killer.next_round() {
        let path = script(&format!("round {round}"));
        let errors = state.workspace.path().join("errors");
        let said = std::fs::File::create(&errors).unwrap();
        let ended = killer.kill_saying(&mut state.command(&["query", "-f", &path]), said.into());
        // Every statement that wrote says so once it has.
        let errors = std::fs::read_to_string(errors).unwrap();
        let acknowledged = errors.matches("1 row written").count();
        let single = state.scenarios(&format!("round {round} single"));
        let together = state.scenarios(&format!("round {round} together"));
        let expected = (0..single.len()).map(|n| format!("round {round} single {n:02}"));
        assert_eq!(single, expected.collect(), "not in their order");
        assert!(
            (acknowledged.min(SINGLE)..=acknowledged + 1).contains(&single.len()),
            "{acknowledged} acknowledged, {} kept",
            single.len()
        );
        match ended {
            Some(output) => {
                assert!(output.status.success(), "{errors}");
                assert_eq!((single.len(), together.len()), (SINGLE, 10));
            }
            None => assert!([0, 10].contains(&together.len()), "{together:?}"),
        }
    }
}

#[test]
fn together_writing_scenarios() {
    for state in [State::in_sqlite(), State::in_postgres()] {
        let writers = ["one", "two", "three"].map(|writer| {
            let path = state.script(
                &format!("{writer}.sql"),
                (0..40).map(|n| insert(&format!("{writer} {n:02}"))),
            );
            let mut command = state.command(&["query", "-f", &path]);
            let child = command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn();
            (writer, child.unwrap())
        });
        let mut before = 0;
        while before < 120 {
            let found = state.rows("select count(*) from scenarios where name <> 'first'");
            let now: u64 = found[0].parse().unwrap();
            assert!(now >= before, "{before} scenarios, then {now}");
            before = now;
            std::thread::sleep(Duration::from_millis(20));
        }
        for (writer, child) in writers {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stderr));
            let expected: BTreeSet<_> = (0..40).map(|n| format!("{writer} {n:02}")).collect();
            assert_eq!(state.scenarios(&format!("{writer} ")), expected);
        }
    }
}
