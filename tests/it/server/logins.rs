//! Who is let in: passwords, roles, TLS, and servers that do not start because they would not be safe.

use std::path::PathBuf;

use hindsight::server::{self, Options, TlsFiles};
use hindsight::{Engine, Role};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

use super::workspace;
use crate::engine::block_on;
use crate::wire::{TestServer, Wire, kinds, message, query, startup, text, trusting};

/// A server that asks for passwords, with one user of each role.
fn guarded(options: Options) -> (tempfile::TempDir, TestServer) {
    let workspace = workspace();
    block_on(async {
        let engine = Engine::open(workspace.path()).await.unwrap();
        for role in Role::ALL {
            let verifier = server::verifier(&format!("{} password", role.name())).unwrap();
            engine
                .store()
                .put_user(role.name(), role, &verifier)
                .await
                .unwrap();
        }
    });
    let server = TestServer::of_workspace(workspace.path(), &options);
    (workspace, server)
}

fn login(server: &TestServer, user: &str, password: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(server.address.port())
        .username(user)
        .password(password)
        .database("hindsight")
        .ssl_mode(PgSslMode::Disable)
}

fn refused_login(options: &PgConnectOptions) -> String {
    match block_on(PgConnection::connect_with(options)) {
        Ok(_) => "let in".into(),
        Err(error) => match error.as_database_error() {
            Some(error) => error.code().unwrap_or_default().into_owned(),
            None => error.to_string(),
        },
    }
}

#[test]
fn only_who_knows_the_password_is_let_in() {
    let (_workspace, server) = guarded(Options {
        trust: None,
        ..trusting()
    });
    for role in Role::ALL {
        let options = login(&server, role.name(), &format!("{} password", role.name()));
        let user: String = block_on(async {
            let mut connection = PgConnection::connect_with(&options).await.unwrap();
            sqlx::query_scalar("select current_user::text")
                .fetch_one(&mut connection)
                .await
                .unwrap()
        });
        assert_eq!(user, role.name());
    }
    assert_eq!(refused_login(&login(&server, "reader", "wrong")), "28P01");
    assert_eq!(refused_login(&login(&server, "nobody", "wrong")), "28P01");
}

#[test]
fn nothing_is_run_before_or_behind_a_failed_login() {
    let (_workspace, server) = guarded(Options {
        trust: None,
        ..trusting()
    });
    let write = query("insert into scenarios (name) values ('bypass')");
    let parameters = [("user", "analyst"), ("database", "hindsight")];
    let first = [text("SCRAM-SHA-256"), b"\0\0\0\x0en,,n=x,r=nonce".to_vec()].concat();
    for said in [
        write.clone(),
        [message(b'p', &first), write.clone()].concat(),
        [
            message(b'p', &first),
            message(b'p', b"c=biws,r=nonce,p=AAAA"),
            write.clone(),
        ]
        .concat(),
        [message(b'p', b"password\0"), write.clone()].concat(),
    ] {
        let mut wire = Wire::silent(server.address);
        wire.send(&[startup(&parameters), said].concat());
        let answer = wire.until_closed();
        assert!(
            !kinds(&answer).contains(['Z', 'C', 'T']),
            "{}",
            kinds(&answer)
        );
    }
    let written: i64 = block_on(async {
        let options = login(&server, "reader", "reader password");
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        let count = "select count(*) from scenarios where name = 'bypass'";
        sqlx::query_scalar(count)
            .fetch_one(&mut connection)
            .await
            .unwrap()
    });
    assert_eq!(written, 0);
}

#[test]
fn a_reader_writes_nothing() {
    let (_workspace, server) = guarded(Options {
        trust: Some(Role::Reader),
        ..trusting()
    });
    let mut wire = Wire::connect(server.address);
    for sql in [
        "insert into scenarios (name) values ('x')",
        "update scenarios set description = 'x'",
        "delete from scenarios",
        "explain analyze insert into scenarios (name) values ('x')",
        "call run_backtest()",
        "select * from run_backtest()",
        "prepare p as insert into scenarios (name) values ('x'); execute p",
    ] {
        let refused = wire.rows(sql);
        assert!(
            refused
                .as_ref()
                .is_err_and(|error| error.starts_with("42501")),
            "{sql}: {refused:?}"
        );
    }
    assert_eq!(
        wire.rows("select count(*) from scenarios").unwrap(),
        [["0"]]
    );
}

/// A certificate for this machine that a test made once, and its key.
pub fn certificate() -> TlsFiles {
    let file = |name: &str| {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/tls")
            .join(name)
    };
    TlsFiles {
        certificate: file("certificate.pem"),
        key: file("key.pem"),
    }
}

#[test]
fn tls_is_spoken_and_logins_are_bound_to_it() {
    let (_workspace, server) = guarded(Options {
        trust: None,
        tls: Some(certificate()),
        ..trusting()
    });
    let options = login(&server, "reader", "reader password").ssl_mode(PgSslMode::Require);
    let encrypted: bool = block_on(async {
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        let own = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
        sqlx::query_scalar(own)
            .fetch_one(&mut connection)
            .await
            .unwrap()
    });
    assert!(encrypted);
    assert_eq!(refused_login(&options.password("wrong")), "28P01");
    let trusted = Options {
        tls: None,
        ..trusting()
    };
    let plain = TestServer::of_workspace(workspace().path(), &trusted);
    let mut wire = Wire::silent(plain.address);
    wire.send(b"\0\0\0\x08\x04\xd2\x16\x2f");
    let mut answer = [0];
    std::io::Read::read_exact(&mut wire.stream(), &mut answer).unwrap();
    assert_eq!(&answer, b"N");
}

#[test]
fn what_is_not_safe_does_not_start() {
    let workspace = workspace();
    let engine = block_on(Engine::open(workspace.path())).unwrap();
    let refused = |options: Options| {
        let checked = block_on(server::check(&engine, &options));
        checked
            .err()
            .map_or_else(|| "starts".into(), |error| error.to_string())
    };
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let says = |options: Options, words: &str| {
        let said = refused(options);
        assert!(said.contains(words), "{said}");
    };
    says(
        Options {
            listen: everywhere,
            ..trusting()
        },
        "--trust lets everybody in",
    );
    says(
        Options {
            listen: everywhere,
            trust: None,
            ..trusting()
        },
        "needs --tls-cert",
    );
    says(
        Options {
            trust: None,
            ..trusting()
        },
        "hindsight user add",
    );
    says(
        Options {
            listen: everywhere,
            trust: None,
            tls: Some(certificate()),
            ..trusting()
        },
        "hindsight user add",
    );
    let missing = TlsFiles {
        key: "no-such.key".into(),
        ..certificate()
    };
    says(
        Options {
            tls: Some(missing),
            ..trusting()
        },
        "no-such.key: expected a private key",
    );
    let mismatched = TlsFiles {
        certificate: certificate().certificate,
        key: certificate().key.with_file_name("other.pem"),
    };
    says(
        Options {
            tls: Some(mismatched),
            ..trusting()
        },
        "expected the key of the certificate",
    );
    says(trusting(), "starts");
}
