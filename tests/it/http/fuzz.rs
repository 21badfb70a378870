//! Requests written at random: whatever they are, they are answered, and never with the server's fault.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{HttpServer, defaults, operating, read};
use crate::random::Random;

/// How many requests, unless `HINDSIGHT_FUZZ_SECONDS` says how long.
const REQUESTS: u32 = 400;

fn pick<'a, T>(random: &mut Random, of: &'a [T]) -> &'a T {
    &of[usize::try_from(random.between(0, of.len() as i128 - 1)).unwrap()]
}

/// A value that may stand anywhere.
fn value(random: &mut Random) -> Value {
    let texts = [
        "",
        "0",
        "-1",
        "1e9",
        "70",
        "0.30",
        "null",
        "'; drop table signals; --",
        "2025-01-01",
        "2025-13-45",
        "99999999999999999999999999999999999999999",
        "\u{202e}\u{1F4A9}",
        "<b>",
        "$1",
        "trailing_stop",
        "array[1]",
        "\\",
        "\"",
        "a\nb",
    ];
    match random.between(0, 7) {
        0 => Value::Null,
        1 => json!(random.between(-5, 5) as i64),
        2 => json!(random.between(0, 1) == 1),
        3 => json!([value_text(random, &texts), 1]),
        4 => json!({ "a": value_text(random, &texts) }),
        _ => json!(value_text(random, &texts)),
    }
}

fn value_text(random: &mut Random, texts: &[&str]) -> String {
    (*pick(random, texts)).to_owned()
}

/// Puts something else somewhere into a document.
fn mutate(random: &mut Random, document: &mut Value) {
    match document {
        Value::Object(members) if !members.is_empty() => {
            let names: Vec<String> = members.keys().cloned().collect();
            let name = pick(random, &names).clone();
            match random.between(0, 5) {
                0 => drop(members.remove(&name)),
                1 => drop(members.insert(format!("{name}x"), value(random))),
                2 => drop(members.insert(name, value(random))),
                _ => {
                    if let Some(member) = members.get_mut(&name) {
                        mutate(random, member);
                    }
                }
            }
        }
        Value::Array(items) if !items.is_empty() && random.between(0, 1) == 1 => {
            let place = usize::try_from(random.between(0, items.len() as i128 - 1)).unwrap();
            mutate(random, &mut items[place]);
        }
        other => *other = value(random),
    }
}

/// The same request, its body in chunks of any size.
fn in_chunks(random: &mut Random, request: &[u8]) -> Vec<u8> {
    let stated = b"Content-Length: ";
    let place = request
        .windows(stated.len())
        .position(|window| window == stated);
    let (head, rest) = request.split_at(place.unwrap());
    let end = rest.windows(4).position(|window| window == b"\r\n\r\n");
    let mut body = &rest[end.unwrap() + 4..];
    let mut chunked = head.to_vec();
    chunked.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    while !body.is_empty() {
        let size = usize::try_from(random.between(1, 200)).unwrap();
        let (chunk, behind) = body.split_at(size.min(body.len()));
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
        body = behind;
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    chunked
}

#[test]
fn no_request_is_the_server_s_fault() {
    let workspace = crate::server::workspace();
    let server = HttpServer::start(workspace.path(), &operating());
    let client = server.client();
    let config = defaults(&client);
    let id = client.post("backtest/run", &config).right()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let seeds = [
        ("POST", "backtest/run", config.clone()),
        ("POST", "backtest/run/stream", config.clone()),
        (
            "POST",
            "live",
            json!({ "page": "p", "seq": 1, "width": 10, "config": config, "response": ["stop_loss_percent"] }),
        ),
        (
            "POST",
            "sweep",
            json!({ "config": config, "grid": { "score_threshold": ["60", "70"] } }),
        ),
        (
            "POST",
            "table/compare_trades",
            json!({ "config": config, "columns": ["signal_id"], "order": ["-score"], "filter": { "change": "skipped" }, "limit": 2 }),
        ),
        (
            "POST",
            "backtest/apply",
            json!({ "backtest_id": id, "settings_version": "x", "confirm_apply": true }),
        ),
        (
            "POST",
            "settings/rollback",
            json!({ "history_id": "x", "confirm": true }),
        ),
        (
            "PUT",
            "scenarios/s",
            json!({ "description": "d", "tags": ["t"], "config": { "score_threshold": "60" } }),
        ),
    ];
    let gets = [
        "backtest/result/{id}",
        "backtest/result/{id}/trades?order=score",
        "backtest/result/{id}/report?grid=%7B%22score_threshold%22%3A%5B60%2C70%5D%7D",
        "backtest/history?limit=1",
        "backtest/history?before={id}",
        "backtest/preview/{id}",
        "prices?token=x&from=2025-01-01T00:00:00Z",
        "settings",
        "scenarios/s",
        "backtest/defaults",
        "status",
        "quality",
    ];
    let bytes: &[u8] = b"/?&=%20'\"<>{}[]\\\x00\xff\x80 a1_-.:;,+#\r\n\t";
    let random = &mut Random::of_test("http_fuzz");
    let seconds = std::env::var("HINDSIGHT_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut asked = 0;
    while until.map_or(asked < REQUESTS, |until| Instant::now() < until) {
        asked += 1;
        let request = match random.between(0, 3) {
            0 => {
                let mut path = pick(random, &gets).replace("{id}", &id).into_bytes();
                for _ in 0..random.between(0, 3) {
                    let place = usize::try_from(random.between(0, path.len() as i128)).unwrap();
                    path.insert(place, *pick(random, bytes));
                }
                let path = String::from_utf8_lossy(&path).into_owned();
                client.request("GET", &format!("/api/v1/{path}"), &[], b"")
            }
            1 => {
                let (method, path, body) = pick(random, &seeds).clone();
                let mut body = body.to_string().into_bytes();
                for _ in 0..random.between(1, 3) {
                    let place = usize::try_from(random.between(0, body.len() as i128 - 1)).unwrap();
                    body[place] = *pick(random, bytes);
                }
                client.request(method, &format!("/api/v1/{path}"), &[], &body)
            }
            _ => {
                let (method, path, mut body) = pick(random, &seeds).clone();
                for _ in 0..random.between(1, 3) {
                    mutate(random, &mut body);
                }
                client.request(
                    method,
                    &format!("/api/v1/{path}"),
                    &[],
                    body.to_string().as_bytes(),
                )
            }
        };
        let request = match random.between(0, 4) {
            0 => in_chunks(random, &request),
            _ => request,
        };
        let Ok(answer) = client
            .send(&request)
            .and_then(|mut stream| read(&mut stream))
        else {
            panic!("no answer to {}", String::from_utf8_lossy(&request));
        };
        let shown = || format!("{}\n{}", String::from_utf8_lossy(&request), answer.text());
        assert!(
            (200..500).contains(&answer.status),
            "{}: {}",
            answer.status,
            shown()
        );
        assert!(
            !answer.text().contains("\"sqlstate\":\"XX000\""),
            "{}",
            shown()
        );
    }
    assert_eq!(client.get("status").status, 200);
}
