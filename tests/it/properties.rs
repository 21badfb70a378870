//! The SQL functions against the reference on random input, in bulk, and the laws they keep.
//!
//! The seed is printed; `HINDSIGHT_SEED` gives another.

mod admission;
mod arithmetic;
mod exit_cases;
mod exit_laws;
mod exits;
pub mod further_exits;
mod metrics;
mod sales;
mod session;
