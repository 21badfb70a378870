//! How a PostgreSQL is reached: several hosts, what the environment and its files add, encryption;
//! the same for a history to load and for the state, with the same words when it fails.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::cli::{hindsight, text};
use crate::files::test_data;
use crate::postgres::{Database, Postgres, free_port};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// What the state and a load say to a URL, with these variables and nothing else.
fn tried(url: &str, variables: &[(&str, &str)]) -> Vec<(Option<i32>, String)> {
    let workspace = tempfile::tempdir().unwrap();
    let commands = [
        vec!["history", "--state", url],
        vec!["load", "--only", "signals", "--from", url],
    ];
    let run = |arguments: &Vec<&str>| {
        let mut command = hindsight(&workspace.path().join("data"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG")) {
            command.env_remove(name);
        }
        command.env("HOME", workspace.path());
        command.envs(variables.iter().copied()).args(arguments);
        let output = command.output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    commands.iter().map(run).collect()
}

fn works(url: &str, variables: &[(&str, &str)]) {
    for (code, errors) in tried(url, variables) {
        assert_eq!(code, Some(0), "{url} {variables:?}: {errors}");
    }
}

fn fails(url: &str, variables: &[(&str, &str)], expected: &str) {
    let both = tried(url, variables);
    for (code, errors) in &both {
        assert_eq!(*code, Some(3), "{url} {variables:?}: {errors}");
        assert!(errors.contains(expected), "{url} {variables:?}: {errors}");
        assert!(!errors.contains("sesame"), "{errors}");
    }
    assert_eq!(both[0].1, both[1].1, "the same words for both");
}

fn database(name: &str) -> Database {
    let database = Postgres::shared().database(name);
    database.execute("create table signals (id text, timestamp timestamptz, token_address text)");
    database
}

#[test]
fn connections_find_the_host_that_answers() {
    let database = database("hosts");
    let (name, port, away) = (&database.name, database.port(), free_port());
    let hosts = |hosts: &str, options: &str| {
        format!("postgres://postgres@{hosts}/{name}?sslmode=disable{options}")
    };
    works(
        &hosts(&format!("127.0.0.1:{away},127.0.0.1:{port}"), ""),
        &[],
    );
    let named = format!("&host=no-such-host.invalid,127.0.0.1&port={port}");
    works(&hosts("", &named), &[]);
    works(
        &hosts(
            &format!("127.0.0.1:{port}"),
            "&target_session_attrs=read-write",
        ),
        &[],
    );
    let standby = hosts(
        &format!("127.0.0.1:{port}"),
        "&target_session_attrs=standby",
    );
    fails(
        &standby,
        &[],
        "the server is primary, and target_session_attrs asks for another",
    );
    let none = hosts(&format!("127.0.0.1:{away},[::1]:{away}"), "");
    fails(
        &none,
        &[],
        &format!("no host lets us in: 127.0.0.1:{away}: no server listens there; [::1]:{away}: "),
    );
    // Something else listens there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(8) {
            let _ = std::io::Write::write_all(
                &mut stream.unwrap(),
                b"HTTP/1.1 400 Bad Request\r\n\r\n",
            );
        }
    });
    let tls = format!("postgres://postgres@127.0.0.1:{other}/{name}?sslmode=require");
    fails(
        &tls,
        &[],
        "what listens there does not speak PostgreSQL's protocol",
    );
}

#[test]
fn connections_are_made_of_the_environment_too() -> Outcome {
    let database = database("environment");
    let folder = tempfile::tempdir()?;
    let file = |name: &str, text: String, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let (name, port) = (&database.name, database.port());
    let port_text = port.to_string();
    let of_environment = [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", port_text.as_str()),
        ("PGDATABASE", name),
        ("PGUSER", "with_password"),
    ];
    let with = |more: &[(&'static str, &str)]| -> Vec<(String, String)> {
        let all = of_environment.iter().chain(more);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let works_with = |url: &str, more: &[(&'static str, &str)]| {
        let all = with(more);
        let all: Vec<(&str, &str)> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        works(url, &all);
    };
    works_with("postgres://", &[("PGPASSWORD", "open sesame")]);
    works_with("postgresql:///", &[("PGPASSWORD", "open sesame")]);

    // A file of passwords, which nobody else may read.
    let line = format!("127.0.0.1:{port}:*:with_password:open sesame\n");
    let own = file("own", format!("# comment\nother:*:*:*:x\n{line}"), 0o600);
    works_with("postgres://", &[("PGPASSFILE", &own)]);
    let exposed = file("exposed", line, 0o644);
    let url = format!("postgres://with_password@127.0.0.1:{port}/{name}");
    fails(
        &url,
        &[("PGPASSFILE", &exposed)],
        &format!("hint: {exposed} was not used, since others may read it: chmod 600 {exposed}"),
    );

    // A service; what the URL says is stronger, and it is stronger than the environment.
    let service = format!(
        "[other]\nhost=nowhere\n[trading]\n# ours\nhost=127.0.0.1\nport={port}\ndbname={name}\n\
         user=with_password\npassword=open sesame\n"
    );
    let services = file("services", service, 0o644);
    let services = [("PGSERVICEFILE", services.as_str()), ("PGPORT", "1")];
    works("postgres:///?service=trading", &services);
    works(
        "postgres://",
        &[services.as_slice(), &[("PGSERVICE", "trading")]].concat(),
    );
    fails(
        "postgres://127.0.0.1:1/?service=trading",
        &services,
        "no server listens there",
    );
    for (code, errors) in tried("postgres:///?service=none", &services) {
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains("there is no service none in "), "{errors}");
    }
    Ok(())
}

#[test]
fn connections_are_encrypted_as_asked() {
    let database = database("encrypted");
    let certificate = test_data()
        .join("tls/certificate.pem")
        .display()
        .to_string();
    let other = test_data().join("tls/other.pem").display().to_string();
    let url = |options: &str| database.url_of("only_tls", options);
    for options in ["", "sslmode=allow", "sslmode=prefer", "sslmode=require"] {
        works(&url(options), &[]);
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        works(
            &url(&format!("sslmode={mode}&sslrootcert={certificate}")),
            &[],
        );
        let wrong = url(&format!("sslmode={mode}&sslrootcert={other}"));
        fails(&wrong, &[], "TLS failed: ");
        fails(
            &url(&format!("sslmode={mode}&sslrootcert=/nowhere/ca.pem")),
            &[],
            "sslrootcert /nowhere/ca.pem cannot be read: No such file or directory",
        );
    }
    works(
        &url(""),
        &[
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", &certificate),
        ],
    );
    works(
        &url("sslrootcert=system"),
        &[("SSL_CERT_FILE", &certificate)],
    );
    fails(&url("sslrootcert=system"), &[], "TLS failed: ");
    fails(
        &url("sslmode=disable"),
        &[],
        "only over TLS\nhint: sslmode=require",
    );
}

#[test]
fn connections_trust_whom_they_are_told_to_and_nobody_else() {
    let database = database("trusting");
    let file = |name: &str| test_data().join(format!("tls/{name}.pem"));
    let (certificate, other) = (file("certificate"), file("other"));
    let [trusted, distrusted] = [&certificate, &other].map(|file| file.to_str().unwrap());
    let url = |options: &str| database.url_of("only_tls", options);
    for mode in ["verify-ca", "verify-full"] {
        let system = url(&format!("sslmode={mode}"));
        works(&system, &[("SSL_CERT_FILE", trusted)]);
        fails(&system, &[("SSL_CERT_FILE", distrusted)], "TLS failed: ");
        // Whom the system trusts beside does not count.
        let named = url(&format!("sslmode={mode}&sslrootcert={distrusted}"));
        fails(&named, &[("SSL_CERT_FILE", trusted)], "TLS failed: ");
    }
    // As libpq has it: a file at home is asked where encryption is required.
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".postgresql")).unwrap();
    let home_text = home.path().to_str().unwrap();
    for (file, is_trusted) in [(&other, false), (&certificate, true)] {
        std::fs::copy(file, home.path().join(".postgresql/root.crt")).unwrap();
        let url = url("sslmode=require");
        match is_trusted {
            true => works(&url, &[("HOME", home_text)]),
            false => fails(&url, &[("HOME", home_text)], "TLS failed: "),
        }
    }
    // Nor does the driver bring authorities with it.
    let lock = include_str!("../../Cargo.lock");
    let entries = lock.split("[[package]]");
    let mut roots = entries.filter(|entry| entry.contains("name = \"webpki-roots\""));
    let entry = roots.next().unwrap();
    assert!(!entry.contains("source = "), "{entry}");
    assert!(roots.next().is_none(), "another of the kind");
}

#[test]
fn connections_that_are_refused_say_why() {
    let database = database("refused");
    fails(
        &database.url_of("with_password:wrong", ""),
        &[],
        "user with_password gave no password or a wrong one\nhint: the password goes into the URL",
    );
    fails(
        &database.url_of("nobody_knows", ""),
        &[],
        "the server lets user nobody_knows into ",
    );
    let full = Postgres::shared().database("full");
    full.execute(&format!(
        "alter database \"{}\" connection limit 0",
        full.name
    ));
    full.execute(&format!(
        "grant connect on database \"{}\" to reader",
        full.name
    ));
    fails(
        &full.url_of("reader", "sslmode=disable"),
        &[],
        "all its connections are taken: too many connections for database",
    );
}
