//! The metrics of many sequences of trades: [`Totals`], [`Drawdown`] and [`LossRuns`] in one, in 64
//! bits and without a branch, since no two trades in a row need be alike.

use super::max_consecutive_losses::LossRuns;
use super::max_drawdown::Drawdown;
use super::totals::Totals;

/// What the absolute amounts of a tally's trades add up to less than.
pub const TALLY_LIMIT: i128 = 1 << 62;

/// A run of trades, taken in one by one; amounts in lamports, together below [`TALLY_LIMIT`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    trades: i64,
    wins: i64,
    sum: i64,
    gross_profit: i64,
    peak: i64,
    fall: i64,
    losses_in_a_row: i64,
    longest: i64,
}

impl Tally {
    /// Takes the next trade in.
    #[inline]
    pub fn add(&mut self, pnl: i64) {
        let is_win = pnl > 0;
        // The limit keeps every sum in its bits.
        self.trades = self.trades.wrapping_add(1);
        self.wins = self.wins.wrapping_add(is_win.into());
        self.sum = self.sum.wrapping_add(pnl);
        self.gross_profit = self.gross_profit.wrapping_add(pnl.max(0));
        self.peak = self.peak.max(self.sum);
        self.fall = self.fall.max(self.peak.wrapping_sub(self.sum));
        let longer = self.losses_in_a_row.wrapping_add(1);
        self.losses_in_a_row = if is_win { 0 } else { longer };
        self.longest = self.longest.max(self.losses_in_a_row);
    }

    pub fn totals(&self) -> Totals {
        Totals {
            trades: self.trades,
            wins: self.wins,
            gross_profit: self.gross_profit.into(),
            gross_loss: i128::from(self.gross_profit) - i128::from(self.sum),
        }
    }

    pub fn drawdown(&self) -> Drawdown {
        Drawdown {
            sum: self.sum.into(),
            peak: self.peak.into(),
            fall: self.fall.into(),
        }
    }

    pub fn loss_runs(&self) -> LossRuns {
        LossRuns {
            current: self.losses_in_a_row,
            longest: self.longest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_metrics_one_by_one() {
        let (mut tally, mut totals) = (Tally::default(), Totals::default());
        let (mut drawdown, mut runs) = (Drawdown::default(), LossRuns::default());
        let mut pnl = 1_i64;
        for _ in 0..10_000 {
            pnl = (pnl * 48_271) % 0x7fff_ffff;
            let lamports = (pnl % 2_001 - 1_000) * 1_000;
            tally.add(lamports);
            totals.add(lamports.into());
            drawdown.add(lamports.into());
            runs.add(lamports.into());
            assert_eq!(tally.totals(), totals);
            assert_eq!(tally.drawdown(), drawdown);
            assert_eq!(tally.loss_runs(), runs);
        }
    }
}
