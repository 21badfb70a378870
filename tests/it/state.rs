//! The state store, once in SQLite and once in a real PostgreSQL.

use hindsight::store::{Place, Store, User};
use hindsight::{Error, Role};
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
