//! What is kept beside the history, as plain records and their rules; no SQL and no I/O.

pub mod objections;
pub mod roles;
pub mod runs;
pub mod scenarios;
pub mod settings;
