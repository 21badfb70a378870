//! The paths of signals, walked: what each touches, with what a sale there brings.

use std::hint::black_box;

use hindsight_udfs::exits::first_touches::{Levels, Touch, Touches, first_touches};
use hindsight_udfs::exits::walk::Path;
use hindsight_udfs::exits::words::{FillModel, HUNDRED_PERCENT, fill};
use hindsight_udfs::price_book::{PriceBook, TokenPrices};
use hindsight_udfs::trades::quick_pnl::{Rate, Stake};

use super::exits::SignalExit;
use super::history::{History, Tradable};
use super::one_set::{End, OneSet};
use super::ranked::{EndingTouch, Walked};

/// Signals whose paths are fetched together: memory is waited for once, not for each.
const AHEAD: usize = 16;
/// Prices that come from memory together.
const LINE: usize = 8;
/// Prices from which on a path is long.
const LONG: i128 = 512;

/// What signals' paths are walked over.
pub struct Paths<'a> {
    pub history: &'a History,
    pub book: &'a PriceBook,
    pub levels: &'a Levels,
    pub fill_model: FillModel,
    /// Where one set of rules is asked for and no other.
    pub one: Option<OneSet>,
}

impl Paths<'_> {
    /// Reads the first prices of some signals, so that their ways from memory overlap.
    fn fetch(&self, signals: &[u32]) {
        for signal in signals {
            let (prices, start) = self.path(&self.history.tradable[*signal as usize]);
            black_box((
                prices.mantissas.get(start).copied(),
                prices.mantissas.get(start + LINE).copied(),
                prices.timestamps.get(start + 2 * LINE).copied(),
            ));
        }
    }

    /// The prices of a signal's token, and where its path starts.
    fn path(&self, of: &Tradable) -> (&TokenPrices, usize) {
        (self.book.token(of.token as usize), of.price as usize)
    }

    /// The touches of some signals, the first of which has this row; of one set of rules, the sales.
    pub fn walk(&self, first_row: usize, signals: &[u32]) -> Walked {
        let mut walked = Walked {
            order: Vec::with_capacity(signals.len()),
            exits: Vec::with_capacity(signals.len()),
            together: [false; 256],
        };
        let (mut touches, mut ends) = (Touches::default(), Vec::new());
        for (row, signal) in (first_row..).zip(signals) {
            let place = row - first_row;
            if place.is_multiple_of(AHEAD) {
                self.fetch(&signals[place..signals.len().min(place + AHEAD)]);
            }
            let signal = &self.history.tradable[*signal as usize];
            let (prices, start) = self.path(signal);
            let path = Path {
                timestamps: &prices.timestamps,
                prices: &prices.mantissas,
                entry: start,
                signal_timestamp: signal.timestamp,
            };
            let fills = Fills::new(&path, self.fill_model);
            let first_cell = row * self.levels.slot_count();
            match &self.one {
                None => {
                    let extremes = is_long(prices, self.levels).then(|| prices.extremes());
                    first_touches(&path, extremes, self.levels, &mut touches);
                    for touch in &touches.all {
                        let exit = fills.exit(signal, touch);
                        let order = EndingTouch::order(exit.end, signal.id_rank, touch);
                        walked.push(order, first_cell + touch.slot, exit);
                    }
                }
                Some(one) => {
                    one.ends(&path, prices, &mut touches, &mut ends);
                    for End { touch, parts } in &ends {
                        let exit = SignalExit {
                            part: parts.trailing_zeros() as u8 + 1,
                            share: *parts,
                            ..fills.exit(signal, touch)
                        };
                        walked.together[usize::from(*parts)] = true;
                        let order = EndingTouch::order_of_part(&exit, signal.id_rank);
                        walked.push(order, first_cell, exit);
                    }
                }
            }
        }
        walked
    }
}

/// What sales on one path bring.
struct Fills<'a> {
    path: &'a Path<'a>,
    fill_model: FillModel,
    cost: i128,
    stake: Stake,
}

impl<'a> Fills<'a> {
    fn new(path: &'a Path<'a>, fill_model: FillModel) -> Self {
        let cost = i128::from(path.prices[path.entry]) * i128::from(HUNDRED_PERCENT);
        Self {
            path,
            fill_model,
            cost,
            stake: Stake::new(cost),
        }
    }

    /// The sale at a touch.
    #[inline]
    fn exit(&self, signal: &Tradable, touch: &Touch) -> SignalExit {
        let Path {
            timestamps,
            prices,
            entry,
            ..
        } = *self.path;
        let observed = prices[touch.position];
        let gain = |model| fill(touch.level, observed, model) - self.cost;
        let (gain, conservative) = (gain(self.fill_model), gain(FillModel::Conservative));
        let rate = self.stake.rate(gain);
        let conservative_rate = match conservative == gain {
            true => rate,
            false => self.stake.rate(conservative),
        };
        let rates = rate.zip(conservative_rate);
        let (rate, conservative_rate) = rates.unwrap_or((Rate::VAST, Rate::VAST));
        let end = timestamps[touch.position];
        SignalExit {
            signal: signal.signal,
            is_new: signal.is_new,
            reason: touch.reason,
            part: 1,
            share: 0,
            rate,
            conservative_rate,
            end,
            held: end.saturating_sub(timestamps[entry]),
            actual_pnl: signal.actual_pnl,
        }
    }
}

/// Whether a path over these prices may be long enough to leap over blocks of them.
pub fn is_long(prices: &TokenPrices, levels: &Levels) -> bool {
    let (Some(first), Some(last)) = (prices.timestamps.first(), prices.timestamps.last()) else {
        return false;
    };
    let held = i128::from(levels.longest());
    let span = i128::from(*last) - i128::from(*first);
    held * prices.timestamps.len() as i128 > span * LONG
}
