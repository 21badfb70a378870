//! What serves clients over the network: [`pg`], the PostgreSQL protocol, and [`http`], the routes and
//! the page. One engine, the same roles and limits.

pub mod http;
pub mod pg;

pub use pg::{Options, STACK, Server, TlsFiles, check, verifier};
