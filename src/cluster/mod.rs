//! Many machines: workers that run parts of statements, and bring what one process would have made.
//!
//! `hindsight worker` is a [`node`]: it opens a workspace and runs what it is sent. A server that is
//! told of workers has them in [`workers`], asks each before it sends something, and uses those that
//! are of its own version and have the same history (`used`). Plans, their transport and their streams
//! are those of the library `datafusion-distributed`, which this module alone knows; what of a plan is
//! ours is written by `codec`.
//!
//! # A grid is divided by its combinations
//!
//! Each worker has a share of them ([`shares`]) over the whole history: those of `backtest`, of
//! `daily_pnl` and `overfitting`, and the trainings of `walk_forward`, of which the folds of one
//! combination stay together. What crosses the wire is one
//! leaf of a plan with its parameter rows ([`leaf`]); the rows come back in the order of the
//! combinations and are merged. What has not arrived when a worker is lost is run again on the others,
//! once for each statement ([`grid`]).
//!
//! # A relation is divided by its tokens
//!
//! A query over `signals` or `token_prices` is planned as ever. Then `fragments` finds what of its plan
//! looks at one row of such a relation at a time (filters, projections, our functions, joins with the
//! row of parameters) and the partial aggregate above: a fragment. Each worker runs it over a `part`:
//! a run of tokens that follow each other and have about as many prices as the others'. It maps the
//! price book and reads its own tokens, so that it has a share of the prices in memory; `simulate_exit`
//! and its like find the prices of a part's signals among them. Everything above a fragment (sorts,
//! windows, the second half of an aggregate, other joins) is the server's, over the same rows in the
//! same order: parts of `token_prices` lie one behind the other, and the rows of `signals` say their
//! places, by which they are merged (`sent`). What cannot be put on the wire, such as `random()`, stays
//! with the server, and a notice says so; that is decided when the statement is planned. A worker that
//! is lost before the first row, or before the last of an aggregate, is made up for by the others, later
//! the statement ends with 58000 (`sharded`).
//!
//! A row is the same wherever it was computed, so that a worker that fails costs time and no result.
//! Where no worker is left, the statement runs in the server's own process, and says so.
//!
//! # When it pays
//!
//! A grid from about 10¹⁰ combinations × signals: below, one machine answers in seconds. Only
//! parameters and rows travel, never the history. A query over a relation where its prices are more
//! than one machine keeps in memory, or where its functions take seconds: a statement has some
//! milliseconds more, and rows that are not filtered or aggregated travel.
//!
//! # What is not distributed
//!
//! A limit on prices alone is read by the server, and so are the sales of a run that is stored. A grid needs the prices
//! of all signals on each worker: a price book that one machine cannot map is divided for queries
//! alone. What is above a fragment runs on the server, so that a join of two relations, a window or a
//! sort has all their rows there.
//!
//! # Ten billion prices, on paper
//!
//! A price takes 32 bytes on disk: its time, the price and the volume; a walk reads the first 16. The
//! demo's 14.8 million prices have 36,000 signals, so that ten billion have 24 million:
//!
//! - *What a worker holds.* 160 GB of times and prices in all, which nobody maps at once. Divided by
//!   token into runs of about equal numbers of prices, eight workers read 20 GB each, and page in what
//!   lies behind a signal. So it is with 173 million prices in a file of 5.3 GiB: an aggregate of all
//!   by token takes 4.4 GiB in one process and 1.7 GiB in each of three workers, which is a third and
//!   what a process has anyway. Runs go to the workers in the order in which these are named, so that
//!   the pages of each stay warm for as long as they stay the same; a rendezvous hash of smaller runs
//!   would keep those of the others when one comes or goes. Signals, 240 bytes each, are 6 GB, of which
//!   each worker reads the addresses of all and the rest of those of its tokens.
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

mod codec;
mod fragments;
pub mod grid;
pub mod leaf;
pub mod node;
mod part;
pub mod security;
mod sent;
mod sharded;
pub mod shares;
pub mod table;
mod used;
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
