//! From the PnL of trades to the metrics of a history.

pub mod calmar_ratio;
pub mod divide_rounded;
pub mod expectancy;
pub mod max_consecutive_losses;
pub mod max_drawdown;
pub mod moments;
pub mod profit_factor;
pub mod round_half_even;
pub mod sharpe_ratio;
pub mod sortino_ratio;
pub mod sqn;
pub mod tally;
pub mod totals;
pub mod win_rate;

mod in_order;
