//! No public authorities.
//!
//! sqlx trusts those of the crate `webpki-roots` beside the one that `sslrootcert` names, and has no
//! way to leave them out: then anybody with a certificate of theirs could pose as a server whose
//! owner signs its own. `Cargo.toml` puts this crate in the place of that one; whom a connection
//! trusts is decided in `store::server` alone.

use pki_types::TrustAnchor;

/// Nobody.
pub const TLS_SERVER_ROOTS: &[TrustAnchor<'static>] = &[];
