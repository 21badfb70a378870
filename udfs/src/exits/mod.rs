//! From a signal and exit rules to the price a trade would have ended at.

pub mod first_touches;
pub mod price_at;
pub mod simulate_exit;
pub mod walk;
