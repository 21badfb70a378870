//! The server, as it is started: where it listens and what it says.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;

use super::{Outcome, failure, hindsight};

#[test]
fn cli_serve_listens_on_both_loopbacks_for_localhost() -> Outcome {
    let workspace = super::workspace()?;
    let mut child = hindsight(workspace.path())
        .args(["--quiet", "serve", "--trust", "--listen", "localhost:0"])
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    let stderr = child.stderr.take().ok_or("no stderr")?;
    BufReader::new(stderr).read_line(&mut said)?;
    let port = said.strip_prefix("listening on localhost:");
    let port = port.and_then(|rest| rest.split(',').next()?.parse().ok());
    let port: u16 = port.ok_or_else(|| format!("no port in {said:?}"))?;
    let mut addresses: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        addresses.push(Ipv6Addr::LOCALHOST.into());
    }
    for address in addresses {
        TcpStream::connect(SocketAddr::new(address, port))?;
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[test]
fn cli_serve_says_how_it_may_listen() -> Outcome {
    let workspace = super::workspace()?;
    for (listen, expected) in [
        (
            "moon:5433",
            "expected an address and a port, such as 127.0.0.1:5433",
        ),
        ("5433", "expected an address and a port"),
        (
            "0.0.0.0:0",
            "a loopback address only, such as 127.0.0.1; 0.0.0.0:0 is none",
        ),
    ] {
        let arguments = ["serve", "--trust", "--listen", listen];
        let (code, errors) = failure(workspace.path(), &arguments)?;
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    }
    Ok(())
}
