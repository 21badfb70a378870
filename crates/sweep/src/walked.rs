//! The paths of signals, walked: what each touches, with what a sale there brings.

use std::hint::black_box;

use hindsight_udfs::exits::first_touches::{Levels, Touch, Touches, first_touches};
use hindsight_udfs::exits::rule::Part;
use hindsight_udfs::exits::walk::Path;
use hindsight_udfs::exits::words::{FillModel, HUNDRED_PERCENT, fill};
use hindsight_udfs::price_book::{PriceBook, TokenPrices};
use hindsight_udfs::trades::quick_pnl::{Rate, Stake};

use super::exits::SignalExit;
use super::history::{History, Tradable};
use super::ranked::{EndingTouch, Walked, level_place};

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
    /// The parts of each slot, a bit each, where one set of rules is asked for and no other.
    pub parts_of_slots: Option<Vec<u16>>,
}

/// The parts of each slot, a bit each.
pub fn parts_of_slots(levels: &Levels, parts: &[Part]) -> Vec<u16> {
    let mut of_slots = vec![0; levels.slot_count()];
    for (bit, part) in (0..).map(|place| 1 << place).zip(parts) {
        for slot in levels.slots(part) {
            of_slots[slot] |= bit;
        }
    }
    of_slots
}

/// Leaves the first touches of each part, and no other.
fn keep_ends(touches: &mut Vec<Touch>, parts_of_slots: &[u16]) {
    // Within a path, as places are ordered.
    let order = |touch: &Touch| {
        let level = level_place(touch.reason, touch.slot);
        (touch.position, touch.reason, level)
    };
    touches.sort_unstable_by_key(order);
    let (mut over, mut last) = (0, None);
    touches.retain(|touch| {
        let parts = parts_of_slots[touch.slot];
        // What several touches are at once, each part of them ends by.
        let is_end = parts & !over != 0 || last == Some(order(touch));
        if is_end {
            last = Some(order(touch));
        }
        over |= parts;
        is_end
    });
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

    /// Whether a path over these prices may be long enough to leap over blocks of them.
    fn is_long(&self, prices: &TokenPrices) -> bool {
        let (Some(first), Some(last)) = (prices.timestamps.first(), prices.timestamps.last())
        else {
            return false;
        };
        let held = i128::from(self.levels.longest());
        let span = i128::from(*last) - i128::from(*first);
        held * prices.timestamps.len() as i128 > span * LONG
    }

    /// The touches of some signals, the first of which has this row.
    pub fn walk(&self, first_row: usize, signals: &[u32]) -> Walked {
        let mut walked = Walked {
            order: Vec::with_capacity(signals.len()),
            exits: Vec::with_capacity(signals.len()),
        };
        let mut touches = Touches::default();
        for (row, signal) in (first_row..).zip(signals) {
            let place = row - first_row;
            if place.is_multiple_of(AHEAD) {
                self.fetch(&signals[place..signals.len().min(place + AHEAD)]);
            }
            let signal = &self.history.tradable[*signal as usize];
            let (prices, start) = self.path(signal);
            let (timestamps, mantissas) = (&prices.timestamps[..], &prices.mantissas[..]);
            let path = Path {
                timestamps,
                prices: mantissas,
                entry: start,
                signal_timestamp: signal.timestamp,
            };
            let extremes = self.is_long(prices).then(|| prices.extremes());
            first_touches(&path, extremes, self.levels, &mut touches);
            if let Some(parts) = &self.parts_of_slots {
                keep_ends(&mut touches.all, parts);
            }

            let paid = mantissas[start];
            let cost = i128::from(paid) * i128::from(HUNDRED_PERCENT);
            let stake = Stake::new(cost);
            for touch in &touches.all {
                let Touch {
                    slot,
                    position,
                    reason,
                    level,
                } = *touch;
                let observed = mantissas[position];
                let gain = |model| fill(level, observed, model) - cost;
                let (gain, conservative) = (gain(self.fill_model), gain(FillModel::Conservative));
                let rate = stake.rate(gain);
                let conservative_rate = match conservative == gain {
                    true => rate,
                    false => stake.rate(conservative),
                };
                let rates = rate.zip(conservative_rate);
                let (rate, conservative_rate) = rates.unwrap_or((Rate::VAST, Rate::VAST));
                // Blocks hold fewer cells, and so fewer exits, than 32 bits count.
                walked.order.push(EndingTouch {
                    order: EndingTouch::order(timestamps[position], signal.id_rank, reason, slot),
                    exit: walked.exits.len() as u32,
                    cell: (row * self.levels.slot_count() + slot) as u32,
                });
                walked.exits.push(SignalExit {
                    signal: signal.signal,
                    is_new: signal.is_new,
                    reason,
                    part: 1,
                    share: 0,
                    rate,
                    conservative_rate,
                    end: timestamps[position],
                    held: timestamps[position].saturating_sub(timestamps[start]),
                    actual_pnl: signal.actual_pnl,
                });
            }
        }
        walked
    }
}
