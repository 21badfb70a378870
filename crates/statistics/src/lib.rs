//! How far to believe a number: pure functions over `f64`, the same on any number of threads.
//!
//! What comes in are sums that others have worked out exactly; lamports as whole numbers stay exact
//! here as long as their sums are below 2^53, nine million SOL. Undefined is `None`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod bootstrap;
pub mod concordance;
pub mod folds;
pub mod normal;
pub mod overfitting;
pub mod quantile;
pub mod sharpe;

mod blocks;
mod ratio;
