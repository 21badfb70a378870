//! Bodies that come in chunks: read as one, and refused where they are none.

use std::io::{Read, Write};

use super::{SHARED, defaults, read};

#[test]
fn a_body_in_chunks_is_read_as_one_and_the_next_request_behind_it() {
    let client = SHARED.client();
    let body = defaults(&client).to_string();
    let head = format!(
        "Host: {}\r\nAuthorization: {}\r\nContent-Type: application/json\r\n",
        SHARED.address,
        client.authorization.clone().unwrap()
    );
    let chunks: Vec<String> = body
        .as_bytes()
        .chunks(100)
        .map(|part| format!("{:x}\r\n{}\r\n", part.len(), String::from_utf8_lossy(part)))
        .collect();
    let post = "POST /api/v1/backtest/run?trades=0 HTTP/1.1\r\n";
    let request = format!(
        "{post}{head}Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunks.concat()
    );
    let mut stream = client.send(request.as_bytes()).unwrap();
    let next = client.request("GET", "/api/v1/status", &[], b"");
    stream.write_all(&next).unwrap();
    let run = read(&mut stream).unwrap().right();
    assert_eq!(run["status"], "completed");
    assert!(read(&mut stream).unwrap().right()["signals"].is_u64());
    // Who waits to be told to go on is told, and what comes then is taken.
    let waiting = format!("{post}{head}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
    stream.write_all(waiting.as_bytes()).unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    let rest = format!("{}0\r\n\r\n", chunks.concat());
    stream.write_all(rest.as_bytes()).unwrap();
    assert_eq!(read(&mut stream).unwrap().right()["status"], "completed");
    // What is no chunk, and more than a body may be, are refused, and end the connection.
    for (chunk, status) in [
        ("nonsense\r\n".to_owned(), 400),
        (format!("{:x}\r\n", 1 << 21), 413),
    ] {
        let request = format!("{post}{head}Transfer-Encoding: chunked\r\n\r\n{chunk}");
        let mut stream = client.send(request.as_bytes()).unwrap();
        let refused = read(&mut stream).unwrap();
        assert_eq!(
            (refused.status, refused.header("connection")),
            (status, Some("close"))
        );
    }
    assert_eq!(client.get("status").status, 200);
}
