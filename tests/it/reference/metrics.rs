//! Metrics over a sequence of trades.

use num_traits::{Signed, Zero};

use super::number::{Number, rounded, whole};

/// Every metric of one side, simulated or actual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    pub total_trades: i64,
    pub winning_trades: i64,
    pub losing_trades: i64,
    pub total_pnl_sol: Number,
    pub gross_profit_sol: Number,
    pub gross_loss_sol: Number,
    pub average_win_sol: Number,
    pub average_loss_sol: Number,
    pub max_drawdown_sol: Number,
    pub max_consecutive_losses: i64,
    pub win_rate: Number,
    /// `None` without loss.
    pub profit_factor: Option<Number>,
    pub expectancy: Number,
}

impl Metrics {
    /// The metrics of these PnLs, in this order. A win is above 0; all else is a loss.
    pub fn of(pnls: &[Number]) -> Self {
        let mut winning_trades = 0;
        let mut losing_trades = 0;
        let mut total = Number::zero();
        let mut profit = Number::zero();
        let mut loss = Number::zero();
        let mut peak = Number::zero();
        let mut max_drawdown = Number::zero();
        let mut consecutive_losses = 0;
        let mut max_consecutive_losses = 0;
        for pnl in pnls {
            total += pnl;
            if pnl.is_positive() {
                winning_trades += 1;
                profit += pnl;
                consecutive_losses = 0;
            } else {
                losing_trades += 1;
                loss += pnl.abs();
                consecutive_losses += 1;
            }
            max_consecutive_losses = max_consecutive_losses.max(consecutive_losses);
            peak = peak.max(total.clone());
            max_drawdown = max_drawdown.max(&peak - &total);
        }

        let total_trades = winning_trades + losing_trades;
        let total_pnl_sol = rounded(&total, 4);
        let gross_profit_sol = rounded(&profit, 4);
        let gross_loss_sol = rounded(&loss, 4);
        Self {
            total_trades,
            winning_trades,
            losing_trades,
            average_win_sol: rounded(&share(&profit, winning_trades), 4),
            average_loss_sol: rounded(&share(&loss, losing_trades), 4),
            max_drawdown_sol: rounded(&max_drawdown, 4),
            max_consecutive_losses,
            // From here on from the rounded values.
            win_rate: rounded(&share(&whole(winning_trades * 100), total_trades), 2),
            profit_factor: (!gross_loss_sol.is_zero())
                .then(|| rounded(&(&gross_profit_sol / &gross_loss_sol), 2)),
            expectancy: rounded(&share(&total_pnl_sol, total_trades), 4),
            total_pnl_sol,
            gross_profit_sol,
            gross_loss_sol,
        }
    }
}

/// `total / count`, 0 without any.
fn share(total: &Number, count: i64) -> Number {
    if count == 0 {
        Number::zero()
    } else {
        total / whole(count)
    }
}
