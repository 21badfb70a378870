//! A PostgreSQL and how it is reached: what a URL, a service and the environment say together.
//!
//! For the state and for a history to load alike. Nothing here shows a password. A connection may
//! come from a pooler that gives its server connection to somebody else after every transaction, so
//! nothing is left behind in it: no setting of the session, no named statement, no lock. What a
//! transaction needs it says at its beginning, for itself alone.

mod connect;
mod environment;
mod problem;
mod url;

use std::fmt;
use std::time::Duration;

use crate::error::{Error, Result};
use environment::Known;
use url::Keywords;

/// How long a server may take to let us in, unless `connect_timeout` says otherwise.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where a PostgreSQL is, and as whom we come.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// The URL without password and options, for people.
    pub(super) name: String,
    pub(super) user: String,
    pub(super) database: String,
    hosts: Vec<Host>,
    tls: Tls,
    application: String,
    patience: Duration,
    session: SessionKind,
    /// Of every transaction: names and values, already checked to be plain words.
    settings: Vec<(String, String)>,
}

#[derive(Clone, PartialEq, Eq)]
struct Host {
    /// A name, an address, or the directory of a socket.
    host: String,
    port: u16,
    password: Known,
}

/// Whether a connection is encrypted, and what is checked.
#[derive(Clone, PartialEq, Eq)]
struct Tls {
    mode: TlsMode,
    root: Root,
    certificate: Option<String>,
    key: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TlsMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Whose signature on the server's certificate counts.
#[derive(Clone, PartialEq, Eq)]
enum Root {
    File(String),
    System,
    /// The file at home, or whom the system trusts.
    Default,
}

/// Which servers will do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SessionKind {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl Server {
    /// Reads a URL; what it leaves out comes from its service, from the environment, or is what
    /// PostgreSQL's own clients take.
    pub fn read(url: &str) -> Result<Self> {
        let mut keywords = url::read(url)?;
        let service = keywords.get("service").cloned();
        if let Some(service) = service.or_else(|| environment::variable("PGSERVICE")) {
            fill(&mut keywords, environment::service(&service)?);
        }
        fill(&mut keywords, environment::variables());
        Self::of(&keywords)
    }

    fn of(keywords: &Keywords) -> Result<Self> {
        let get = |keyword: &str| keywords.get(keyword).map(String::as_str);
        let user = get("user").map(str::to_owned);
        let user = user.or_else(|| environment::variable("USER"));
        let user = user.or_else(|| environment::variable("LOGNAME"));
        let user = user.unwrap_or_else(|| "postgres".into());
        let database = get("dbname").unwrap_or(&user).to_owned();
        let mut settings = settings(get("options").unwrap_or_default())?;
        if let Some(schema) = get("schema") {
            settings.push(("search_path".into(), setting_value("search_path", schema)));
        }
        let mut server = Self {
            name: String::new(),
            hosts: hosts(keywords, &database, &user)?,
            user,
            database,
            tls: tls(keywords)?,
            application: get("application_name").unwrap_or("hindsight").to_owned(),
            patience: patience(get("connect_timeout"))?,
            session: session(get("target_session_attrs"))?,
            settings,
        };
        server.name = server.named();
        Ok(server)
    }

    fn named(&self) -> String {
        let Self { user, database, .. } = self;
        if let [only] = self.hosts.as_slice()
            && only.is_socket()
        {
            return format!("postgres://{user}@/{database}?host={}", only.host);
        }
        let hosts: Vec<String> = self.hosts.iter().map(Host::to_string).collect();
        format!("postgres://{user}@{}/{database}", hosts.join(","))
    }

    /// Statements that give a transaction these settings, and those that the URL asks for.
    pub(super) fn local_settings(&self, ours: &[(&str, &str)]) -> String {
        let theirs = self.settings.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        // Whoever had the connection before may have left a path of their own.
        let all = [("search_path", "default")].into_iter();
        let all = all.chain(ours.iter().copied()).chain(theirs);
        let all = all.map(|(name, value)| format!("set local {name} = {value}"));
        all.collect::<Vec<_>>().join("; ")
    }

    /// The file of passwords that was not used, since others may read it.
    fn exposed_passwords(&self) -> Option<&std::path::Path> {
        self.hosts.iter().find_map(|host| match &host.password {
            Known::Exposed(file) => Some(file.as_path()),
            _ => None,
        })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Host {
    fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Adds what is not said yet.
fn fill(keywords: &mut Keywords, more: Keywords) {
    // A host that was said is not where the address of another is.
    let names_host = keywords.contains_key("host") || keywords.contains_key("hostaddr");
    for (keyword, value) in more {
        if !(names_host && keyword == "hostaddr") {
            keywords.entry(keyword).or_insert(value);
        }
    }
}

fn hosts(keywords: &Keywords, database: &str, user: &str) -> Result<Vec<Host>> {
    let list = |keyword: &str| {
        let text = keywords.get(keyword).map_or("", String::as_str);
        text.split(',').map(str::trim).collect::<Vec<_>>()
    };
    let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let verifies_name = keywords
        .get("sslmode")
        .is_some_and(|mode| mode == "verify-full");
    let count = names.len().max(addresses.len());
    if ports.len() > 1 && ports.len() != count {
        return Err(Error::Usage(format!(
            "there are {} ports for {count} hosts: give one for all, or one for each",
            ports.len()
        )));
    }
    let mut hosts = Vec::with_capacity(count);
    for at in 0..count {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or("");
        let port = match port {
            "" => 5432,
            port => port
                .parse::<u16>()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| {
                    // What stands there may be a part of a password.
                    Error::Usage(
                    "the port of the database must be a number from 1 to 65535; a : / ? # or @ in \
                     a password is written %3A %2F %3F %23 or %40"
                        .into(),
                )
                })?,
        };
        let name = names.get(at).copied().unwrap_or("");
        let address = addresses.get(at).copied().unwrap_or("");
        // The name is what a certificate is for.
        let host = match (name, address) {
            ("", "") => default_host(port),
            (name, "") => name.to_owned(),
            ("", address) => address.to_owned(),
            (name, _) if verifies_name => name.to_owned(),
            (_, address) => address.to_owned(),
        };
        let known_as = if name.is_empty() { &host } else { name };
        let password = match keywords.get("password") {
            Some(password) => Known::Password(password.clone()),
            None => {
                let file = keywords.get("passfile").map(String::as_str);
                environment::password(file, known_as, port, database, user)
            }
        };
        hosts.push(Host {
            host,
            port,
            password,
        });
    }
    Ok(hosts)
}

/// The socket of a server on this machine, if there is one.
fn default_host(port: u16) -> String {
    let folders = ["/var/run/postgresql", "/tmp"];
    let socket = format!(".s.PGSQL.{port}");
    let found = folders
        .into_iter()
        .find(|folder| std::path::Path::new(folder).join(&socket).exists());
    found.unwrap_or("localhost").to_owned()
}

fn tls(keywords: &Keywords) -> Result<Tls> {
    let root = match keywords.get("sslrootcert").map(String::as_str) {
        Some("system") => Root::System,
        Some(file) => Root::File(file.to_owned()),
        None => Root::Default,
    };
    let mode = match keywords.get("sslmode").map(String::as_str) {
        None if root == Root::System => TlsMode::VerifyFull,
        None => TlsMode::Prefer,
        Some("disable") => TlsMode::Disable,
        Some("allow") => TlsMode::Allow,
        Some("prefer") => TlsMode::Prefer,
        // As libpq has it: who names an authority wants it asked.
        Some("require") if matches!(root, Root::File(_)) => TlsMode::VerifyCa,
        Some("require") if environment::at_home("root.crt").is_some() => TlsMode::VerifyCa,
        Some("require") => TlsMode::Require,
        Some("verify-ca") => TlsMode::VerifyCa,
        Some("verify-full") => TlsMode::VerifyFull,
        Some(_) => {
            return Err(Error::Usage(
                "sslmode must be disable, allow, prefer, require, verify-ca or verify-full".into(),
            ));
        }
    };
    if root == Root::System && mode != TlsMode::VerifyFull {
        return Err(Error::Usage(
            "sslrootcert=system trusts everybody whom the system trusts, so that it needs \
             sslmode=verify-full"
                .into(),
        ));
    }
    let file = |keyword: &str| keywords.get(keyword).cloned();
    Ok(Tls {
        mode,
        root,
        certificate: file("sslcert"),
        key: file("sslkey"),
    })
}

fn patience(seconds: Option<&str>) -> Result<Duration> {
    match seconds.map(str::parse::<u64>) {
        None | Some(Ok(0)) => Ok(PATIENCE),
        Some(Ok(seconds)) => Ok(Duration::from_secs(seconds)),
        Some(Err(_)) => Err(Error::Usage(
            "connect_timeout must be a whole number of seconds".into(),
        )),
    }
}

fn session(kind: Option<&str>) -> Result<SessionKind> {
    Ok(match kind {
        None | Some("any") => SessionKind::Any,
        Some("read-write") => SessionKind::ReadWrite,
        Some("read-only") => SessionKind::ReadOnly,
        Some("primary") => SessionKind::Primary,
        Some("standby") => SessionKind::Standby,
        Some("prefer-standby") => SessionKind::PreferStandby,
        Some(_) => {
            return Err(Error::Usage(
                "target_session_attrs must be any, read-write, read-only, primary, standby or \
                 prefer-standby"
                    .into(),
            ));
        }
    })
}

/// `-c name=value` and `--name=value`, as a server takes them when a connection begins. They are
/// given to each transaction instead, since poolers refuse them there.
fn settings(options: &str) -> Result<Vec<(String, String)>> {
    let refuse = || {
        Err(Error::Usage(
            "options of the connection are written -c name=value, percent-encoded in a URL as \
             options=-csearch_path%3Dtrading"
                .into(),
        ))
    };
    let mut settings = Vec::new();
    let mut words = words(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(setting), _) => setting.to_owned(),
            (None, Some("")) => words.next().unwrap_or_default(),
            (None, Some(setting)) => setting.to_owned(),
            (None, None) => return refuse(),
        };
        let Some((name, value)) = setting.split_once('=') else {
            return refuse();
        };
        let name = name.trim().replace('-', "_");
        let is_name =
            |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
        if name.is_empty() || !name.chars().all(is_name) {
            return refuse();
        }
        settings.push((name.clone(), setting_value(&name, value)));
    }
    Ok(settings)
}

/// A value in SQL: a path is a list of names, anything else is one text.
fn setting_value(name: &str, value: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    match name {
        "search_path" => {
            let names = value
                .split(',')
                .map(|name| quoted(name.trim().trim_matches('"')));
            names.collect::<Vec<_>>().join(", ")
        }
        _ => quoted(value),
    }
}

/// The words of a text between blanks, which a backslash keeps.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.extend(letters.next()),
            letter if letter.is_whitespace() => words.push(std::mem::take(&mut word)),
            letter => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests;
