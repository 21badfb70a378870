//! Each attack on who may ask: refused, and the server goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hindsight::Role;
use hindsight::server::Options;
use serde_json::json;

use super::{Client, HttpServer, SHARED, defaults, operating, read};
use crate::wire::{NETWORK, trusting};

/// The paths that everything is served under.
const PATHS: [&str; 4] = ["/", "/healthz", "/api/v1/status", "/page/x/main.js"];

fn nobody() -> Client {
    Client {
        address: SHARED.address,
        authorization: None,
    }
}

fn goes_on() {
    assert_eq!(SHARED.client().get("status").status, 200);
}

#[test]
fn a_host_that_is_not_ours_is_refused_everywhere() {
    for path in PATHS {
        for host in ["evil.example", "127.0.0.1", "localhost", "127.0.0.1:1", ""] {
            let answer = SHARED.client().with("GET", path, &[("Host", host)], b"");
            assert_eq!(answer.status, 403, "{host} {path}");
        }
    }
    let named = [("Host", "hindsight.example")];
    assert_eq!(
        SHARED.client().with("GET", "/healthz", &named, b"").status,
        200
    );
    let none = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", SHARED.address);
    let answer = read(&mut nobody().send(none.as_bytes()).unwrap()).unwrap();
    assert_eq!(answer.status, 403);
    let other = "http://evil.example/healthz";
    assert_eq!(SHARED.client().with("GET", other, &[], b"").status, 403);
    goes_on();
}

#[test]
fn only_who_knows_the_token_is_let_in() {
    for path in ["status", "openapi.json", "backtest/history", "nothing"] {
        assert_eq!(nobody().get(path).status, 401, "{path}");
    }
    let token = &SHARED.token;
    let mut guessed = token.clone();
    let last = guessed.pop().unwrap();
    guessed.push(if last == 'A' { 'E' } else { 'A' });
    for wrong in [
        format!("Bearer {guessed}"),
        "Bearer ".into(),
        "Bearer".into(),
        token.clone(),
        format!("Token {token}"),
        "Basic !!!".into(),
    ] {
        let headers = [("Authorization", wrong.as_str())];
        let answer = nobody().with("GET", "/api/v1/status", &headers, b"");
        assert_eq!(answer.status, 401, "{wrong}");
    }
    for path in [
        format!("status?token={token}"),
        format!("status?access_token={token}"),
    ] {
        assert_eq!(nobody().get(&path).status, 401);
        assert_eq!(SHARED.client().get(&path).status, 400);
    }
    let cookie = format!("token={token}");
    let cookie = [("Cookie", cookie.as_str())];
    assert_eq!(
        nobody().with("GET", "/api/v1/status", &cookie, b"").status,
        401
    );
    assert_eq!(nobody().with("GET", "/healthz", &[], b"").status, 200);
    goes_on();
}

#[test]
fn other_pages_and_forms_are_refused() {
    let client = SHARED.client();
    let body = defaults(&client).to_string();
    let status = |headers: &[(&str, &str)]| {
        let path = "/api/v1/backtest/cache/clear";
        client.with("POST", path, headers, b"").status
    };
    assert_eq!(status(&[]), 200);
    let ours = format!("http://{}", SHARED.address);
    assert_eq!(status(&[("Origin", &ours)]), 200);
    for origin in [
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        "file://",
    ] {
        assert_eq!(status(&[("Origin", origin)]), 403, "{origin}");
    }
    for site in ["cross-site", "same-site"] {
        assert_eq!(status(&[("Sec-Fetch-Site", site)]), 403, "{site}");
    }
    for kind in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=a",
    ] {
        assert_eq!(status(&[("Content-Type", kind)]), 415, "{kind}");
        let path = "/api/v1/backtest/run";
        let answer = client.with("POST", path, &[("Content-Type", kind)], body.as_bytes());
        assert_eq!(answer.status, 415);
    }
    goes_on();
}

#[test]
fn answers_say_what_a_browser_may_do_and_allow_no_other_page() {
    let preflight = [
        ("Origin", "http://evil.example"),
        ("Access-Control-Request-Method", "POST"),
    ];
    let client = SHARED.client();
    let mut answers = vec![client.with("OPTIONS", "/api/v1/live", &preflight, b"")];
    assert_ne!(answers[0].status, 200);
    for path in PATHS {
        answers.push(client.with("GET", path, &[], b""));
    }
    answers.push(nobody().get("status"));
    for answer in answers {
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(answer.header("cache-control").is_some());
        let mut names = answer.headers.iter().map(|(name, _)| name);
        assert!(!names.any(|name| name.starts_with("access-control") || name == "set-cookie"));
    }
    assert_eq!(
        client.get("status").header("cache-control"),
        Some("no-store")
    );
}

#[test]
fn the_page_is_served_compressed_and_its_files_for_good() {
    let index = nobody().with("GET", "/", &[], b"");
    assert_eq!(index.status, 200);
    assert_eq!(index.header("cache-control"), Some("no-store"));
    let text = index.text();
    let files: Vec<&str> = text
        .split('"')
        .filter(|part| part.starts_with("/page/"))
        .collect();
    assert!(!files.is_empty());
    for file in files {
        let plain = nobody().with("GET", file, &[], b"");
        assert_eq!(plain.status, 200, "{file}");
        assert!(plain.header("cache-control").unwrap().contains("immutable"));
        let gzip = [("Accept-Encoding", "br, gzip")];
        let compressed = nobody().with("GET", file, &gzip, b"");
        if compressed.header("content-encoding").is_some() {
            assert!(compressed.body.len() < plain.body.len(), "{file}");
            let mut unpacked = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&compressed.body[..]);
            decoder.read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, plain.body, "{file}");
        }
        let head = nobody().with_head(file);
        assert_eq!(head, plain.body.len().to_string(), "{file}");
    }
    for path in [
        "/page/../Cargo.toml",
        "/page/x/%2e%2e/api.js",
        "/Cargo.toml",
        "//",
        "/page/",
    ] {
        assert_eq!(nobody().with("GET", path, &[], b"").status, 404, "{path}");
    }
}

impl Client {
    /// The length that a HEAD request is told, whose answer has no body.
    fn with_head(&self, path: &str) -> String {
        let request = self.request("HEAD", path, &[("Connection", "close")], b"");
        let mut stream = self.send(&request).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.ends_with("\r\n\r\n"), "{text}");
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        length.unwrap().to_owned()
    }
}

#[test]
fn what_is_too_large_is_refused_and_told() {
    let client = SHARED.client();
    let huge = vec![b' '; (1 << 20) + 1];
    assert_eq!(
        client
            .with("POST", "/api/v1/backtest/run", &[], &huge)
            .status,
        413
    );
    let long = "x".repeat(40_000);
    assert_eq!(
        client
            .with("GET", "/healthz", &[("X-Long", &long)], b"")
            .status,
        431
    );
    let deep = "[".repeat(100_000);
    let deep = format!("{{\"exit_strategy\": {deep}");
    assert_eq!(
        client
            .with("POST", "/api/v1/backtest/run", &[], deep.as_bytes())
            .status,
        400
    );
    // A length beside chunks: one of two servers in a row might believe the one, the other the other.
    let chunked = [("Transfer-Encoding", "chunked")];
    assert_eq!(
        client
            .with("POST", "/api/v1/backtest/run", &chunked, b"0\r\n\r\n")
            .status,
        400
    );
    let lying = format!(
        "POST /api/v1/backtest/run HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\
         Content-Type: application/json\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{{}}   ",
        SHARED.address,
        client.authorization.clone().unwrap()
    );
    assert_eq!(
        read(&mut client.send(lying.as_bytes()).unwrap())
            .unwrap()
            .status,
        400
    );
    goes_on();
}

#[test]
fn those_who_are_slow_hold_up_nobody() {
    let client = SHARED.client();
    let request = client.request("GET", "/api/v1/status", &[], b"");
    let mut slow: Vec<TcpStream> = Vec::new();
    for count in 0..20 {
        slow.push(client.send(&request[..count]).unwrap());
    }
    for stream in &mut slow {
        let _ = stream.write_all(b"G");
    }
    // A body that never comes.
    let body = "POST /api/v1/backtest/run HTTP/1.1\r\nContent-Length: 100000\r\n";
    slow.push(client.send(body.as_bytes()).unwrap());
    goes_on();
    // Whoever does not come to the end of a head is told so, and has no place any more.
    let mut patient = slow.remove(0);
    assert_eq!(read(&mut patient).unwrap().status, 408);
    assert_eq!(patient.read(&mut [0]).unwrap(), 0);
    drop(slow);
    goes_on();
}

#[test]
fn a_caller_has_so_many_streams_at_once() {
    let workspace = crate::server::workspace();
    let server = HttpServer::start(workspace.path(), &operating());
    let client = server.client();
    // More rows than fit between the server and a client that reads nothing.
    let steps = |to: usize| -> Vec<String> { (10..to).map(|n| n.to_string()).collect() };
    let body = json!({
        "config": defaults(&client),
        "grid": { "stop_loss_percent": steps(45), "take_profit_percent": steps(45), "max_hold_minutes": steps(25) },
    });
    let body = body.to_string();
    let request = client.request("POST", "/api/v1/sweep", &[], body.as_bytes());
    let mut held = Vec::new();
    let refused = loop {
        let mut stream = client.send(&request).unwrap();
        let mut begun = [0; 12];
        stream.read_exact(&mut begun).unwrap();
        if &begun != b"HTTP/1.1 200" {
            break String::from_utf8_lossy(&begun).into_owned();
        }
        held.push(stream);
        assert!(held.len() < 100, "there is no end of streams");
    };
    assert_eq!((held.len(), refused.as_str()), (16, "HTTP/1.1 429"));
    assert_eq!(client.get("status").status, 200);
    drop(held);
    let patience = Instant::now();
    while client
        .with("POST", "/api/v1/sweep", &[], body.as_bytes())
        .status
        != 200
    {
        assert!(patience.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn several_requests_go_over_one_connection() {
    let client = SHARED.client();
    let request = client.request("GET", "/api/v1/status", &[], b"");
    let mut stream = client.send(&request).unwrap();
    assert_eq!(read(&mut stream).unwrap().status, 200);
    stream.write_all(&request).unwrap();
    assert_eq!(read(&mut stream).unwrap().status, 200);
    // One that is refused before its body is read ends the connection.
    let wrong = client.request("POST", "/api/v1/live", &[("Origin", "null")], b"{}");
    stream.write_all(&wrong).unwrap();
    let refused = read(&mut stream).unwrap();
    assert_eq!(
        (refused.status, refused.header("connection")),
        (403, Some("close"))
    );
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn markup_in_a_label_stays_text() {
    let client = SHARED.client();
    let mut config = defaults(&client);
    let label = "</script><img src=x onerror=alert(1)>'\"\u{202e}\u{0}";
    config["label"] = json!(label);
    let result = client.post("backtest/run", &config);
    assert_eq!(result.header("content-type"), Some("application/json"));
    if result.status == 200 {
        assert_eq!(result.json()["label"], label);
    } else {
        assert_eq!(result.status, 400, "{}", result.text());
    }
    config["label"] = json!("</script><img src=x onerror=alert(1)>'\"");
    let result = client.post("backtest/run", &config).right();
    assert_eq!(result["label"], config["label"]);
}

#[test]
fn a_role_may_do_what_it_may_in_sql() {
    let workspace = crate::server::workspace();
    let engine = NETWORK
        .block_on(hindsight::Engine::open(workspace.path()))
        .unwrap();
    for role in Role::ALL {
        let verifier = hindsight::server::verifier(&format!("{} word", role.name())).unwrap();
        let stored = engine.store().put_user(role.name(), role, &verifier);
        NETWORK.block_on(stored).unwrap();
    }
    drop(engine);
    let options = Options {
        trust: None,
        ..trusting()
    };
    let server = HttpServer::start(workspace.path(), &options);
    let of = |user: &str, password: &str| {
        use base64::Engine as _;
        let encoded =
            base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        Client {
            address: server.address,
            authorization: Some(format!("Basic {encoded}")),
        }
    };
    // The link lets read.
    assert_eq!(server.client().get("status").right()["role"], "reader");
    let (reader, analyst, operator) = (
        of("reader", "reader word"),
        of("analyst", "analyst word"),
        of("operator", "operator word"),
    );
    assert_eq!(operator.get("status").right()["role"], "operator");
    let config = defaults(&reader);
    let refused = reader.post("backtest/run", &config);
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json()["sqlstate"], "42501");
    assert_eq!(server.client().post("backtest/run", &config).status, 403);
    let run = analyst.post("backtest/run", &config).right();
    let apply = json!({ "backtest_id": run["id"], "settings_version": "x" });
    assert_eq!(analyst.post("backtest/apply", &apply).status, 403);
    assert_eq!(operator.post("backtest/apply", &apply).status, 409);
    for (user, password) in [
        ("reader", "wrong"),
        ("nobody", "wrong"),
        ("", ""),
        ("reader", ""),
    ] {
        assert_eq!(
            of(user, password).get("status").status,
            401,
            "{user} {password}"
        );
    }
    // Others wait for nobody's wrong passwords.
    assert_eq!(operator.get("status").status, 200);
}

#[test]
fn another_start_of_the_server_is_another_token() {
    let workspace = crate::server::workspace();
    let first = HttpServer::start(workspace.path(), &operating());
    let old = first.client();
    assert_eq!(old.get("status").status, 200);
    first.stop.cancel();
    drop(first);
    let second = HttpServer::start(workspace.path(), &operating());
    let again = Client {
        address: second.address,
        ..old
    };
    assert_eq!(again.get("status").status, 401);
    assert_eq!(second.client().get("status").status, 200);
}

#[test]
fn a_server_that_stops_ends_its_streams() {
    let workspace = crate::server::workspace();
    let mut server = HttpServer::start(workspace.path(), &operating());
    let client = server.client();
    let steps =
        |from: usize, to: usize| -> Vec<String> { (from..to).map(|n| n.to_string()).collect() };
    // More rows than fit between the server and a client that reads nothing.
    let request = json!({
        "config": defaults(&client),
        "grid": { "stop_loss_percent": steps(1, 40), "take_profit_percent": steps(5, 45), "max_hold_minutes": steps(10, 20) },
    });
    let body = request.to_string();
    let request = client.request("POST", "/api/v1/sweep", &[], body.as_bytes());
    let mut stream = client.send(&request).unwrap();
    let mut begun = [0; 64];
    stream.read_exact(&mut begun).unwrap();
    let mut idle = client.send(b"").unwrap();
    server.stop.cancel();
    let running = server.running.take().unwrap();
    let patience = Instant::now();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let text = String::from_utf8_lossy(&rest);
    assert!(
        text.contains("the server is stopping"),
        "{}",
        &text[text.len().saturating_sub(300)..]
    );
    NETWORK.block_on(running).unwrap();
    assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0);
    assert!(TcpStream::connect(server.address).is_err());
    assert!(patience.elapsed() < Duration::from_secs(60));
}
