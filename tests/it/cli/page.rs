//! The server as people run it: the link, the log, the end, and the files that begin it elsewhere.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Outcome, hindsight, run, text};
use crate::files;

/// A server that is started, and what it has said so far.
struct Started {
    child: Child,
    stderr: BufReader<ChildStderr>,
    address: SocketAddr,
    token: String,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(workspace: &std::path::Path) -> Result<Started, Box<dyn std::error::Error>> {
    let mut child = hindsight(workspace)
        .args(["serve", "--trust", "operator", "--listen", "127.0.0.1:0"])
        .args(["--http", "127.0.0.1:0", "--log-format", "json"])
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stderr = BufReader::new(child.stderr.take().ok_or("no stderr")?);
    let mut lines = [String::new(), String::new()];
    for line in &mut lines {
        stderr.read_line(line)?;
    }
    let link = lines[1].strip_prefix("page on http://");
    let link = link.and_then(|rest| rest.split(',').next());
    let link = link.ok_or_else(|| format!("no link in {lines:?}"))?;
    let (address, token) = link.split_once("/#token=").ok_or("no token")?;
    assert_eq!(token.len(), 43, "{link}");
    Ok(Started {
        address: address.parse()?,
        token: token.to_owned(),
        child,
        stderr,
    })
}

/// The head of the answer to a request.
fn ask(server: &Started, target: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server.address)?;
    let (address, token) = (server.address, &server.token);
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Connection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn cli_serve_prints_a_link_logs_requests_and_ends_at_once() -> Outcome {
    let workspace = crate::server::workspace();
    let mut server = start(workspace.path())?;
    let token = server.token.clone();
    assert!(ask(&server, "/api/v1/status")?.starts_with("HTTP/1.1 200 "));
    assert!(ask(&server, &format!("/api/v1/status?token={token}"))?.starts_with("HTTP/1.1 400 "));
    assert!(ask(&server, "/healthz")?.starts_with("HTTP/1.1 200 "));
    // One that is open and says nothing.
    let idle = TcpStream::connect(server.address)?;
    let pid = server.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()?
            .success()
    );
    let asked = Instant::now();
    let code = server.child.wait()?;
    assert!(code.success(), "{code}");
    assert!(asked.elapsed() < Duration::from_secs(30));
    drop(idle);
    let mut log = String::new();
    server.stderr.read_to_string(&mut log)?;
    assert!(!log.contains(&token), "{log}");
    let line = log.lines().find(|line| line.contains("GET /api/v1/status"));
    let line: serde_json::Value = serde_json::from_str(line.ok_or_else(|| log.clone())?)?;
    assert_eq!(line["status"], 200);
    assert!(line["ms"].is_f64() && line["user"].is_string(), "{line}");
    Ok(())
}

#[test]
fn cli_serve_without_a_page_says_nothing_of_one() -> Outcome {
    let workspace = super::workspace()?;
    let arguments = ["serve", "--trust", "--listen", "127.0.0.1:0", "--check"];
    for (http, places) in [("none", ":0\n"), ("127.0.0.1:9", ":0 and 127.0.0.1:9\n")] {
        let arguments = [&arguments[..], &["--http", http]].concat();
        let output = run(workspace.path(), &arguments)?;
        let said = text(&output.stderr) + &text(&output.stdout);
        assert!(said.ends_with(places), "{said}");
    }
    let arguments = [
        "serve",
        "--trust",
        "--listen",
        "127.0.0.1:0",
        "--http",
        "0.0.0.0:0",
    ];
    let output = run(workspace.path(), &arguments)?;
    assert_eq!(output.status.code(), Some(2));
    Ok(())
}

/// A command line as a file has it, with what is elsewhere on this machine, checked and not begun.
fn check(words: &[&str]) -> Outcome {
    let workspace = super::workspace()?;
    let added = hindsight(workspace.path())
        .args(["user", "add", "ann", "--role", "reader"])
        .env("HINDSIGHT_PASSWORD", "long enough to be one")
        .output()?;
    assert!(added.status.success(), "{}", text(&added.stderr));
    let tls = files::test_data().join("tls");
    let words = words.iter().map(|word| match *word {
        "/tls/tls.crt" => tls.join("certificate.pem").display().to_string(),
        "/tls/tls.key" => tls.join("key.pem").display().to_string(),
        word => word.to_owned(),
    });
    let output = hindsight(workspace.path())
        .args(words)
        .arg("--check")
        .output()?;
    let said = text(&output.stderr) + &text(&output.stdout);
    assert!(said.contains("the configuration is right"), "{said}");
    Ok(())
}

pub fn deploy(name: &str) -> std::io::Result<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join("src/server/deploy").join(name))
}

#[test]
fn cli_serve_begins_as_the_unit_says() -> Outcome {
    let unit = deploy("hindsight.service")?;
    let begun = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let words: Vec<&str> = begun.ok_or("no ExecStart")?.split(' ').collect();
    let ["/usr/local/bin/hindsight", "--data", _, rest @ ..] = words.as_slice() else {
        return Err(format!("{words:?}").into());
    };
    check(rest)
}

#[test]
fn cli_serve_begins_as_the_container_says() -> Outcome {
    let file = deploy("Containerfile")?;
    let list = |name: &str| -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let line = file.lines().rev().find_map(|line| line.strip_prefix(name));
        Ok(serde_json::from_str(line.ok_or("no line")?)?)
    };
    assert_eq!(list("ENTRYPOINT ")?[..2], ["hindsight", "--data"]);
    let words = list("CMD ")?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    check(&words)
}
