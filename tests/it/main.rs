//! Everything that proves the engine: one binary, so that the dependencies are linked once.
//!
//! `reference` is the rules of a backtest as obvious loops over exact fractions, sharing no code
//! with the product. `golden` holds it and the engine to published results, `properties` holds the
//! SQL functions to it on random input, `histories` whole backtests; `sql` runs `tests/sql`, and
//! `tidy` keeps the rules of the house.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking, and say on stderr what they ran"
)]

mod catalog;
mod cli;
mod cli_state;
#[cfg(feature = "distributed")]
mod cluster;
mod connections;
mod crash;
mod dataset;
mod dialect;
mod engine;
mod engine_golden;
mod files;
mod first_hour;
mod foreign_tables;
mod from_postgres;
mod from_queries;
mod golden;
mod histories;
mod http;
mod limits;
mod numpy;
mod page;
mod pooler;
mod postgres;
mod price_book;
mod properties;
mod random;
mod readme;
mod record;
mod reference;
mod reference_rows;
mod remarks;
mod routines;
mod rows;
mod runs;
mod same_rows;
mod schemas;
mod server;
mod sessions;
mod sql;
mod state;
mod status;
mod steps;
mod sweeps;
mod tidy;
mod tools;
mod trust;
mod walk_forward;
mod wire;
mod wire_sql;
mod workspaces;
