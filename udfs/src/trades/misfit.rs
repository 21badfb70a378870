//! What no `numeric(20,9)` holds, and where it comes from: one price that is wrong makes one trade that
//! does not fit, and whoever reads of it wants to find that price.

use std::fmt;

use datafusion::arrow::temporal_conversions::timestamp_us_to_datetime;
use datafusion::common::DataFusionError;

/// How many times its entry price a price must be to look wrong.
const LEAP: i128 = 1000;

/// Why amounts do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// One trade, and what it was among.
    Trade {
        trade: Box<MisfitTrade>,
        /// The place of its combination among those that were run, where there are several.
        combination: Option<usize>,
        /// What is set there and not everywhere.
        settings: String,
    },
    /// The sum of trades that fit.
    Total {
        /// SOL.
        found: String,
    },
}

/// A trade that does not fit; amounts and prices as texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MisfitTrade {
    /// Of whom it is, where that is known: the signal and its token.
    pub signal: Option<(String, String)>,
    pub size: String,
    pub entry: PriceSeen,
    /// The price that it would have gained so much by.
    pub highest: PriceSeen,
}

/// A price and, where it is known, its instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceSeen {
    pub price: String,
    /// Microseconds.
    pub at: Option<i64>,
}

impl Misfit {
    /// The trade alone.
    pub fn of(trade: MisfitTrade) -> Self {
        Self::Trade {
            trade: Box::new(trade),
            combination: None,
            settings: String::new(),
        }
    }

    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Trade { .. } => {
                "the price looks wrong: load the right one with --on-conflict replace, or a history \
                 without this signal"
            }
            Self::Total { .. } => {
                "a price, a position or a recorded PnL looks wrong: order simulate_trades() by \
                 net_pnl_sol and trade_outcomes by realized_pnl_sol"
            }
        }
    }
}

/// Whether a gain is so many times the stake that a price looks wrong rather than the position.
pub fn is_leap(gain: i128, stake: i128) -> bool {
    gain / LEAP >= stake
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trade {
                trade, settings, ..
            } => {
                match &trade.signal {
                    Some((signal, token)) => write!(f, "the trade on signal {signal} in {token}")?,
                    None => f.write_str("a trade")?,
                }
                let MisfitTrade {
                    size,
                    entry,
                    highest,
                    ..
                } = trade.as_ref();
                write!(
                    f,
                    " does not fit numeric(20,9): {size} SOL bought at {entry} meet a price of {highest}"
                )?;
                match settings.as_str() {
                    "" => Ok(()),
                    settings => write!(f, ", with {settings}"),
                }
            }
            Self::Total { found } => write!(
                f,
                "the PnL of the trades adds up to {found} SOL, which does not fit numeric(20,9)"
            ),
        }
    }
}

impl fmt::Display for PriceSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.price)?;
        match self.at.and_then(timestamp_us_to_datetime) {
            Some(at) => write!(f, " ({})", at.format("%Y-%m-%dT%H:%M:%S%.fZ")),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Misfit {}

impl From<Misfit> for DataFusionError {
    fn from(misfit: Misfit) -> Self {
        Self::External(Box::new(misfit))
    }
}
