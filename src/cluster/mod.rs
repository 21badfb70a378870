//! Many machines: workers that each hold the whole history and run a part of a grid's combinations.
//!
//! `hindsight worker` is a [`node`]: it opens a workspace and runs what it is sent. A server that is
//! told of workers has them in [`workers`], asks each before a grid begins, and gives every one that
//! is of its own version and has the same history a share of the combinations ([`shares`]). What
//! crosses the wire is one leaf of a plan with its parameter rows ([`leaf`]); the rows come back in
//! the order of the combinations and are merged. The plan, its transport and its streams are those of
//! the library `datafusion-distributed`, which this module alone knows.
//!
//! A row is the same wherever it was computed, so that a worker that fails costs time and no result:
//! what has not arrived yet is run again on the others, once for each statement ([`grid`]). Where no
//! worker is left, the statement runs in the server's own process, and says so.
//!
//! # When it pays
//!
//! From about 10¹⁰ combinations × signals: below, one machine answers in seconds. Only parameters
//! (some 50 bytes a combination, packed) and rows (about 2 kB) travel, never the history.
//!
//! # What is not distributed
//!
//! `backtest(…)` alone is. `daily_pnl`, `overfitting`, `walk_forward`, stored runs, and queries over
//! `signals` and `token_prices` run in the server's process, and every worker holds the whole history:
//! a price book that one machine cannot map is not divided.
//!
//! # Who may ask
//!
//! Whoever may send plans reads a worker's history and uses its processors. On loopback addresses
//! everybody on the machine may; off them both sides show a certificate of an authority that is this
//! cluster's alone ([`security`]).

pub mod grid;
pub mod leaf;
pub mod node;
pub mod security;
pub mod shares;
pub mod table;
pub mod workers;

use serde::{Deserialize, Serialize};

use crate::dataset::FORMAT;

/// What has to be the same on both sides.
pub fn version() -> String {
    let commit = option_env!("HINDSIGHT_COMMIT").filter(|commit| !commit.is_empty());
    let commit = commit.map_or_else(String::new, |commit| format!(" commit {commit}"));
    format!(
        "{}{commit}, DataFusion {}, format {FORMAT}",
        env!("CARGO_PKG_VERSION"),
        datafusion::DATAFUSION_VERSION
    )
}

/// What a worker says of itself when it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    pub version: String,
    /// The fingerprint of its history.
    pub dataset: String,
    /// How many shares it runs now.
    pub tasks: u64,
    /// How many it has begun since it was started.
    pub tasks_begun: u64,
}
