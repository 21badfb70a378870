//! What a URL is taken for. Nothing here reads the environment's files.

#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect"
)]

use super::*;

fn read(url: &str) -> Result<Server> {
    Server::of(&url::read(url)?)
}

fn passwords(url: &str) -> Vec<String> {
    let server = read(url).unwrap();
    let known = server.hosts.iter().map(|host| match &host.password {
        Known::Password(password) => password.clone(),
        _ => String::new(),
    });
    known.collect()
}

#[test]
fn a_url_that_cannot_be_read_is_not_repeated() {
    for url in [
        "hunter2",
        "mysql://bot:hunter2@db/trading",
        "postgres://bot:hunter2#x@db/trading",
        "postgres://bot:1234/hunter2@db/trading",
        "postgres://bot:1234?hunter2@db/trading",
        "postgres://bot:1234#hunter2",
        "postgres://bot:hunter2@db:port/trading",
        "postgres://bot:hunter2@/trading?port=hunter2",
        "postgres://bot:hunter2@db/trading?sslmode=hunter2",
        "postgres://bot@db/trading?password=hunter2&sslmod=verify-full",
        "postgres://bot@db/trading?password=a&hunter2",
        "postgres://bot:hunter2@db/trading?connect_timeout=hunter2",
        "postgres://bot:hunter2@db/trading?options=hunter2",
        "postgres://bot:hunter2@db/trading?target_session_attrs=hunter2",
        "postgres://bot:hunter2%FF@db/trading",
        "postgres://bot:hunter2@db,other/trading?port=1,2,3",
        "postgres://bot:hunter2@db/trading?sslrootcert=system&sslmode=require",
    ] {
        let error = read(url).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{url}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn a_database_is_named_without_its_password() {
    for (url, name) in [
        (
            "postgres://bot:hunter2@db.example:6543/trading",
            "postgres://bot@db.example:6543/trading",
        ),
        (
            "postgresql://bot@db/trading?password=hunter2&sslmode=require",
            "postgres://bot@db:5432/trading",
        ),
        (
            "postgres://bot:hunter2@%2Ftmp%2Fsockets/trading",
            "postgres://bot@/trading?host=/tmp/sockets",
        ),
        ("postgres://bot:hunter2@db", "postgres://bot@db:5432/bot"),
        (
            "postgres://bot:hunter2@a,b:6000,[::1]:6001/trading?connect_timeout=3",
            "postgres://bot@a:5432,b:6000,[::1]:6001/trading",
        ),
        (
            "postgres:///trading?host=a,b&user=bot&password=hunter2&port=7000",
            "postgres://bot@a:7000,b:7000/trading",
        ),
        (
            "postgres://bot:hun@ter2@db/trading",
            "postgres://bot@db:5432/trading",
        ),
    ] {
        let server = read(url).unwrap();
        assert_eq!(server.name, name);
        assert_eq!(format!("{server:?}"), name);
    }
}

#[test]
fn a_password_may_have_any_characters() {
    for (written, password) in [
        ("open%20sesame", "open sesame"),
        ("%3A%2F%3F%23%40%25%26%3D", ":/?#@%&="),
        ("a:b", "a:b"),
        ("a@b", "a@b"),
        ("100%", "100%"),
        ("a+b", "a+b"),
        ("p%C3%A4ss", "päss"),
        ("'\"\\", "'\"\\"),
    ] {
        let url = format!("postgres://bot:{written}@db/trading");
        assert_eq!(passwords(&url), [password]);
    }
    assert_eq!(
        passwords("postgres://bot@db/trading?password=a%26b%3D%40"),
        ["a&b=@"]
    );
}

#[test]
fn encryption_is_as_libpq_has_it() {
    let tls = |options: &str| read(&format!("postgres://u@h/d?{options}")).unwrap().tls;
    assert!(matches!(tls("").mode, TlsMode::Prefer));
    assert!(matches!(tls("sslmode=require").mode, TlsMode::Require));
    let named = tls("sslmode=require&sslrootcert=ca.pem");
    assert!(matches!(named.mode, TlsMode::VerifyCa));
    assert!(matches!(
        tls("sslrootcert=system").mode,
        TlsMode::VerifyFull
    ));
}

#[test]
fn options_become_settings_of_transactions() {
    let settings = |options: &str| {
        let server = read(&format!("postgres://u@h/d?{options}")).unwrap();
        server.local_settings(&[("lock_timeout", "'5s'")])
    };
    assert_eq!(
        settings("options=-csearch_path%3Da,%22b%22%20--work-mem%3D1MB"),
        "set local search_path = default; set local lock_timeout = '5s'; \
         set local search_path = 'a', 'b'; set local work_mem = '1MB'"
    );
    assert!(settings("options[search_path]=a,b").contains("set local search_path = 'a', 'b'"));
    assert!(settings("schema=trading").ends_with("set local search_path = 'trading'"));
    assert!(settings("options=-c%20geqo%3Doff").ends_with("set local geqo = 'off'"));
}
