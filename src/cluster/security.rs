//! Who may speak to whom: certificates of the cluster's own authority, on both sides.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};
use url::{Host, Url};

use crate::error::{Error, Result};

/// The files of the authority, and of the own certificate and its key.
#[derive(Debug, Clone)]
pub struct Files {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What those files hold.
#[derive(Debug, Clone)]
pub struct Security {
    authority: Certificate,
    identity: Identity,
}

impl Security {
    /// Reads the files.
    pub fn load(files: &Files) -> Result<Self> {
        let certificate = read(&files.certificate, "CERTIFICATE")?;
        Ok(Self {
            authority: Certificate::from_pem(read(&files.authority, "CERTIFICATE")?),
            identity: Identity::from_pem(certificate, read(&files.key, "PRIVATE KEY")?),
        })
    }

    /// Whoever connects shows a certificate of the authority.
    pub(super) fn of_server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(self.identity.clone())
            .client_ca_root(self.authority.clone())
    }

    /// Who is connected to shows one, for the name that is asked for, and is shown ours.
    pub(super) fn of_client(&self) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .ca_certificate(self.authority.clone())
            .identity(self.identity.clone())
    }
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(|source| Error::Io {
        path: path.display().to_string(),
        source,
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let is_there = text.lines().any(|line| {
        line.starts_with("-----BEGIN ") && line.trim_end().ends_with(&format!("{what}-----"))
    });
    match is_there {
        true => Ok(bytes),
        false => Err(Error::Usage(format!(
            "{}: expected PEM with a {}, found none",
            path.display(),
            what.to_lowercase()
        ))),
    }
}

/// The address of a worker as it is given: with the scheme `https`, or on a loopback address `http`.
pub fn address(text: &str, is_secure: bool) -> Result<Url> {
    let refuse = |problem: &str| Err(Error::Usage(format!("worker {text}: {problem}")));
    let Ok(url) = Url::parse(text.trim()) else {
        return refuse("expected a URL such as http://127.0.0.1:5434 or https://host:5434");
    };
    let is_bare =
        matches!(url.path(), "" | "/") && url.query().is_none() && url.username().is_empty();
    if url.port().is_none() || url.host().is_none() || !is_bare {
        return refuse("expected a scheme, a host and a port alone, such as https://host:5434");
    }
    match url.scheme() {
        "http" if is_loopback(&url) => Ok(url),
        "http" => refuse("off loopback addresses workers are reached by https, with --cluster-ca"),
        "https" if is_secure => Ok(url),
        "https" => {
            refuse("https needs --cluster-ca, and a certificate and a key of that authority")
        }
        _ => refuse("expected http or https"),
    }
}

/// Refuses to listen where others could connect without a certificate.
pub fn check_listening(ip: IpAddr, is_secure: bool) -> Result<()> {
    match is_secure || ip.is_loopback() {
        true => Ok(()),
        false => Err(Error::Usage(format!(
            "whoever reaches {ip} could read the history and use this machine: give --cluster-ca, \
             --tls-cert and --tls-key, or listen on a loopback address such as 127.0.0.1"
        ))),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_goes_without_certificates() {
        for (text, is_secure, is_right) in [
            ("http://127.0.0.1:5434", false, true),
            ("http://localhost:5434/", false, true),
            ("http://[::1]:5434", false, true),
            ("http://127.0.0.1", false, false),
            ("http://10.0.0.2:5434", false, false),
            ("http://10.0.0.2:5434", true, false),
            ("http://localhost.example.org:5434", true, false),
            ("https://10.0.0.2:5434", false, false),
            ("https://10.0.0.2:5434", true, true),
            ("https://ann@10.0.0.2:5434", true, false),
            ("https://a:5434/x", true, false),
            ("a:5434", true, false),
            ("", true, false),
        ] {
            let found = address(text, is_secure);
            assert_eq!(found.is_ok(), is_right, "{text}: {found:?}");
        }
        assert!(check_listening("127.0.0.1".parse().unwrap(), false).is_ok());
        assert!(check_listening("0.0.0.0".parse().unwrap(), false).is_err());
        assert!(check_listening("0.0.0.0".parse().unwrap(), true).is_ok());
    }
}
