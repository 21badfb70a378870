//! From a position and two prices to what a trade earned.

pub mod costs;
pub mod misfit;
pub mod price_errors;
pub mod quick_pnl;
pub mod quick_sale;
pub mod sale_pnl;
pub mod trade_pnl;
