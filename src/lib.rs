//! hindsight: had our settings been different, what would have happened?
//!
//! An embedded analytics engine with an SQL front end. A history of signals, token prices and the
//! trades really made is loaded into Arrow tables; backtests of other settings run as DataFusion
//! functions and queries over it, exact to the last digit.
//!
//! # The way of the data
//!
//! files or a live PostgreSQL → [`ingest`] (check, sort) → [`dataset`] (Arrow on disk) → [`engine`] (a DataFusion
//! session: data tables, functions from `udfs/`, relations from `queries/`) → [`functions`] (a call
//! becomes parameter rows and a plan) → [`sweep`] for `backtest`, `queries/` for the rest → rows.
//!
//! # Where a line belongs
//!
//! | place | what is there |
//! | --- | --- |
//! | [`schema`] | Arrow schemas and the types every number has |
//! | [`parameters`] | the one table of parameters: validation, arguments, columns and help read it |
//! | [`configuration`] | `hindsight.json` of a workspace: ranges an operator has widened |
//! | [`ingest`] | input files and databases → checked rows → a new dataset generation; the synthetic history |
//! | [`dataset`] | generations on disk: open, map, write, fingerprint |
//! | [`dialect`] | what makes DataFusion compute as PostgreSQL does: functions, numbers, names, forms of queries |
//! | [`tables`] | the data tables over the memory of a dataset |
//! | [`pipeline`] | embeds `queries/*.sql`, each one relation, in the order of what they read |
//! | [`functions`] | table functions with named arguments, and the parameter relation |
//! | [`operator`] | what makes a node of a plan of what one of our operators does |
//! | [`sweep`] | the grid operator behind `backtest`, as SQL sees it |
//! | [`statements`] | what statements may do |
//! | [`engine`] | a workspace that is open: the newest generation, for any number of sessions |
//! | [`runs`] | stored runs: executed, followed, stopped; their tables and files |
//! | [`settings`] | live settings: what a run would change, and how it is written |
//! | [`scenarios`] | named sets of parameters: their table, their rules, how they are written |
//! | [`state_table`] | tables whose rows are fetched from the state when they are scanned |
//! | [`store`] | the state: users, scenarios, runs, live settings, in SQLite or PostgreSQL |
//! | [`store::source`] | a live PostgreSQL to load from, as streams of text |
//! | `store::server` | how a PostgreSQL is reached, and why not: URL, environment, encryption, poolers |
//! | `migrations/` | the tables of the state, as they came to be |
//! | [`session`] | one client's statements, settings, temporary tables and views |
//! | [`server`] | the PostgreSQL protocol: logins, TLS, messages, `COPY`, cancelling, limits |
//! | [`error`] | the one error, each kind with its SQLSTATE, exit code and hint |
//! | `src/cli`, `src/main.rs` | the command line |
//! | `crates/pg-catalog/` | what PostgreSQL's clients ask of `pg_catalog` and `information_schema`, and the calendar |
//! | `crates/sweep/` | what the grid operator does: many combinations over arrays, of one history read once |
//! | `udfs/` | the SQL functions and their kernels: the only arithmetic on trades |
//! | `queries/` | the pipeline as an analyst reads it |
//! | `tests/it` | one integration binary; `reference` is the rules again as plain loops |
//! | `tests/sql` | the specification of every function and error, in-process and over the wire |
//! | `tests/dialect` | statements that give what a real PostgreSQL gives, and by name where they do not |
//! | `tests/clients` | real clients against a server |
//! | `benches/` | what it costs, beside a plain loop; how to read it |
//!
//! # What always holds
//!
//! - A result is a function of the dataset, the parameters and the engine's version: the same to
//!   the last digit at any number of threads, batch size and order of input rows.
//! - Numbers are integers or decimals from the input file to the result. What is rounded is rounded
//!   once, half to even. A price is an `i64` of its token's scale, money `i128` lamports or finer.
//! - No trade depends on a price before its signal or after its exit.
//! - One kernel: [`hindsight_udfs::exits::walk`], [`hindsight_udfs::trades::trade_pnl`] and the
//!   metrics say what is right. What the grid operator has of its own for speed, in
//!   `first_touches`, `quick_pnl` and `tally` beside them, is tested to be equal to the last digit.
//! - Nothing acts while a statement is planned: arguments are checked, and combinations made, when
//!   it is executed, so that `PREPARE`, `EXPLAIN` and placeholders work.
//! - A load leaves the old generation or the new one, whenever it is killed; readers keep what they
//!   have mapped.
//! - Undefined is null; wrong is an error that names what was found and what was expected.
//!
//! # Why `backtest` has an operator of its own
//!
//! `queries/backtest.sql` says what a backtest is. For a grid of parameters it would score every
//! signal and walk every path again for each combination, and planning it costs more than running
//! it. [`hindsight_sweep`] scores each set of weights once and walks each path once: the first
//! touches of all stops, targets, trails and time limits are ranked by the instant of the exit, and
//! the exit under one set of rules is the least of four ranks. A trade's PnL is a multiplication in
//! whole numbers, right wherever its known error leaves the rounding no choice; elsewhere the exact
//! division decides. Combinations run in blocks bounded by what they keep for each signal, so that
//! memory does not grow with their number. `backtest_by_queries(…)` runs the query itself, and the
//! tests hold the two together; so can anybody who doubts a row.
//!
//! # Why the catalog has an interpreter of its own
//!
//! What psql, drivers and BI tools send to find out about tables is full of correlated subqueries,
//! set-returning functions in the select list and casts such as `regclass`, which DataFusion
//! refuses or plans in 50 ms. The rows are few: [`pg_catalog`] binds the parsed statement to types as
//! PostgreSQL has them and runs it by plain loops, in a millisecond. Its tests are the queries of
//! real clients, with the columns and values that PostgreSQL gives them.
//!
//! # Why the server has a connection loop of its own
//!
//! A login that fails must end the connection before anything behind it is read; what is computed
//! must not hold up the network, or neither a cancel nor a timeout reaches it; and one client's
//! `SET` is no other's. The ready-made handlers share one session and run on the network's threads,
//! so [`server`] takes pgwire's messages and no more: a loop for each connection, a [`Session`] for
//! each client, and threads of their own for what is computed.
//!
//! # What is deliberately absent
//!
//! No floating point arithmetic on money, and no panic that input can reach. And, which
//! `tests/it/tidy.rs` reads off the sources: no clock and no I/O in `udfs`, which depends on
//! DataFusion alone; no terminal outside the command line; no reading of input formats outside
//! [`ingest`]; no second version of Arrow.

pub mod configuration;
pub mod dataset;
pub mod dialect;
pub mod engine;
pub mod error;
pub mod functions;
pub mod ingest;
pub mod operator;
pub mod parameters;
pub mod pipeline;
pub mod runs;
pub mod scenarios;
pub mod schema;
pub mod server;
pub mod session;
pub mod settings;
pub mod state_table;
pub mod statements;
pub mod store;
pub mod sweep;
pub mod tables;

pub use engine::Engine;
pub use error::{Error, Result};
pub use pg_catalog::{self as catalog, calendar};
pub use session::client::{Notice, Severity};
pub use session::transaction::TransactionStatus;
pub use session::{Outcome, Prepared, Role, Session};
