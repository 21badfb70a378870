//! Which of the positions that signals ask for are entered.

pub mod admission;
pub mod skip_reason;
