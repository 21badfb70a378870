//! The metrics of one side of a backtest, from its trades in the order of their exits.

use datafusion::arrow::datatypes::i256;
use datafusion::common::Result;
use hindsight_udfs::decimal::{divide_half_even, format, pow10};
use hindsight_udfs::metrics::calmar_ratio::calmar_ratio;
use hindsight_udfs::metrics::expectancy::expectancy;
use hindsight_udfs::metrics::max_consecutive_losses::LossRuns;
use hindsight_udfs::metrics::max_drawdown::Drawdown;
use hindsight_udfs::metrics::moments::Moments;
use hindsight_udfs::metrics::profit_factor::profit_factor;
use hindsight_udfs::metrics::sharpe_ratio::sharpe_ratio;
use hindsight_udfs::metrics::sortino_ratio::sortino_ratio;
use hindsight_udfs::metrics::sqn::sqn;
use hindsight_udfs::metrics::tally::{TALLY_LIMIT, Tally};
use hindsight_udfs::metrics::totals::{LAMPORTS_PER_UNIT, Totals, rounded_units};
use hindsight_udfs::metrics::win_rate::win_rate;
use hindsight_udfs::trades::misfit::Misfit;

use super::days::{ByDay, DayPnl, Days};

/// What lamports of `numeric(20,9)` stay below.
const SOL_LIMIT: i128 = pow10(20);
/// Microseconds in a hundredth of a minute.
const HUNDREDTH_MINUTE_MICROS: i128 = 600_000;

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
    /// × 10^4, as the three after it.
    pub sharpe_ratio: Option<i128>,
    pub sortino_ratio: Option<i128>,
    pub calmar_ratio: Option<i128>,
    pub sqn: Option<i128>,
    pub best_trade: Option<i128>,
    pub worst_trade: Option<i128>,
    /// Minutes × 100.
    pub average_hold: Option<i128>,
}

/// One trade of a side.
#[derive(Debug, Clone, Copy)]
pub struct Trade {
    /// Lamports.
    pub pnl: i128,
    /// Microseconds, as what follows.
    pub end: i64,
    /// From the entry to the exit, where the entry is recorded.
    pub held: Option<i64>,
}

/// What trades of any order add up to beyond [`Totals`].
#[derive(Debug, Clone, Copy)]
struct Spread {
    /// Lamports squared.
    squares: i256,
    /// Lamports; the worst is above the best where there is no trade.
    best: i128,
    worst: i128,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            squares: i256::ZERO,
            best: i128::MIN,
            worst: i128::MAX,
        }
    }
}

impl Spread {
    fn add(&mut self, pnl: i128) {
        let square = match i64::try_from(pnl) {
            Ok(pnl) => i256::from_i128(i128::from(pnl) * i128::from(pnl)),
            Err(_) => {
                let pnl = i256::from_i128(pnl);
                pnl.wrapping_mul(pnl)
            }
        };
        self.squares = self.squares.wrapping_add(square);
        self.best = self.best.max(pnl);
        self.worst = self.worst.min(pnl);
    }
}

impl From<&Tally> for Spread {
    fn from(tally: &Tally) -> Self {
        let none = Self::default();
        let extremes = tally.extremes();
        Self {
            squares: i256::from_parts(tally.squares(), 0),
            best: extremes.map_or(none.best, |(best, _)| best.into()),
            worst: extremes.map_or(none.worst, |(_, worst)| worst.into()),
        }
    }
}

/// How long some trades were held.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held {
    /// Microseconds in all.
    pub micros: i128,
    /// The trades whose entry is recorded.
    pub trades: i64,
}

impl Held {
    fn add(&mut self, held: Option<i64>) {
        self.micros += i128::from(held.unwrap_or(0));
        self.trades += i64::from(held.is_some());
    }
}

/// The trades of one side, as their metrics need them.
#[derive(Debug, Clone, Default)]
pub struct Side {
    pub totals: Totals,
    drawdown: Drawdown,
    runs: LossRuns,
    spread: Spread,
    held: Held,
    by_day: ByDay,
}

impl Side {
    /// A side without trades in a range of days, which it keeps the sums of where that is asked for.
    pub fn new(days: Days, keeps_days: bool) -> Self {
        Self {
            by_day: ByDay::new(days, keeps_days),
            ..Self::default()
        }
    }

    /// Trades whose absolute amounts add up to no more than `most`.
    pub fn of(
        trades: impl Iterator<Item = Trade>,
        most: i128,
        days: Days,
        keeps_days: bool,
    ) -> Self {
        let mut side = Self::new(days, keeps_days);
        if most >= TALLY_LIMIT {
            trades.for_each(|trade| side.add(&trade));
            return side;
        }
        let mut tally = Tally::default();
        for trade in trades {
            tally.add(trade.pnl as i64);
            side.held.add(trade.held);
            side.by_day.add(trade.pnl, trade.end);
        }
        side.of_tally(&tally)
    }

    /// The trades of a tally, with how long they were held and what they add up to by day.
    pub fn of_parts(tally: &Tally, held: Held, by_day: ByDay) -> Self {
        let side = Self {
            held,
            by_day,
            ..Self::default()
        };
        side.of_tally(tally)
    }

    fn of_tally(self, tally: &Tally) -> Self {
        Self {
            totals: tally.totals(),
            drawdown: tally.drawdown(),
            runs: tally.loss_runs(),
            spread: Spread::from(tally),
            ..self
        }
    }

    /// Takes the next trade in.
    pub fn add(&mut self, trade: &Trade) {
        self.totals.add(trade.pnl);
        self.drawdown.add(trade.pnl);
        self.runs.add(trade.pnl);
        self.spread.add(trade.pnl);
        self.held.add(trade.held);
        self.by_day.add(trade.pnl, trade.end);
    }

    /// The metrics, and the days with trades where they were kept.
    pub fn finish(self) -> Result<(Metrics, Vec<DayPnl>)> {
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
        let sum = gross_profit - gross_loss;
        let trade_moments = Moments {
            count: trades,
            sum,
            squares: self.spread.squares,
            falls: i256::ZERO,
        };
        let (day_moments, days) = self.by_day.finish();
        let max_drawdown = self.drawdown.rounded();
        let of_trades = |value: i128| (trades > 0).then_some(value);
        let hold = (self.held.trades > 0).then(|| {
            let trades = i128::from(self.held.trades);
            divide_half_even(self.held.micros, trades * HUNDREDTH_MINUTE_MICROS)
        });
        let metrics = Metrics {
            total_trades: trades,
            winning_trades: wins,
            losing_trades: trades - wins,
            total_pnl: rounded(sum)?,
            gross_profit: rounded(gross_profit)?,
            gross_loss: rounded(gross_loss)?,
            average_win: average(gross_profit, wins) * LAMPORTS_PER_UNIT,
            average_loss: average(gross_loss, trades - wins) * LAMPORTS_PER_UNIT,
            max_drawdown,
            max_consecutive_losses: self.runs.longest,
            win_rate: win_rate(&self.totals),
            profit_factor: profit_factor(&self.totals),
            expectancy: expectancy(&self.totals),
            sharpe_ratio: sharpe_ratio(&day_moments)?,
            sortino_ratio: sortino_ratio(&day_moments)?,
            calmar_ratio: calmar_ratio(sum, day_moments.count, max_drawdown)?,
            sqn: sqn(&trade_moments)?,
            best_trade: of_trades(rounded_units(self.spread.best) * LAMPORTS_PER_UNIT),
            worst_trade: of_trades(rounded_units(self.spread.worst) * LAMPORTS_PER_UNIT),
            average_hold: hold,
        };
        Ok((metrics, days))
    }
}

/// An amount rounded to four digits, in lamports.
pub fn rounded(lamports: i128) -> Result<i128> {
    let rounded = rounded_units(lamports) * LAMPORTS_PER_UNIT;
    match rounded.abs() < SOL_LIMIT {
        true => Ok(rounded),
        false => Err(Misfit::Total {
            found: format(rounded, 9),
        }
        .into()),
    }
}
