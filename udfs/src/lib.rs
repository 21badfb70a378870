//! The SQL functions of hindsight: scoring, exits and metrics, exact and free of I/O.

pub mod price_book;
