//! The state store, once in SQLite and once in a real PostgreSQL.

use std::time::{Duration, Instant};

use hindsight::parameters::PARAMETERS;
use hindsight::records::runs::{Run, Status, Texts};
use hindsight::records::settings::Group;
use hindsight::store::{Application, Place, Store, User};
use hindsight::{Error, Role};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;

use crate::engine::block_on;
use crate::postgres::Postgres;

/// Runs a test in a new workspace with its state in SQLite, then in PostgreSQL.
fn in_both<F: Future<Output = ()>>(test: impl Fn(Place) -> F) {
    let workspace = TempDir::new().unwrap();
    block_on(test(Place::of(workspace.path(), None).unwrap()));
    assert!(workspace.path().join("state.sqlite").exists());
    let database = Postgres::shared().database("state");
    let workspace = TempDir::new().unwrap();
    block_on(test(
        Place::of(workspace.path(), Some(&database.url())).unwrap(),
    ));
}

#[test]
fn state_users_are_kept() {
    in_both(users_are_kept);
}

async fn users_are_kept(place: Place) {
    let store = Store::new(place.clone());
    assert_eq!(store.users().await.unwrap(), []);
    store.put_user("zoe", Role::Reader, "v1").await.unwrap();
    store.put_user("adam", Role::Operator, "v2").await.unwrap();
    store.put_user("zoe", Role::Analyst, "v3").await.unwrap();

    let again = Store::new(place.clone());
    let names = |users: Vec<User>| -> Vec<(String, Role, String)> {
        let short = users
            .into_iter()
            .map(|user| (user.name, user.role, user.verifier));
        short.collect()
    };
    assert_eq!(
        names(again.users().await.unwrap()),
        [
            ("adam".into(), Role::Operator, "v2".into()),
            ("zoe".into(), Role::Analyst, "v3".into())
        ]
    );
    assert_eq!(again.user("nobody").await.unwrap(), None);
    assert!(again.remove_user("zoe").await.unwrap());
    assert!(!again.remove_user("zoe").await.unwrap());
    assert_eq!(names(store.users().await.unwrap()).len(), 1);
}

#[test]
fn state_reading_makes_nothing() {
    let workspace = TempDir::new().unwrap();
    let store = Store::new(Place::of(workspace.path(), None).unwrap());
    assert_eq!(block_on(store.users()).unwrap(), []);
    assert_eq!(std::fs::read_dir(workspace.path()).unwrap().count(), 0);

    // What another process writes meanwhile is found.
    let other = Store::new(Place::of(workspace.path(), None).unwrap());
    block_on(other.put_user("zoe", Role::Reader, "v1")).unwrap();
    assert_eq!(block_on(store.users()).unwrap().len(), 1);
}

#[test]
fn state_is_at_a_url_that_is_understood() {
    let workspace = TempDir::new().unwrap();
    let wrong = Place::of(workspace.path(), Some("mysql://host/db")).unwrap_err();
    assert_eq!(wrong.exit_code(), 2);
    let nobody = Place::of(workspace.path(), Some("postgres://u:secret@127.0.0.1:1/db")).unwrap();
    let error = block_on(Store::new(nobody).users()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("postgres://u@127.0.0.1:1/db: "), "{text}");
    assert!(!text.contains("secret"), "{text}");
    assert!(matches!(error, Error::Database { .. }));
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn state_is_made_once_by_several_at_a_time() {
    in_both(|place| async move {
        let stores: Vec<Store> = (0..8).map(|_| Store::new(place.clone())).collect();
        let writes = stores
            .iter()
            .enumerate()
            .map(|(position, store)| async move {
                let name = format!("user {position}");
                store.put_user(&name, Role::Reader, "v").await
            });
        for written in futures::future::join_all(writes).await {
            written.unwrap();
        }
        let users = Store::new(place).users().await.unwrap();
        let ours = users.iter().filter(|user| user.name.starts_with("user "));
        assert_eq!(ours.count(), 8);
    });
}

#[test]
fn state_reading_makes_nothing_in_postgres() {
    let database = Postgres::shared().database("untouched");
    let workspace = TempDir::new().unwrap();
    let place = Place::of(workspace.path(), Some(&database.url())).unwrap();
    let store = Store::new(place.clone());
    assert_eq!(block_on(store.users()).unwrap(), []);
    assert!(block_on(store.runs(None)).unwrap().is_empty());
    assert!(block_on(store.scenarios()).unwrap().is_empty());
    assert!(block_on(store.settings_history()).unwrap().is_empty());
    assert!(block_on(store.live_settings()).unwrap().0.is_empty());
    let made = "select nspname || '.' || relname from pg_class as c \
                join pg_namespace as n on n.oid = c.relnamespace \
                where nspname !~ '^pg_|^information_schema$'";
    assert!(database.rows(made).is_empty());
    let schemas = "select nspname::text from pg_namespace where nspname = 'hindsight'";
    assert!(database.rows(schemas).is_empty());

    // What another process writes meanwhile is found, and nothing but our schema is made.
    let other = Store::new(place);
    block_on(other.put_user("zoe", Role::Reader, "v1")).unwrap();
    assert_eq!(block_on(store.users()).unwrap().len(), 1);
    let elsewhere = format!("{made} and nspname <> 'hindsight'");
    assert!(database.rows(&elsewhere).is_empty());
}

#[test]
fn state_is_read_by_a_role_that_may_only_read() {
    let database = Postgres::shared().trading_database("readers");
    let workspace = TempDir::new().unwrap();
    let store = |user: &str| {
        let url = database.url_of(user, "sslmode=disable");
        Store::new(Place::of(workspace.path(), Some(&url)).unwrap())
    };
    let says = |error: Error, expected: &str| {
        let text = error.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(error.hint().is_some(), "{text}");
        assert_eq!(error.exit_code(), 3, "{text}");
    };
    // There is no state yet, and the role may not make one; the live settings are not ours.
    let none = "has no state of hindsight yet, and user reader may not make one";
    says(block_on(store("reader").users()).unwrap_err(), none);
    let put = |store: Store| block_on(async move { store.put_user("a", Role::Reader, "v").await });
    says(put(store("reader")).unwrap_err(), none);
    says(
        block_on(store("reader").live_settings()).unwrap_err(),
        "user reader may not do this: permission denied for table",
    );
    database.execute("grant select on scoring_weights, system_config to reader");
    assert_eq!(
        block_on(store("reader").live_settings()).unwrap().0.len(),
        4
    );

    put(store("postgres")).unwrap();
    says(
        block_on(store("reader").users()).unwrap_err(),
        "user reader may not do this: permission denied for schema hindsight",
    );
    database.execute(
        "grant usage on schema hindsight to reader; \
         grant select on all tables in schema hindsight to reader",
    );
    assert_eq!(block_on(store("reader").users()).unwrap().len(), 1);
    assert!(block_on(store("reader").runs(None)).unwrap().is_empty());
    says(
        put(store("reader")).unwrap_err(),
        "user reader may read the state and not write it",
    );

    // Row-level security must not look like settings that are not there.
    database.execute("alter table system_config enable row level security");
    says(
        block_on(store("reader").live_settings()).unwrap_err(),
        "row-level security may hide rows from user reader",
    );
}

/// A store with a run whose settings can be applied.
async fn with_a_run(place: &Place, workspace: &std::path::Path) -> (Store, Run) {
    let store = Store::new(place.clone());
    let mut parameters = Texts::new();
    for parameter in &PARAMETERS {
        let default = parameter.default.unwrap_or("2025-01-01");
        parameters.insert(parameter.name.into(), default.into());
    }
    parameters.insert("stop_loss_percent".into(), "8".into());
    let run = Run {
        id: uuid::Uuid::now_v7().to_string(),
        scenario: None,
        label: None,
        status: Status::Running,
        started_by: "ann".into(),
        started_at: hindsight::clock::now(),
        completed_at: None,
        error_message: None,
        dataset: "d".into(),
        engine_version: "1".into(),
        parameters,
        results: Texts::new(),
        phase: None,
        signals_processed: None,
        total_signals: None,
    };
    let begun = store.begin_run(&run, workspace).await.unwrap();
    begun
        .end(Status::Completed, None, &Texts::new())
        .await
        .unwrap();
    (store, run)
}

async fn apply(store: &Store, run: &Run, create_settings: bool) -> Result<String, Error> {
    let wanted = Application {
        backtest_id: &run.id,
        parameters: &run.parameters,
        groups: &Group::ALL,
        applied_by: "ann",
        settings_version: None,
        create_settings,
    };
    store
        .apply_settings(&wanted)
        .await
        .map(|(applied, _)| applied.id)
}

#[test]
fn state_does_not_hold_up_the_trading_system() {
    let database = Postgres::shared().trading_database("locked");
    let workspace = TempDir::new().unwrap();
    let place = Place::of(workspace.path(), Some(&database.url())).unwrap();
    block_on(async {
        let (store, run) = with_a_run(&place, workspace.path()).await;
        let applied = apply(&store, &run, false).await.unwrap();
        for (lock, also_reads) in [
            ("lock table system_config in access exclusive mode", true),
            ("lock table scoring_weights in row exclusive mode", false),
            (
                "select from system_config where key = 'exit_strategy' for update",
                false,
            ),
        ] {
            let mut holder = PgConnection::connect(&database.url()).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(format!("begin; {lock}")))
                .execute(&mut holder)
                .await
                .unwrap();
            let mut works = vec![
                (apply(&store, &run, false).await.map(drop), "apply"),
                (
                    store.rollback_settings(&applied, "ann").await.map(drop),
                    "rollback",
                ),
            ];
            if also_reads {
                works.push((store.live_settings().await.map(drop), "read"));
            }
            for (done, what) in works {
                let error = done.expect_err(what);
                let text = error.to_string();
                assert!(
                    text.contains("another session has locked"),
                    "{what}, {lock}: {text}"
                );
                assert_eq!(error.exit_code(), 3);
            }
            holder.close().await.unwrap();
        }
        // While we wait, others do not wait behind us.
        let mut holder = PgConnection::connect(&database.url()).await.unwrap();
        let begin = "begin; update system_config set value = value where key = 'exit_strategy'";
        sqlx::raw_sql(begin).execute(&mut holder).await.unwrap();
        let started = Instant::now();
        let trading = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let mut bot = PgConnection::connect(&database.url()).await.unwrap();
            for _ in 0..20 {
                let asked = Instant::now();
                let write = "update system_config set value = value where key = 'position_sizing'";
                sqlx::raw_sql(write).execute(&mut bot).await.unwrap();
                assert!(
                    asked.elapsed() < Duration::from_secs(1),
                    "{:?}",
                    asked.elapsed()
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let (refused, ()) = tokio::join!(apply(&store, &run, false), trading);
        assert!(refused.is_err());
        assert!(
            started.elapsed() < Duration::from_secs(8),
            "{:?}",
            started.elapsed()
        );
        sqlx::raw_sql("rollback")
            .execute(&mut holder)
            .await
            .unwrap();
        store.rollback_settings(&applied, "ann").await.unwrap();
    });
}

#[test]
fn state_makes_tables_of_settings_when_told_to() {
    let database = Postgres::shared().database("no_settings");
    let workspace = TempDir::new().unwrap();
    let place = Place::of(workspace.path(), Some(&database.url())).unwrap();
    let tables = "select schemaname || '.' || tablename from pg_tables \
                  where schemaname = 'public' order by 1";
    block_on(async {
        let (store, run) = with_a_run(&place, workspace.path()).await;
        let error = apply(&store, &run, false).await.unwrap_err();
        assert!(
            error.to_string().contains("has no tables scoring_weights"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("--create-settings"));
        assert!(database.rows(tables).is_empty());
        let applied = apply(&store, &run, true).await.unwrap();
        let row = |name: &str| vec![Some(name.to_owned())];
        assert_eq!(
            database.rows(tables),
            [row("public.scoring_weights"), row("public.system_config")]
        );
        let stop = "select value ->> 'stop_loss_percent' from system_config \
                    where key = 'exit_strategy'";
        assert_eq!(database.rows(stop), [row("8")]);
        store.rollback_settings(&applied, "ann").await.unwrap();
        assert_eq!(database.rows(stop), [row("15")]);
    });
}

#[test]
fn state_tells_a_run_elsewhere_from_one_that_has_ended() {
    let database = Postgres::shared().database("elsewhere");
    let (here, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let place = |workspace: &TempDir| Place::of(workspace.path(), Some(&database.url())).unwrap();
    block_on(async {
        let (store, run) = with_a_run(&place(&here), here.path()).await;
        let run = Run {
            id: uuid::Uuid::now_v7().to_string(),
            ..run
        };
        let begun = store.begin_run(&run, here.path()).await.unwrap();
        let other = Store::new(place(&elsewhere));
        let status = |run: Option<Run>| run.unwrap().status;
        assert_eq!(status(other.run(&run.id).await.unwrap()), Status::Running);
        assert_eq!(status(store.run(&run.id).await.unwrap()), Status::Running);
        // Its process has ended: here the lock tells at once, elsewhere its silence does.
        drop(begun);
        let silent = "update hindsight.backtest_results set heartbeat_at = heartbeat_at - 31000000 \
                      where status = 'running'";
        assert_eq!(status(other.run(&run.id).await.unwrap()), Status::Running);
        database.execute(silent);
        assert_eq!(
            status(other.run(&run.id).await.unwrap()),
            Status::Interrupted
        );
    });
}
