//! Connecting: host after host, encrypted as asked.

use std::path::PathBuf;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use super::environment::{Known, at_home, variable};
use super::problem::Problem;
use super::{Host, Root, Server, SessionKind, TlsMode};
use crate::error::{Error, Result};

impl Server {
    /// The first of its hosts that lets us in, and how it is reached.
    pub(in super::super) async fn connect(&self) -> Result<(PgConnection, PgConnectOptions)> {
        if let SessionKind::PreferStandby = self.session {
            return match self.connect_to(SessionKind::Standby).await {
                Ok(connected) => Ok(connected),
                Err(_) => self.connect_to(SessionKind::Any).await,
            };
        }
        self.connect_to(self.session).await
    }

    async fn connect_to(&self, wanted: SessionKind) -> Result<(PgConnection, PgConnectOptions)> {
        let mut problems: Vec<(&Host, Problem)> = Vec::new();
        for host in &self.hosts {
            match self.try_host(host, wanted).await {
                Ok(connected) => return Ok(connected),
                Err(problem) => {
                    // Another host would ask for the same password.
                    let is_final = problem.is_final;
                    problems.push((host, problem));
                    if is_final {
                        break;
                    }
                }
            }
        }
        Err(self.of_hosts(problems))
    }

    async fn try_host(
        &self,
        host: &Host,
        wanted: SessionKind,
    ) -> Result<(PgConnection, PgConnectOptions), Problem> {
        let modes: &[PgSslMode] = match self.tls.mode {
            _ if host.is_socket() => &[PgSslMode::Disable],
            TlsMode::Disable => &[PgSslMode::Disable],
            TlsMode::Allow => &[PgSslMode::Disable, PgSslMode::Require],
            TlsMode::Prefer => &[PgSslMode::Prefer, PgSslMode::Disable],
            TlsMode::Require => &[PgSslMode::Require],
            TlsMode::VerifyCa => &[PgSslMode::VerifyCa],
            TlsMode::VerifyFull => &[PgSslMode::VerifyFull],
        };
        let mut first_problem = None;
        for mode in modes {
            let options = self.options(host, *mode)?;
            let connect = PgConnection::connect_with(&options);
            let connected = match tokio::time::timeout(self.patience, connect).await {
                Ok(Ok(connection)) => self.check(connection, wanted).await,
                Ok(Err(error)) => Err(self.of_connecting(&error)),
                Err(_) => Err(Problem::silent(Some(self.patience))),
            };
            match connected {
                Ok(connection) => return Ok((connection, options)),
                Err(problem) => {
                    let is_about_tls = problem.is_about_tls;
                    let problem = first_problem.get_or_insert(problem);
                    if !is_about_tls {
                        return Err(problem.clone());
                    }
                }
            }
        }
        Err(first_problem.unwrap_or_else(|| Problem::silent(None)))
    }

    /// Whether the server does what is wanted, and takes the settings that the URL asks for.
    async fn check(
        &self,
        mut connection: PgConnection,
        wanted: SessionKind,
    ) -> Result<PgConnection, Problem> {
        let look = format!(
            "begin; {}; \
             select case when pg_is_in_recovery() then 'standby' \
             when current_setting('transaction_read_only') = 'on' then 'read-only' \
             else 'primary' end; \
             rollback",
            self.local_settings(&[])
        );
        let looked = async {
            let row = sqlx::raw_sql(AssertSqlSafe(look));
            let row = row.fetch_one(&mut connection).await?;
            row.try_get::<String, _>(0)
        };
        let looked = tokio::time::timeout(self.patience, looked).await;
        let looked = looked.map_err(|_| Problem::silent(Some(self.patience)))?;
        let found = looked.map_err(|error| self.of_connecting(&error))?;
        let fits = match wanted {
            SessionKind::Any | SessionKind::PreferStandby => true,
            SessionKind::ReadWrite => found == "primary",
            SessionKind::ReadOnly => found != "primary",
            SessionKind::Primary => found != "standby",
            SessionKind::Standby => found == "standby",
        };
        match fits {
            true => Ok(connection),
            false => Err(Problem::new(
                format!("the server is {found}, and target_session_attrs asks for another"),
                "",
            )),
        }
    }

    fn options(&self, host: &Host, mode: PgSslMode) -> Result<PgConnectOptions, Problem> {
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&host.host)
            .port(host.port)
            .username(&self.user)
            .database(&self.database)
            .ssl_mode(mode)
            .application_name(&self.application)
            // Poolers refuse settings they do not know when a connection begins.
            .extra_float_digits(None)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        if host.is_socket() {
            options = options.socket(&host.host);
        }
        if let Known::Password(password) = &host.password {
            options = options.password(password);
        }
        if self.tls.root == Root::System {
            // Else the driver would take the word in PGSSLROOTCERT for a file.
            options = options.ssl_root_cert_from_pem(Vec::new());
        }
        let root = match &self.tls.root {
            Root::File(file) => Some(PathBuf::from(file)),
            Root::System => system_authorities(),
            Root::Default => at_home("root.crt").or_else(system_authorities),
        };
        // The only one that is trusted: the driver brings none of its own.
        match root {
            _ if !matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull) => {}
            Some(root) => {
                readable("sslrootcert", &root)?;
                options = options.ssl_root_cert(root);
            }
            None => {
                return Err(Problem::new(
                    "TLS failed: this system has no file of authorities where one is looked for",
                    "sslrootcert=FILE in the URL names one, or SSL_CERT_FILE in the environment",
                )
                .last());
            }
        }
        let file = |keyword: &str, set: &Option<String>, name: &str| {
            let path = set.as_ref().map(PathBuf::from).or_else(|| at_home(name));
            let path = path.filter(|_| !matches!(mode, PgSslMode::Disable));
            path.map(|path| readable(keyword, &path).map(|()| path))
                .transpose()
        };
        let certificate = file("sslcert", &self.tls.certificate, "postgresql.crt")?;
        let key = file("sslkey", &self.tls.key, "postgresql.key")?;
        if let (Some(certificate), Some(key)) = (certificate, key) {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        Ok(options)
    }

    /// The connection could not be made to any host.
    fn of_hosts(&self, mut problems: Vec<(&Host, Problem)>) -> Error {
        let last = problems.pop();
        let Some((host, last)) = last else {
            return self.error("it has no host", "");
        };
        if problems.is_empty() {
            return self.error(last.text, &last.hint);
        }
        let hint = last.hint.clone();
        problems.push((host, last));
        let texts = problems
            .iter()
            .map(|(host, problem)| format!("{host}: {}", problem.text));
        let texts: Vec<String> = texts.collect();
        self.error(format!("no host lets us in: {}", texts.join("; ")), &hint)
    }
}

/// A file that cannot be read is said by its name.
fn readable(keyword: &str, file: &std::path::Path) -> Result<(), Problem> {
    match std::fs::File::open(file) {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::new(
            format!("{keyword} {} cannot be read: {error}", file.display()),
            "",
        )
        .last()),
    }
}

/// Whom the system trusts.
fn system_authorities() -> Option<PathBuf> {
    let places = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    let own = variable("SSL_CERT_FILE").map(PathBuf::from);
    let places = places.into_iter().map(PathBuf::from);
    own.or_else(|| places.into_iter().find(|place| place.is_file()))
}
