//! The metrics of many sequences of trades: [`Totals`], [`Drawdown`], [`LossRuns`] and the best, the
//! worst and the squares of the trades in one, in 64 bits and without a branch, since no two trades
//! in a row need be alike.

use super::max_consecutive_losses::LossRuns;
use super::max_drawdown::Drawdown;
use super::totals::Totals;

/// What the absolute amounts of a tally's trades add up to less than.
pub const TALLY_LIMIT: i128 = 1 << 62;

/// What trades add up to in whatever order they come; lamports.
#[derive(Debug, Clone, Copy)]
pub struct Amounts {
    trades: i64,
    wins: i64,
    gross_profit: i64,
    best: i64,
    worst: i64,
    squares: u128,
}

impl Default for Amounts {
    fn default() -> Self {
        Self {
            trades: 0,
            wins: 0,
            gross_profit: 0,
            best: i64::MIN,
            worst: i64::MAX,
            squares: 0,
        }
    }
}

impl Amounts {
    /// Takes a trade in.
    #[inline]
    pub fn add(&mut self, pnl: i64) {
        // The limit keeps every sum in its bits.
        self.trades = self.trades.wrapping_add(1);
        self.wins = self.wins.wrapping_add((pnl > 0).into());
        self.gross_profit = self.gross_profit.wrapping_add(pnl.max(0));
        self.best = self.best.max(pnl);
        self.worst = self.worst.min(pnl);
        let square = i128::from(pnl).wrapping_mul(pnl.into());
        self.squares = self.squares.wrapping_add(square as u128);
    }

    /// Takes the trades of others in.
    pub fn merge(&mut self, others: &Self) {
        self.trades = self.trades.wrapping_add(others.trades);
        self.wins = self.wins.wrapping_add(others.wins);
        self.gross_profit = self.gross_profit.wrapping_add(others.gross_profit);
        self.best = self.best.max(others.best);
        self.worst = self.worst.min(others.worst);
        self.squares = self.squares.wrapping_add(others.squares);
    }
}

/// What depends on the order of the trades; lamports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sequence {
    sum: i64,
    peak: i64,
    fall: i64,
    losses_in_a_row: i64,
    longest: i64,
}

impl Sequence {
    /// Takes the next trade in.
    #[inline]
    pub fn add(&mut self, pnl: i64) {
        self.sum = self.sum.wrapping_add(pnl);
        self.peak = self.peak.max(self.sum);
        self.fall = self.fall.max(self.peak.wrapping_sub(self.sum));
        let longer = self.losses_in_a_row.wrapping_add(1);
        self.losses_in_a_row = if pnl > 0 { 0 } else { longer };
        self.longest = self.longest.max(self.losses_in_a_row);
    }
}

/// A run of trades, taken in one by one, together below [`TALLY_LIMIT`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub amounts: Amounts,
    pub sequence: Sequence,
}

impl Tally {
    /// Takes the next trade in.
    #[inline]
    pub fn add(&mut self, pnl: i64) {
        self.amounts.add(pnl);
        self.sequence.add(pnl);
    }

    pub fn totals(&self) -> Totals {
        Totals {
            trades: self.amounts.trades,
            wins: self.amounts.wins,
            gross_profit: self.amounts.gross_profit.into(),
            gross_loss: i128::from(self.amounts.gross_profit) - i128::from(self.sequence.sum),
        }
    }

    pub fn drawdown(&self) -> Drawdown {
        Drawdown {
            sum: self.sequence.sum.into(),
            peak: self.sequence.peak.into(),
            fall: self.sequence.fall.into(),
        }
    }

    pub fn trades(&self) -> i64 {
        self.amounts.trades
    }

    /// The best and the worst trade, where there is one.
    pub fn extremes(&self) -> Option<(i64, i64)> {
        (self.amounts.trades > 0).then_some((self.amounts.best, self.amounts.worst))
    }

    /// The sum of the squares.
    pub fn squares(&self) -> u128 {
        self.amounts.squares
    }

    pub fn loss_runs(&self) -> LossRuns {
        LossRuns {
            current: self.sequence.losses_in_a_row,
            longest: self.sequence.longest,
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
            let (mut first, mut rest) = (Amounts::default(), Amounts::default());
            let (of_first, of_rest) = all.split_at(all.len() / 3);
            of_first.iter().for_each(|pnl| first.add(*pnl));
            of_rest.iter().for_each(|pnl| rest.add(*pnl));
            rest.merge(&first);
            assert_eq!(format!("{rest:?}"), format!("{:?}", tally.amounts));
        }
    }
}
