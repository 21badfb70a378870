//! Ingest: where histories come from.

pub mod synthetic;
