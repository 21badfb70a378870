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
//! From about 10¹⁰ combinations × signals: below, one machine answers in seconds. Only parameters and
//! rows travel, never the history.
//!
//! # What is not distributed
//!
//! `backtest(…)` alone is. `daily_pnl`, `overfitting`, `walk_forward` and queries over `signals` and
//! `token_prices` run in the server's process, and every worker holds the whole history: a price book
//! that one machine cannot map is not divided.
//!
//! # Ten billion prices, on paper
//!
//! A price takes 32 bytes on disk: its time, the price and the volume; a walk reads the first 16. The
//! demo's 14.8 million prices have 36,000 signals, so that ten billion have 24 million:
//!
//! - *What a worker holds.* 160 GB of times and prices in all, which nobody maps at once. Divided by
//!   token into ranges of equal numbers of prices, eight workers map 20 GB each, and page in what lies
//!   behind a signal. Which worker has which range is a rendezvous hash, so that a worker that comes
//!   or goes moves one share in eight and leaves the others' pages warm. Signals, 240 bytes each, are
//!   6 GB, of which each worker needs those of its tokens.
//! - *What travels for a query* over trades are partial aggregates and sorted rows: the accumulators
//!   that depend on an order ship their keys with the values already. A query that returns all 24
//!   million trades ships them, some 5 GB.
//! - *What travels for a grid* must not be trades, which are one for each signal and combination. A
//!   worker walks its signals' paths once and ships what the pass over them needs: for each signal
//!   and level the rank and rate of its first touch, 16 bytes. With ten stops, targets, trails and
//!   time limits each that is 16 GB, once, however many combinations there are; 1,000 combinations
//!   would have 390 GB of trades. The touches are ranked where they arrive, and the combinations then
//!   divided as here, over what is a history without prices.
//! - *What it costs.* Walking takes 0.3 µs a signal and thread (11 ms for 36,000), so 7.5 s on one
//!   thread and a second on eight workers; at 10 Gbit/s the touches take 13 s. A pass takes
//!   1.5 ns a signal and combination on two cores (540 ms for 10,000 over 36,000 signals): 10,000
//!   combinations are six minutes, divided by the number of workers.
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
