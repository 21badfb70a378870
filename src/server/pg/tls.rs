//! TLS: the certificate and key from files, and what a login is bound to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use crate::error::{Error, Result};

/// The files of a certificate, with those that signed it behind it, and of its key.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What makes connections secret.
#[derive(Clone)]
pub struct Tls {
    pub acceptor: TlsAcceptor,
    /// What a login over it is bound to.
    pub endpoint: Arc<[u8]>,
}

impl Tls {
    /// Reads the files, and checks that they belong together.
    pub fn load(files: &TlsFiles) -> Result<Self> {
        let certificates = CertificateDer::pem_file_iter(&files.certificate)
            .and_then(|certificates| certificates.collect::<std::result::Result<Vec<_>, _>>())
            .map_err(|error| unusable(&files.certificate, "a certificate", &error))?;
        let first = certificates.first().cloned();
        let Some(first) = first else {
            let found = "no certificate";
            return Err(unusable(&files.certificate, "a certificate", &found));
        };
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| unusable(&files.key, "a private key", &error))?;
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(certificates, key))
            .map_err(|error| unusable(&files.key, "the key of the certificate", &error))?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            endpoint: endpoint(&first).into(),
        })
    }
}

fn unusable(path: &Path, expected: &str, found: &dyn std::fmt::Display) -> Error {
    Error::Usage(format!(
        "{}: expected {expected} in PEM, found: {found}",
        path.display()
    ))
}

/// The hash of a certificate by which a login is bound to it (RFC 5929, `tls-server-end-point`): by
/// the function that it is signed with, but at least SHA-256.
fn endpoint(certificate: &[u8]) -> Vec<u8> {
    let algorithm = match signature_algorithm(certificate) {
        // ecdsa-with-SHA384, sha384WithRSAEncryption
        Some(
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]
            | [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0c],
        ) => &digest::SHA384,
        // ecdsa-with-SHA512, sha512WithRSAEncryption
        Some(
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4]
            | [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0d],
        ) => &digest::SHA512,
        _ => &digest::SHA256,
    };
    digest::digest(algorithm, certificate).as_ref().to_vec()
}

/// The object identifier of a certificate's signature: behind what is signed.
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (_, inside, _) = element(certificate)?;
    let (_, _, behind) = element(inside)?;
    let (_, algorithm, _) = element(behind)?;
    let (tag, identifier, _) = element(algorithm)?;
    (tag == 6).then_some(identifier)
}

/// The first element of DER: its tag, its content, and what is behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        _ => {
            let count = usize::from(first & 0x7f);
            let bytes = rest.get(..count).filter(|_| count <= 4)?;
            let length = bytes
                .iter()
                .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest.get(count..)?)
        }
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}
