//! A `postgres://` URL as libpq reads it: keywords and their values. Its errors repeat nothing of
//! the URL, for it may hold a password.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// Keywords of libpq with their values, as a URL, a service or the environment gives them.
pub(super) type Keywords = BTreeMap<&'static str, String>;

/// The keywords that mean something here.
pub(super) const KNOWN: [&str; 17] = [
    "application_name",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "passfile",
    "password",
    "port",
    "schema",
    "service",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
];

/// Keywords that others read out of the same URL, or that change nothing here.
const OTHERS: [&str; 23] = [
    "channel_binding",
    "client_encoding",
    "connection_limit",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "pgbouncer",
    "pool_mode",
    "pool_timeout",
    "prepareThreshold",
    "prepared_statements",
    "sslcompression",
    "sslsni",
    "statement-cache-capacity",
    "statement_cache_size",
    "supa",
    "tcp_user_timeout",
    "workaround",
];

/// The keyword of this name; `None` where it means nothing here.
pub(super) fn keyword(name: &str) -> Result<Option<&'static str>> {
    // As sqlx calls them.
    let name = match name {
        "ssl-mode" => "sslmode",
        "ssl-root-cert" | "ssl-ca" => "sslrootcert",
        "ssl-cert" => "sslcert",
        "ssl-key" => "sslkey",
        name => name,
    };
    let known = KNOWN.iter().find(|known| **known == name);
    if known.is_none() && !OTHERS.contains(&name) {
        // What stands there may be a part of a password.
        return Err(Error::Usage(format!(
            "the connection has a parameter that is not known; known are {}, and a & in a password \
             is written %26",
            KNOWN.join(", ")
        )));
    }
    Ok(known.copied())
}

/// What a URL says.
pub(super) fn read(url: &str) -> Result<Keywords> {
    let url = url.trim();
    let rest = match url.split_once("://") {
        Some(("postgres" | "postgresql", rest)) => rest,
        _ => {
            return refuse(
                "a database is named by a URL such as postgres://user@host:5432/database",
            );
        }
    };
    // Else a part of the password would be taken for a host, a port or a database, and be shown.
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(authority_end);
    if rest.contains(['@', '#']) {
        return refuse(
            "the URL of the database has a / ? # or @ where none can be: in a password these are \
             written %2F %3F %23 and %40; or leave it out and set PGPASSWORD",
        );
    }
    let mut keywords = Keywords::new();
    let hosts = match authority.rsplit_once('@') {
        Some((user, hosts)) => {
            let (user, password) = match user.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (user, None),
            };
            put(&mut keywords, "user", decoded(user)?);
            if let Some(password) = password {
                put(&mut keywords, "password", decoded(password)?);
            }
            hosts
        }
        None => authority,
    };
    read_hosts(hosts, &mut keywords)?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    put(
        &mut keywords,
        "dbname",
        decoded(path.trim_start_matches('/'))?,
    );
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        // One option, as sqlx writes it.
        let option = name
            .strip_prefix("options[")
            .and_then(|name| name.strip_suffix(']'));
        if let Some(option) = option {
            let options = keywords.entry("options").or_default();
            *options += &format!(" -c {option}={}", value.replace(' ', "\\ "));
        } else if let Some(keyword) = keyword(&name)? {
            put(&mut keywords, keyword, value);
        }
    }
    Ok(keywords)
}

fn put(keywords: &mut Keywords, keyword: &'static str, value: String) {
    if !value.is_empty() {
        keywords.insert(keyword, value);
    }
}

/// `host:port,host:port`, an address of IPv6 in brackets.
fn read_hosts(text: &str, keywords: &mut Keywords) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for entry in text.split(',') {
        let (host, port) = match entry.strip_prefix('[').and_then(|e| e.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or(rest)),
            None => entry.rsplit_once(':').unwrap_or((entry, "")),
        };
        hosts.push(decoded(host)?);
        ports.push(port.to_owned());
    }
    put(keywords, "host", hosts.join(","));
    if ports.iter().any(|port| !port.is_empty()) {
        put(keywords, "port", ports.join(","));
    }
    Ok(())
}

/// Text with `%41` for A; a % that no two hexadecimal digits follow is itself.
fn decoded(text: &str) -> Result<String> {
    let bytes = text.as_bytes();
    let digit = |at: usize| {
        bytes
            .get(at)
            .and_then(|byte| char::from(*byte).to_digit(16))
    };
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, _, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    match String::from_utf8(decoded) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => refuse("the URL of the database has bytes in it that are no UTF-8 text"),
    }
}

fn refuse<T>(problem: &str) -> Result<T> {
    Err(Error::Usage(problem.to_owned()))
}
