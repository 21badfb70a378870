//! What every request must be, before anybody looks at what it asks for.
//!
//! A page that can change how money is traded is attacked through its user's browser: so a request
//! names a host that is ours (or another name was made to point here), comes from our own page or
//! from no page, and is no form; and what is answered says to browsers what they may do with it.

use std::net::SocketAddr;

use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};

use super::problem::Problem;

/// What the page may do: run and look as its own files say, and ask its own server.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src \
                          'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                          frame-ancestors 'none'";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The hosts that are ours, in small letters, with their ports.
#[derive(Debug, Clone)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// Those of an address that is listened on, and those that the server was told.
    pub fn new(address: SocketAddr, told: &[String]) -> Self {
        let port = address.port();
        let mut hosts: Vec<String> = match address.ip().is_loopback() {
            true => ["127.0.0.1", "localhost", "[::1]"]
                .map(|host| format!("{host}:{port}"))
                .to_vec(),
            false => Vec::new(),
        };
        if !address.ip().is_unspecified() {
            hosts.push(address.to_string());
        }
        for host in told {
            let host = host.to_ascii_lowercase();
            // With the port that it is reached by, or behind a proxy by that of its scheme.
            hosts.push(format!("{host}:{port}"));
            hosts.push(host);
        }
        Self(hosts)
    }

    fn has(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.0.contains(&host)
    }
}

/// The only value of a header, if it has one.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    let wrong = || Problem::request(format!("the header {name} is there twice, or is no text"));
    if values.next().is_some() {
        return Err(wrong());
    }
    first
        .map(|value| value.to_str().map_err(|_| wrong()))
        .transpose()
}

/// Refuses a request that names another host than ours.
pub fn check_host(head: &Request<()>, hosts: &Hosts) -> Result<(), Problem> {
    let named = single(head.headers(), &HOST)?;
    let in_target = head.uri().authority().map(|authority| authority.as_str());
    let is_ours =
        named.is_some_and(|host| hosts.has(host)) && in_target.is_none_or(|host| hosts.has(host));
    match is_ours {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "the request names a host that is not this server's",
        )
        .hinted("hindsight serve --http-host NAME makes a name known")),
    }
}

/// Refuses what other pages have a browser send.
pub fn check_sender(head: &Request<()>, hosts: &Hosts) -> Result<(), Problem> {
    if matches!(*head.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let refuse = |detail: &str| Err(Problem::new(StatusCode::FORBIDDEN, detail));
    if let Some(origin) = single(head.headers(), &ORIGIN)? {
        let host = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        if !host.is_some_and(|host| hosts.has(host)) {
            return refuse("the request comes from a page of another origin");
        }
    }
    match single(head.headers(), &SEC_FETCH_SITE)? {
        None | Some("same-origin" | "none") => {}
        Some(_) => return refuse("the request comes from a page of another site"),
    }
    let kind = single(head.headers(), &CONTENT_TYPE)?.unwrap_or_default();
    let (kind, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let parameters = parameters.trim().to_ascii_lowercase();
    let is_json = kind.trim().eq_ignore_ascii_case("application/json")
        && matches!(
            parameters.as_str(),
            "" | "charset=utf-8" | "charset=\"utf-8\""
        );
    match is_json {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the Content-Type must be application/json",
        )),
    }
}

/// Who it says that asks.
pub fn authorization(head: &Request<()>) -> Result<Option<&str>, Problem> {
    single(head.headers(), &AUTHORIZATION)
}

/// Says to browsers what they may do with an answer.
pub fn guard_answer(headers: &mut HeaderMap) {
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn head(method: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn hosts_are_ours_to_the_letter() {
        let hosts = Hosts::new("127.0.0.1:8433".parse().unwrap(), &["Example.org".into()]);
        for ours in [
            "127.0.0.1:8433",
            "localhost:8433",
            "LOCALHOST:8433",
            "[::1]:8433",
            "example.org",
            "example.org:8433",
        ] {
            assert!(
                check_host(&head("GET", &[("host", ours)]), &hosts).is_ok(),
                "{ours}"
            );
        }
        for other in [
            "",
            "127.0.0.1",
            "localhost:8434",
            "evil.example:8433",
            "localhost.:8433",
        ] {
            assert!(
                check_host(&head("GET", &[("host", other)]), &hosts).is_err(),
                "{other}"
            );
        }
        assert!(check_host(&head("GET", &[]), &hosts).is_err());
        let twice = [("host", "localhost:8433"), ("host", "evil.example")];
        assert!(check_host(&head("GET", &twice), &hosts).is_err());
        let open = Hosts::new("0.0.0.0:8433".parse().unwrap(), &[]);
        assert!(check_host(&head("GET", &[("host", "localhost:8433")]), &open).is_err());
    }

    #[test]
    fn other_pages_and_forms_are_refused() {
        let hosts = Hosts::new("127.0.0.1:1".parse().unwrap(), &[]);
        let json = ("content-type", "application/json");
        let status = |headers: &[(&str, &str)]| {
            check_sender(&head("POST", headers), &hosts)
                .map_or_else(|problem| problem.status.as_u16(), |()| 200)
        };
        assert_eq!(status(&[json]), 200);
        assert_eq!(
            status(&[("content-type", "application/json; charset=UTF-8")]),
            200
        );
        assert_eq!(status(&[json, ("origin", "http://localhost:1")]), 200);
        assert_eq!(status(&[json, ("sec-fetch-site", "same-origin")]), 200);
        for origin in [
            "null",
            "http://localhost:2",
            "http://evil.example",
            "localhost:1",
            "",
        ] {
            assert_eq!(status(&[json, ("origin", origin)]), 403, "{origin}");
        }
        for site in ["cross-site", "same-site", "", "Same-Origin"] {
            assert_eq!(status(&[json, ("sec-fetch-site", site)]), 403, "{site}");
        }
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonp",
            "application/json; charset=latin1",
            "text/plain; application/json",
        ] {
            assert_eq!(status(&[("content-type", kind)]), 415, "{kind}");
        }
        assert_eq!(status(&[]), 415);
    }
}
