//! Sweeps: every combination of a grid in one cheap pass each, sharing what they have in common.
//!
//! Scores depend on the weights alone, exits on the exit rules alone; only the selection and the
//! sizes tie them together. So each set of weights is scored once and each set of exit rules walked
//! once, and a combination is one pass over the exits in their order. The result is that of
//! `queries/backtest.sql` for each combination alone, to the last digit; tests hold it to that.
//!
//! Nothing here reads a file, plans a statement or prints: what comes in is Arrow tables and a
//! price book, what goes out is numbers.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod backtest;
pub mod block;
pub mod combination;
pub mod control;
pub mod days;
pub mod history;
pub mod metrics;
pub mod sales;

#[cfg(test)]
mod exit_cases;
mod exits;
mod limited;
mod one_set;
mod part_sales;
mod pass;
mod positions;
mod ranked;
mod reached;
mod scores;
mod shares;
mod turns;
mod walked;
#[cfg(test)]
mod whole_cases;
#[cfg(test)]
mod whole_histories;
