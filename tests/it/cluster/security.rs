//! Certificates of the cluster's own authority, on both sides.

use std::path::PathBuf;

use hindsight::cluster::security::{Files, Security};

use super::{GRID, Server, WORKSPACE, Worker};
use crate::cli::{run, text};
use crate::files;

fn file(name: &str) -> PathBuf {
    files::test_data().join("tls/cluster").join(name)
}

fn shown(authority: &str, who: &str) -> Security {
    let files = Files {
        authority: file(authority),
        certificate: file(&format!("{who}.pem")),
        key: file(&format!("{who}.key")),
    };
    Security::load(&files).unwrap()
}

#[test]
fn both_sides_show_a_certificate_of_the_authority() {
    let [authority, certificate, key] = ["authority.pem", "node.pem", "node.key"].map(|name| {
        let path = file(name);
        path.to_str().unwrap().to_owned()
    });
    let options = [
        "--cluster-ca",
        &authority,
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
    ];
    let worker = Worker::with(WORKSPACE.path(), "localhost", &options);
    let expected = Server::over(&[]).rows(GRID);
    let server = |security: &Security| Server::of(WORKSPACE.path(), &[&worker.url], Some(security));
    let right = server(&shown("authority.pem", "node"));
    assert_eq!(right.rows(GRID), expected);
    assert_eq!(right.states(), ["ready"]);
    assert!(right.counts("tasks_begun")[&worker.url] > Some(0));
    // Who is not of the authority is not let in, and does not take the worker for one of its own.
    for (authority, who) in [("authority.pem", "intruder"), ("stranger.pem", "node")] {
        let wrong = server(&shown(authority, who));
        let states = wrong.states();
        assert!(
            states[0].starts_with("does not answer"),
            "{authority}, {who}: {states:?}"
        );
        assert_eq!(wrong.rows(GRID), expected);
    }
    // Nor is who shows no certificate at all.
    let plain = worker.url.replace("https://", "http://");
    let states = Server::over(&[&plain]).states();
    assert!(states[0].starts_with("does not answer"), "{states:?}");
}

#[test]
fn nobody_listens_or_asks_unprotected() {
    let workspace = WORKSPACE.path();
    for (arguments, expected) in [
        (
            &["worker", "--listen", "0.0.0.0:0"][..],
            "give --cluster-ca",
        ),
        (
            &["serve", "--check", "--workers", "http://10.0.0.2:5434"],
            "by https",
        ),
        (
            &["serve", "--check", "--workers", "https://10.0.0.2:5434"],
            "https needs --cluster-ca",
        ),
        (
            &["serve", "--check", "--workers", "nowhere"],
            "expected a URL",
        ),
        (
            &[
                "serve",
                "--check",
                "--workers",
                "http://127.0.0.1:1,http://127.0.0.1:1",
            ],
            "named twice",
        ),
    ] {
        let output = run(workspace, arguments).unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
