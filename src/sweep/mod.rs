//! The grid operator behind `backtest`: the SQL side of [`hindsight_sweep`].

pub mod estimate;
pub mod plan;
