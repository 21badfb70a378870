//! The arithmetic of one trade.

use num_traits::Zero;

use super::number::{Number, rounded, whole};

/// What a trade brought and cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradePnl {
    pub position_size_sol: Number,
    pub gross_pnl_sol: Number,
    pub slippage_cost_sol: Number,
    pub gas_cost_sol: Number,
    pub net_pnl_sol: Number,
    pub pnl_percent: Number,
}

/// `gross = size × (exit − entry)/entry`, `slippage = size × slippage_percent/100`, each rounded to
/// 4; `net = gross − slippage − gas`; `pnl_percent = net / (size rounded to 4) × 100`, rounded to 2,
/// and 0 for a size of 0.
pub fn trade_pnl(
    position_size: &Number,
    entry_price: &Number,
    exit_price: &Number,
    slippage_percent: &Number,
    gas_cost_sol: &Number,
) -> TradePnl {
    let gross = rounded(
        &(position_size * (exit_price - entry_price) / entry_price),
        4,
    );
    let slippage = rounded(&(position_size * slippage_percent / whole(100)), 4);
    let net = &gross - &slippage - gas_cost_sol;
    let size = rounded(position_size, 4);
    let percent = if size.is_zero() {
        Number::zero()
    } else {
        rounded(&(&net / &size * whole(100)), 2)
    };
    TradePnl {
        position_size_sol: size,
        gross_pnl_sol: gross,
        slippage_cost_sol: slippage,
        gas_cost_sol: gas_cost_sol.clone(),
        net_pnl_sol: net,
        pnl_percent: percent,
    }
}
