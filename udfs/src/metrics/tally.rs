//! The metrics of many sequences of trades: [`Totals`], [`Drawdown`], [`LossRuns`] and the best, the
//! worst and the squares of the trades in one, in 64 bits and without a branch, since no two trades
//! in a row need be alike.

use super::max_consecutive_losses::LossRuns;
use super::max_drawdown::Drawdown;
use super::totals::Totals;

/// What the absolute amounts of a tally's trades add up to less than.
pub const TALLY_LIMIT: i128 = 1 << 62;

/// A run of trades, taken in one by one; amounts in lamports, together below [`TALLY_LIMIT`].
#[derive(Debug, Clone, Copy)]
pub struct Tally {
    trades: i64,
    wins: i64,
    sum: i64,
    gross_profit: i64,
    peak: i64,
    fall: i64,
    losses_in_a_row: i64,
    longest: i64,
    best: i64,
    worst: i64,
    squares: u128,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            trades: 0,
            wins: 0,
            sum: 0,
            gross_profit: 0,
            peak: 0,
            fall: 0,
            losses_in_a_row: 0,
            longest: 0,
            best: i64::MIN,
            worst: i64::MAX,
            squares: 0,
        }
    }
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
        self.best = self.best.max(pnl);
        self.worst = self.worst.min(pnl);
        let square = i128::from(pnl).wrapping_mul(pnl.into());
        self.squares = self.squares.wrapping_add(square as u128);
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

    pub fn trades(&self) -> i64 {
        self.trades
    }

    /// The best and the worst trade, where there is one.
    pub fn extremes(&self) -> Option<(i64, i64)> {
        (self.trades > 0).then_some((self.best, self.worst))
    }

    /// The sum of the squares.
    pub fn squares(&self) -> u128 {
        self.squares
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
        assert_eq!(tally.extremes(), None);
        let (mut pnl, mut all) = (1_i64, Vec::new());
        for _ in 0..2_000 {
            pnl = (pnl * 48_271) % 0x7fff_ffff;
            let lamports = (pnl % 2_001 - 1_000) * 1_000;
            tally.add(lamports);
            totals.add(lamports.into());
            drawdown.add(lamports.into());
            runs.add(lamports.into());
            assert_eq!(tally.totals(), totals);
            assert_eq!(tally.drawdown(), drawdown);
            assert_eq!(tally.loss_runs(), runs);
            all.push(lamports);
            let extremes = all.iter().max().copied().zip(all.iter().min().copied());
            assert_eq!(tally.extremes(), extremes);
            let squares = all.iter().map(|pnl| (pnl * pnl) as u128);
            assert_eq!(tally.squares(), squares.sum());
        }
    }
}
