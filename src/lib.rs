//! hindsight: had our settings been different, what would have happened?
//!
//! An embedded analytics engine with an SQL front end. A history of signals, token prices and the
//! trades really made is loaded into Arrow tables; backtests of other settings run as DataFusion
//! functions and queries over it, exact to the last digit.
//!
//! # The way of the data
//!
//! files or a live PostgreSQL → [`ingest`] (check, sort) → [`dataset`] (Arrow on disk) → [`engine`] (a DataFusion
//! session: data tables, functions from `udfs/`, relations from `queries/`) → [`whatif`] (a call
//! becomes parameter rows and a plan; the grid operator for `backtest`, `queries/` for the rest) →
//! rows to the client of a [`session`], or into the [`store`].
//!
//! # The floors
//!
//! A module imports only what stands on its own floor or below; `tests/it/tidy.rs` reads this table
//! and fails on an arrow upwards.
//!
//! | floor | modules | what |
//! | --- | --- | --- |
//! | 1 | [`allocator`] [`error`] [`clock`] [`schema`] [`parameters`] [`metrics`] [`configuration`] | memory that is kept, and the words: the one error, each kind with its SQLSTATE, exit code and hint; types; the one table of parameters and that of metrics; `hindsight.json` of a workspace |
//! | 2 | [`records`] | runs, scenarios, settings, roles: plain records and their rules |
//! | 3 | [`dataset`] [`store`] | generations on disk: open, map, write, fingerprint; the state, in SQLite or PostgreSQL, [`store::source`], a live PostgreSQL to load from, and `store::server`, how a PostgreSQL is reached and why not |
//! | 3 | [`ingest`] | input files and databases → checked rows → a new generation; the synthetic history |
//! | 3 | [`dialect`] | what makes DataFusion compute as PostgreSQL does: functions, rules of planning, rewrites of statements |
//! | 4 | [`caller`] | who executes a statement: role, transaction, notices, runs under way, stopping and giving way |
//! | 4 | `growing` `memory` | functions whose results may be large or take long, in slices; values that are counted in the memory pool for as long as they live |
//! | 5 | [`whatif`] | backtests as relations: `queries/`, table functions with named arguments, the grid operator, what judges them |
//! | 6 | [`state_sql`] | tables over the state, procedures, and the backtest that is kept |
//! | 6 | `cluster` | many machines, with the feature `distributed`: workers, grids over them by combinations and queries by tokens, and ten billion prices on paper |
//! | 7 | [`engine`] | a workspace that is open: the newest generation, for any number of sessions |
//! | 8 | [`session`] | one client's statements, settings, cursors, temporary tables and views |
//! | 9 | [`server`] | the PostgreSQL protocol: logins, TLS, messages, `COPY`, cancelling, limits; HTTP: the routes, who may ask, the live what-if, the files of the page |
//! | 10 | `src/cli` `src/main.rs` | the command line |
//!
//! # Where a line belongs
//!
//! | a new … | goes to |
//! | --- | --- |
//! | SQL function on trades | a file in `udfs/src` that opens with its contract, and its test in `tests/sql` |
//! | metric | its arithmetic in `udfs/src/metrics`, a row of [`metrics::METRICS`], a column of `queries/trade_metrics.sql` |
//! | procedure | a file in [`state_sql::procedures`] and a row of its table |
//! | table function | a query in `queries/` and a row in [`whatif::table_functions`] |
//! | setting of a session | a row of [`session::SETTINGS`] |
//! | column or function of the catalog | `crates/pg-catalog/src`: `facts/`, `relations/` or `functions/` |
//! | client's oddity | its query in `tests/catalog` or `tests/clients`; then the catalog, or [`session`] if it is a statement |
//! | PostgreSQL function over data | [`dialect`]`::functions` |
//! | table of the state | `migrations/`, [`store`], and its relation in [`state_sql`] |
//! | thing that runs on other machines | `cluster`: a leaf or a node in `codec`, and in `fragments` or `grid` where its rows are asked for |
//! | route | a row of the table in `server::http::routes`, and what it asks and answers in `openapi` |
//! | column of an input file | [`schema`] and [`ingest`] |
//!
//! Beside the library: `udfs/` has the SQL functions and their kernels, the only arithmetic on
//! trades; `crates/sweep/` what the grid operator does, many combinations over arrays of one history
//! read once; `crates/statistics/` how far to believe a number, over plain `f64`; `crates/pg-catalog/` what PostgreSQL's clients ask of `pg_catalog` and
//! `information_schema`, and the calendar; `crates/sql-visit/` the walks over parsed statements, whose code
//! is compiled once for all visitors; `queries/` the pipeline as an analyst reads it. `tests/it`
//! is one integration binary, whose `reference` is the rules again as plain loops; `tests/sql` the
//! specification of every function and error, in-process and over the wire; `tests/clients` real
//! clients against a server, `tests/dialect` statements that give what a real PostgreSQL gives, and by
//! name where they do not; `benches/` what it costs, beside a plain loop.
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
//! it. [`hindsight_sweep`] scores each set of weights once and walks each path once, leaping over
//! blocks of prices whose extremes touch nothing where paths are long: the first
//! touches of all stops, targets, trails and time limits are ranked by the instant of the exit, and
//! the end of a part under its rules is the least of their ranks. One set of rules that is asked for
//! alone needs no ranks: its paths are walked for its sales, and parts that wait for a stop and a time
//! limit alone, as a moonbag does, apart from the others. A trade's PnL is a multiplication in
//! whole numbers, right wherever its known error leaves the rounding no choice; elsewhere the exact
//! division decides. Portfolio limits are one more pass in the order of the entries, which says whose
//! trades count; without them, combinations that differ in their thresholds share a pass.
//! Combinations run in blocks bounded by what they keep for each signal, so that memory does not
//! grow with their number. Those who ask at once have their turns, the first come first, and many
//! combinations go behind the others after each slice. `backtest_by_queries(…)` runs the query
//! itself, and the tests hold the two together; so can anybody who doubts a row.
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
//! # Doors
//!
//! What others wait for is boxed where they come in: a public `async fn` has `#[door]` over it. A future
//! of its own type would be compiled again, with all that it waits for, in the program, in the tests
//! and in the benchmarks, which took longer than the rest of them.
//!
//! # What is deliberately absent
//!
//! No floating point arithmetic on money, and no panic that input can reach. And, which
//! `tests/it/tidy.rs` reads off the sources: no clock and no I/O in `udfs`, which depends on
//! DataFusion alone; no terminal outside the command line; no reading of input formats outside
//! [`ingest`]; no second version of Arrow.

pub mod allocator;
pub mod caller;
pub mod clock;
#[cfg(feature = "distributed")]
pub mod cluster;
pub mod configuration;
pub mod dataset;
pub mod dialect;
pub mod engine;
pub mod error;
mod growing;
pub mod ingest;
mod memory;
pub mod metrics;
pub mod parameters;
pub mod records;
pub mod schema;
pub mod server;
pub mod session;
pub mod state_sql;
pub mod store;
pub mod whatif;

pub use caller::client::{Notice, Severity};
pub use caller::transaction::TransactionStatus;
pub use error::{Error, Result};
pub use pg_catalog::{self as catalog, calendar};
pub use records::roles::Role;
pub use session::{Engine, Outcome, Prepared, Session};
