//! The one table of metrics: the grid's columns, the command line, the page and reports read it.
//!
//! A metric of both sides is a column `actual_NAME` and a column `simulated_NAME` of `backtest`, in
//! the order of this table; what it is made from is in `queries/trade_metrics.sql`.

use datafusion::arrow::datatypes::DataType;
use hindsight_sweep::metrics::Metrics;

use crate::schema::SOL;

/// What values a metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Count,
    /// An amount in SOL, rounded to 4 digits.
    Sol,
    /// A percentage of 0 to 100, rounded to 2 digits.
    Percent,
    /// Minutes, rounded to 2 digits.
    Minutes,
    /// A quotient, rounded to so many digits.
    Ratio(i8),
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
    Neither,
}

/// A metric over the trades of one side.
#[derive(Debug)]
pub struct Metric {
    /// As in the columns `actual_NAME` and `simulated_NAME`.
    pub name: &'static str,
    /// For people, with its unit.
    pub title: &'static str,
    pub kind: Kind,
    pub better: Better,
    pub description: &'static str,
    /// In units of its last digit, amounts in lamports; `None` where it is undefined.
    pub value: fn(&Metrics) -> Option<i128>,
}

/// Every metric, in the order of the columns.
pub static METRICS: [Metric; 20] = [
    Metric {
        name: "total_trades",
        title: "trades",
        kind: Kind::Count,
        better: Better::Neither,
        description: "trades, each a sale",
        value: |m| Some(m.total_trades.into()),
    },
    Metric {
        name: "winning_trades",
        title: "winning trades",
        kind: Kind::Count,
        better: Better::More,
        description: "trades with a PnL above 0",
        value: |m| Some(m.winning_trades.into()),
    },
    Metric {
        name: "losing_trades",
        title: "losing trades",
        kind: Kind::Count,
        better: Better::Less,
        description: "trades with a PnL of 0 or less",
        value: |m| Some(m.losing_trades.into()),
    },
    Metric {
        name: "total_pnl_sol",
        title: "total PnL (SOL)",
        kind: Kind::Sol,
        better: Better::More,
        description: "sum of the PnL of all trades",
        value: |m| Some(m.total_pnl),
    },
    Metric {
        name: "gross_profit_sol",
        title: "gross profit (SOL)",
        kind: Kind::Sol,
        better: Better::More,
        description: "sum of the PnL of winning trades",
        value: |m| Some(m.gross_profit),
    },
    Metric {
        name: "gross_loss_sol",
        title: "gross loss (SOL)",
        kind: Kind::Sol,
        better: Better::Less,
        description: "sum of what losing trades lost, as a positive amount",
        value: |m| Some(m.gross_loss),
    },
    Metric {
        name: "average_win_sol",
        title: "average win (SOL)",
        kind: Kind::Sol,
        better: Better::More,
        description: "gross profit over winning trades, 0 without any",
        value: |m| Some(m.average_win),
    },
    Metric {
        name: "average_loss_sol",
        title: "average loss (SOL)",
        kind: Kind::Sol,
        better: Better::Less,
        description: "gross loss over losing trades, 0 without any",
        value: |m| Some(m.average_loss),
    },
    Metric {
        name: "max_drawdown_sol",
        title: "max drawdown (SOL)",
        kind: Kind::Sol,
        better: Better::Less,
        description: "largest fall of the running PnL below its peak, which starts at 0",
        value: |m| Some(m.max_drawdown),
    },
    Metric {
        name: "max_consecutive_losses",
        title: "max losses in a row",
        kind: Kind::Count,
        better: Better::Less,
        description: "most losing trades one after the other",
        value: |m| Some(m.max_consecutive_losses.into()),
    },
    Metric {
        name: "win_rate",
        title: "win rate (%)",
        kind: Kind::Percent,
        better: Better::More,
        description: "winning trades over all trades, in percent",
        value: |m| Some(m.win_rate),
    },
    Metric {
        name: "profit_factor",
        title: "profit factor",
        kind: Kind::Ratio(2),
        better: Better::More,
        description: "gross profit over gross loss; null without loss",
        value: |m| m.profit_factor,
    },
    Metric {
        name: "expectancy",
        title: "expectancy (SOL)",
        kind: Kind::Sol,
        better: Better::More,
        description: "total PnL over trades",
        value: |m| Some(m.expectancy),
    },
    Metric {
        name: "sharpe_ratio",
        title: "Sharpe ratio",
        kind: Kind::Ratio(4),
        better: Better::More,
        description: "mean daily PnL over its standard deviation (N − 1), times √365; null where N \
                      is below 2 or all days are equal",
        value: |m| m.sharpe_ratio,
    },
    Metric {
        name: "sortino_ratio",
        title: "Sortino ratio",
        kind: Kind::Ratio(4),
        better: Better::More,
        description: "mean daily PnL over the root of the mean square of losing days, times √365; \
                      null where N is below 2 or no day is negative",
        value: |m| m.sortino_ratio,
    },
    Metric {
        name: "calmar_ratio",
        title: "Calmar ratio",
        kind: Kind::Ratio(4),
        better: Better::More,
        description: "PnL for 365 days over the largest drawdown; null without drawdown",
        value: |m| m.calmar_ratio,
    },
    Metric {
        name: "sqn",
        title: "system quality number",
        kind: Kind::Ratio(4),
        better: Better::More,
        description: "√n times mean over standard deviation (n − 1) of the PnL of n trades; null \
                      where n is below 2 or all trades are equal",
        value: |m| m.sqn,
    },
    Metric {
        name: "best_trade_sol",
        title: "best trade (SOL)",
        kind: Kind::Sol,
        better: Better::More,
        description: "largest PnL of a trade; null without trades",
        value: |m| m.best_trade,
    },
    Metric {
        name: "worst_trade_sol",
        title: "worst trade (SOL)",
        kind: Kind::Sol,
        better: Better::More,
        description: "least PnL of a trade; null without trades",
        value: |m| m.worst_trade,
    },
    Metric {
        name: "average_hold_minutes",
        title: "average hold (minutes)",
        kind: Kind::Minutes,
        better: Better::Neither,
        description: "mean time from entry to exit of the trades whose entry is recorded; null \
                      without any",
        value: |m| m.average_hold,
    },
];

impl Metric {
    /// The type of its columns.
    pub fn data_type(&self) -> DataType {
        match self.kind {
            Kind::Count => DataType::Int64,
            Kind::Sol => SOL,
            Kind::Percent => DataType::Decimal128(7, 2),
            Kind::Minutes => DataType::Decimal128(38, 2),
            Kind::Ratio(digits) => DataType::Decimal128(38, digits),
        }
    }

    /// What one of it is.
    pub fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Count => "trades",
            Kind::Sol => "SOL",
            Kind::Percent => "percent",
            Kind::Minutes => "minutes",
            Kind::Ratio(_) => "ratio",
        }
    }

    /// The fractional digits that it is shown with.
    pub fn digits(&self) -> i8 {
        match self.kind {
            Kind::Count => 0,
            Kind::Sol => 4,
            Kind::Percent | Kind::Minutes => 2,
            Kind::Ratio(digits) => digits,
        }
    }
}

/// The metric of this name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}
