//! The arithmetic of one trade.

use num_traits::Zero;

use super::costs::Costs;
use super::number::{Number, rounded, whole};

/// What a trade brought and cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradePnl {
    pub position_size_sol: Number,
    pub gross_pnl_sol: Number,
    pub slippage_cost_sol: Number,
    pub gas_cost_sol: Number,
    pub fees_sol: Number,
    pub impact_cost_sol: Number,
    pub net_pnl_sol: Number,
    pub pnl_percent: Number,
}

/// `gross = part × (exit − entry)/entry`, rounded to 4; `net = gross` less the costs of the sale;
/// `pnl_percent = net / (part rounded to 4) × 100`, rounded to 2, and 0 for a part of 0.
pub fn trade_pnl(
    position_size: &Number,
    share_percent: &Number,
    entry_price: &Number,
    exit_price: &Number,
    costs: &Costs,
) -> TradePnl {
    let part = position_size * share_percent / whole(100);
    let gross = rounded(&(&part * (exit_price - entry_price) / entry_price), 4);
    let paid = costs.of_sale(position_size, &part, entry_price, exit_price);
    let net = &gross - &paid.slippage - &paid.gas - &paid.fees - &paid.impact;
    let size = rounded(&part, 4);
    let percent = if size.is_zero() {
        Number::zero()
    } else {
        rounded(&(&net / &size * whole(100)), 2)
    };
    TradePnl {
        position_size_sol: size,
        gross_pnl_sol: gross,
        slippage_cost_sol: paid.slippage,
        gas_cost_sol: paid.gas,
        fees_sol: paid.fees,
        impact_cost_sol: paid.impact,
        net_pnl_sol: net,
        pnl_percent: percent,
    }
}
