//! What serves clients over the network: [`pg`], the PostgreSQL protocol.

pub mod pg;

pub use pg::{Options, STACK, Server, TlsFiles, check, verifier};
