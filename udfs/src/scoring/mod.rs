//! From factors to a score, and from a score to a position.

pub mod position_size;
pub mod rescore;
