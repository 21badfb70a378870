//! The metrics of one side of a backtest, from its trades in the order of their exits.

use datafusion::common::Result;
use hindsight_udfs::arguments::refuse;
use hindsight_udfs::decimal::{divide_half_even, format, pow10};
use hindsight_udfs::metrics::expectancy::expectancy;
use hindsight_udfs::metrics::max_consecutive_losses::LossRuns;
use hindsight_udfs::metrics::max_drawdown::Drawdown;
use hindsight_udfs::metrics::profit_factor::profit_factor;
use hindsight_udfs::metrics::tally::{TALLY_LIMIT, Tally};
use hindsight_udfs::metrics::totals::{LAMPORTS_PER_UNIT, Totals, rounded_units};
use hindsight_udfs::metrics::win_rate::win_rate;

/// What lamports of `numeric(20,9)` stay below.
const SOL_LIMIT: i128 = pow10(20);

/// The metrics of one side; amounts in lamports, rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metrics {
    pub total_trades: i64,
    pub winning_trades: i64,
    pub losing_trades: i64,
    pub total_pnl: i128,
    pub gross_profit: i128,
    pub gross_loss: i128,
    pub average_win: i128,
    pub average_loss: i128,
    pub max_drawdown: i128,
    pub max_consecutive_losses: i64,
    /// Percent × 100.
    pub win_rate: i128,
    /// × 100.
    pub profit_factor: Option<i128>,
    pub expectancy: i128,
}

/// The trades of one side, taken in one by one in the order of their exits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Side {
    pub totals: Totals,
    drawdown: Drawdown,
    runs: LossRuns,
}

impl Side {
    /// Trades whose absolute amounts add up to no more than `most`.
    pub fn of(trades: impl Iterator<Item = i128>, most: i128) -> Self {
        if most >= TALLY_LIMIT {
            let mut side = Self::default();
            trades.for_each(|pnl| side.add(pnl));
            return side;
        }
        let mut tally = Tally::default();
        trades.for_each(|pnl| tally.add(pnl as i64));
        tally.into()
    }

    pub fn add(&mut self, pnl: i128) {
        self.totals.add(pnl);
        self.drawdown.add(pnl);
        self.runs.add(pnl);
    }

    pub fn metrics(&self) -> Result<Metrics> {
        let Totals {
            trades,
            wins,
            gross_profit,
            gross_loss,
        } = self.totals;
        let average = |sum: i128, count: i64| match count {
            0 => 0,
            count => divide_half_even(sum, i128::from(count) * LAMPORTS_PER_UNIT),
        };
        Ok(Metrics {
            total_trades: trades,
            winning_trades: wins,
            losing_trades: trades - wins,
            total_pnl: rounded(gross_profit - gross_loss)?,
            gross_profit: rounded(gross_profit)?,
            gross_loss: rounded(gross_loss)?,
            average_win: average(gross_profit, wins) * LAMPORTS_PER_UNIT,
            average_loss: average(gross_loss, trades - wins) * LAMPORTS_PER_UNIT,
            max_drawdown: self.drawdown.rounded(),
            max_consecutive_losses: self.runs.longest,
            win_rate: win_rate(&self.totals),
            profit_factor: profit_factor(&self.totals),
            expectancy: expectancy(&self.totals),
        })
    }
}

impl From<Tally> for Side {
    fn from(tally: Tally) -> Self {
        Self {
            totals: tally.totals(),
            drawdown: tally.drawdown(),
            runs: tally.loss_runs(),
        }
    }
}

/// An amount rounded to four digits, in lamports.
pub fn rounded(lamports: i128) -> Result<i128> {
    let rounded = rounded_units(lamports) * LAMPORTS_PER_UNIT;
    match rounded.abs() < SOL_LIMIT {
        true => Ok(rounded),
        false => refuse(
            "base_position_sol",
            "small enough for the total to fit numeric(20,9)",
            format(rounded, 9),
        ),
    }
}
