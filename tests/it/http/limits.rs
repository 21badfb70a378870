//! What a caller may hold, what a server that stops says, and how it is reached from elsewhere.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hindsight::server::Options;
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{HttpServer, SHARED, defaults, events, operating, read};
use crate::server::logins::certificate;
use crate::wire::{NETWORK, trusting};

fn steps(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|step| step.to_string()).collect()
}

#[test]
fn a_caller_has_so_many_requests_at_once() {
    let workspace = crate::server::workspace();
    let server = HttpServer::start(workspace.path(), &operating());
    let client = server.client();
    // Each waits for its body, and holds a place until then.
    let request = client.request("POST", "/api/v1/backtest/cache/clear", &[], b"{}");
    let (head, body) = request.split_at(request.len() - 2);
    let mut held: Vec<TcpStream> = (0..64).map(|_| client.send(head).unwrap()).collect();
    // All of them have their places; a request in between would have one of them refused.
    std::thread::sleep(Duration::from_secs(2));
    let refused = client.get("status");
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(refused.header("retry-after"), Some("1"));
    for stream in &mut held {
        stream.write_all(body).unwrap();
        assert_eq!(read(stream).unwrap().status, 200);
    }
    assert_eq!(client.get("status").status, 200);
}

#[test]
fn one_who_reads_nothing_is_given_up() {
    let workspace = crate::server::workspace();
    // There is a place for one connection: others wait until that of the slow one is free.
    let options = Options {
        max_connections: 1,
        ..operating()
    };
    let server = HttpServer::start(workspace.path(), &options);
    let client = server.client();
    let status = || {
        let request = client.request("GET", "/api/v1/backtest/defaults", &[], b"");
        client
            .send(&request)
            .and_then(|mut stream| read(&mut stream))
    };
    // More rows than fit between the server and a client that takes little at a time.
    let grid = json!({
        "grid": { "stop_loss_percent": steps(10, 45), "take_profit_percent": steps(10, 45), "max_hold_minutes": steps(10, 25) },
    });
    let request = client.request("POST", "/api/v1/sweep", &[], grid.to_string().as_bytes());
    let slow = NETWORK.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.connect(server.address).await.unwrap()
    });
    let mut slow = slow.into_std().unwrap();
    slow.set_nonblocking(false).unwrap();
    slow.write_all(&request).unwrap();
    let mut begun = [0; 12];
    slow.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    assert!(status().is_err(), "there is a second place");
    let waited = Instant::now();
    while status().is_err() {
        assert!(
            waited.elapsed() < Duration::from_secs(120),
            "it is held still"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    let text = String::from_utf8_lossy(&rest);
    assert!(
        !text.contains("\"type\":\"complete\""),
        "it was sent to its end"
    );
}

#[test]
fn a_server_that_stops_says_so_to_whom_it_leaves_waiting() {
    let workspace = crate::server::workspace();
    let mut server = HttpServer::start(workspace.path(), &operating());
    let client = server.client();
    let long = json!({
        "config": defaults(&client),
        "grid": { "stop_loss_percent": steps(1, 50), "take_profit_percent": steps(5, 105), "max_hold_minutes": steps(10, 110) },
        "columns": ["pnl_difference_sol"],
        "limit": 1,
    });
    let body = long.to_string();
    let request = client.request("POST", "/api/v1/table/backtest", &[], body.as_bytes());
    let mut stream = client.send(&request).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let stopped = Instant::now();
    server.stop.cancel();
    let refused = read(&mut stream).unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.json()["detail"], "the server is stopping");
    assert_eq!(refused.json()["sqlstate"], "57P01");
    NETWORK.block_on(server.running.take().unwrap()).unwrap();
    assert!(
        stopped.elapsed() < Duration::from_secs(10),
        "{:?}",
        stopped.elapsed()
    );
}

#[test]
fn a_sweep_is_events_to_whom_takes_those() {
    let client = SHARED.client();
    let request = json!({
        "config": defaults(&client),
        "grid": { "stop_loss_percent": ["8", "12"], "score_threshold": ["50", "60", "70"] },
    });
    let accept = [("Accept", "text/event-stream")];
    let body = request.to_string();
    let answer = client.with("POST", "/api/v1/sweep", &accept, body.as_bytes());
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let events = events(&answer.text());
    let rows: usize = events
        .iter()
        .filter(|(name, _)| name == "rows")
        .map(|(_, data)| data["rows"].as_array().unwrap().len())
        .sum();
    assert_eq!(rows, 6);
    assert!(events.iter().any(|(name, _)| name == "progress"));
    let (last, complete) = events.last().unwrap();
    assert_eq!(
        (last.as_str(), &complete["combinations"]),
        ("complete", &json!(6))
    );
}

#[test]
fn defaults_are_over_the_last_thirty_days_of_data() {
    let client = SHARED.client();
    let known = client.get("backtest/defaults").right();
    let day = |text: &Value| -> chrono::NaiveDate { text.as_str().unwrap().parse().unwrap() };
    let (first, last) = (day(&known["start_date"]), day(&known["end_date"]));
    assert_eq!(last, day(&client.get("status").right()["last_day"]));
    assert_eq!((last - first).num_days(), 29);
    for parameter in known["parameters"].as_array().unwrap() {
        for name in ["name", "group", "unit", "kind", "description"] {
            assert!(parameter[name].is_string(), "{name}: {parameter}");
        }
        for name in ["minimum", "maximum", "step", "default"] {
            assert!(parameter.get(name).is_some(), "{name}: {parameter}");
        }
    }
}

#[test]
fn other_machines_are_served_over_tls_alone() {
    let workspace = crate::server::workspace();
    let engine = NETWORK.block_on(hindsight::Engine::open(workspace.path()));
    let engine = engine.unwrap();
    let verifier = hindsight::server::verifier("a long word").unwrap();
    let stored = engine
        .store()
        .put_user("ann", hindsight::Role::Reader, &verifier);
    NETWORK.block_on(stored).unwrap();
    drop(engine);
    let options = Options {
        listen: "0.0.0.0:0".parse().unwrap(),
        trust: None,
        tls: Some(certificate()),
        ..trusting()
    };
    let server = HttpServer::start(workspace.path(), &options);
    assert_eq!(
        server.token, "",
        "a link with a token is for this machine alone"
    );
    let local = format!("127.0.0.1:{}", server.address.port());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate().certificate).unwrap())
        .unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let ask = |path: &str, authorization: &str| {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::clone(&config), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(&local).unwrap());
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: hindsight.example\r\n{authorization}Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(ask("/healthz", "").starts_with("HTTP/1.1 200 "));
    assert!(ask("/api/v1/status", "").starts_with("HTTP/1.1 401 "));
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode("ann:a long word");
    let basic = format!("Authorization: Basic {encoded}\r\n");
    let status = ask("/api/v1/status", &basic);
    assert!(
        status.starts_with("HTTP/1.1 200 ") && status.contains("\"ann\""),
        "{status}"
    );
    // In the clear nothing is answered.
    let mut plain = TcpStream::connect(&local).unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: hindsight.example\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(
        !answer.starts_with(b"HTTP/"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[test]
fn a_report_has_the_sweep_that_its_settings_came_from() {
    let client = SHARED.client();
    let run = client.post("backtest/run", &defaults(&client)).right();
    let path = format!("backtest/result/{}/report", run["id"].as_str().unwrap());
    let encoded = |grid: &Value| -> String {
        let text = grid.to_string();
        text.bytes().map(|byte| format!("%{byte:02x}")).collect()
    };
    let with = |grid: &Value| client.get(&format!("{path}?grid={}", encoded(grid)));
    let data = |answer: &super::Answer| -> Value {
        use base64::Engine as _;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text();
        let packed = text.split_once("id=\"data\">").unwrap().1;
        let packed = packed.split('<').next().unwrap();
        let packed = base64::engine::general_purpose::STANDARD
            .decode(packed)
            .unwrap();
        let mut json = String::new();
        let mut decoder = flate2::read::GzDecoder::new(&packed[..]);
        decoder.read_to_string(&mut json).unwrap();
        serde_json::from_str(&json).unwrap()
    };
    assert!(data(&client.get(&path)).get("sweep").is_none());
    let grid = json!({ "stop_loss_percent": ["8", "12", "15"], "score_threshold": ["60", "70"] });
    let known = data(&with(&grid));
    let sweep = &known["sweep"];
    assert_eq!(sweep["columns"][0], "score_threshold");
    assert_eq!(sweep["rows"].as_array().unwrap().len(), 6);
    assert_eq!(known["overfitting"]["rows"].as_array().unwrap().len(), 1);
    // The run itself is one of them.
    let place = |name: &str| {
        let mut columns = sweep["columns"].as_array().unwrap().iter();
        columns.position(|column| column == name).unwrap()
    };
    let own = &run["metrics_comparison"]["simulated"]["total_pnl_sol"];
    let mut rows = sweep["rows"].as_array().unwrap().iter();
    assert!(
        rows.any(|row| &row[place("simulated_total_pnl_sol")] == own),
        "{sweep}"
    );
    let large = json!({ "stop_loss_percent": steps(1, 50), "take_profit_percent": steps(5, 500) });
    for (wrong, status) in [
        (json!({ "stop_loss_percent": ["60"] }), 422),
        (json!({ "stop_los_percent": ["10"] }), 400),
        (json!(["x"]), 400),
        (large, 422),
    ] {
        let answer = with(&wrong);
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}
