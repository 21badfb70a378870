//! The independent reference: the rules of a backtest as obvious loops over exact fractions.
//!
//! Nothing here is fast and nothing is shared with the product. Every function carries its rule as
//! a sentence, so that a reader checks the code against it by eye. A value is rounded exactly
//! where the rule says "rounded", half to even.

pub mod backtest;
pub mod comparison;
pub mod costs;
pub mod exit;
pub mod exposure;
pub mod history;
pub mod limits;
pub mod metrics;
pub mod number;
pub mod parameters;
pub mod risk;
pub mod scoring;
pub mod trade;
