//! Where trades end: every level of a block touched by every signal's path, walked once.
//!
//! The touches stand in the order in which trades are counted, by the instant of the exit and then
//! the signal. A touch's place in it, its rank, tells it apart from all others and says which of two
//! comes first, so that the end of a part under its rules is the least of their ranks, and the exits
//! of all signals are a set of ranks that needs no sorting. Touches that are one exit, such as that
//! of two time limits at one price, have one rank: parts that end so are one sale.

use std::hint::black_box;

use datafusion::common::Result;
use hindsight_udfs::exits::first_touches::{Levels, Touch, Touches, first_touches};
use hindsight_udfs::exits::rule::Part;
use hindsight_udfs::exits::walk::Path;
use hindsight_udfs::exits::words::{ExitReason, FillModel, HUNDRED_PERCENT, fill};
use hindsight_udfs::price_book::{PriceBook, TokenPrices};
use hindsight_udfs::trades::quick_pnl::{Rate, Stake};
use rayon::prelude::*;

use super::backtest::Course;
use super::block::SCRATCH_BYTES;
use super::history::{History, Tradable};
use super::part_sales::SOLD_BYTES;

/// The rank of a level that a path does not touch.
pub(super) const UNTOUCHED: u32 = u32::MAX;
/// The bits of a level's place in an order.
const LEVEL_BITS: u32 = 24;
const LEVEL_MASK: u32 = (1 << LEVEL_BITS) - 1;
/// Signals whose paths are walked between two looks at a cancellation.
const SIGNALS_AT_ONCE: usize = 512;
/// Signals whose paths are walked in one turn.
const SIGNALS_IN_A_SLICE: usize = 16 * SIGNALS_AT_ONCE;
/// Signals whose paths are fetched together: memory is waited for once, not for each.
const AHEAD: usize = 16;
/// Prices that come from memory together.
const LINE: usize = 8;
/// Prices from which on a path is long.
const LONG: i128 = 512;
/// Signals whose first touches are found together.
pub(super) const ROWS_AT_ONCE: usize = 512;
/// Exits that one thread gathers sooner than it finds help.
const GATHERED_ALONE: usize = 1 << 13;

/// A touch as the end of a trade.
#[derive(Debug, Clone, Copy)]
pub struct SignalExit {
    pub signal: u32,
    /// Whether the signal was not actually traded.
    pub is_new: bool,
    pub reason: ExitReason,
    /// The number of the first of the parts that are sold, from 1 on: of a touch, 1.
    pub part: u8,
    /// The place of what is sold among the shares that are: of a touch, 0.
    pub share: u8,
    /// The returns by the fill model and by conservative fills; both [`Rate::VAST`] where one is.
    pub rate: Rate,
    pub conservative_rate: Rate,
    /// Microseconds, as what follows.
    pub end: i64,
    /// Since the entry.
    pub held: i64,
    /// Lamports; [`FAR`](super::history::FAR) from every other where there is none.
    pub actual_pnl: i64,
}

/// The paths of some signals, walked.
struct Walked {
    order: Vec<Place>,
    /// In the order of the walk.
    exits: Vec<SignalExit>,
}

/// A touch on its way to its rank: they are ranked as these are sorted.
#[derive(Clone, Copy)]
pub struct Place {
    /// From the highest bits on: the instant, the rank of the signal's id, the reason, the level.
    order: u128,
    /// Among the exits of the signals that were walked with its own.
    exit: u32,
    /// Row × slots + slot.
    cell: u32,
}

/// The place of a level among those of one reason, which ascend and are fewer than cells.
fn level_place(reason: ExitReason, slot: usize) -> u32 {
    match reason {
        // What the clock ends, ends at the observed price, whichever limit it was.
        ExitReason::TimeLimit | ExitReason::Stagnation | ExitReason::EndOfData => 0,
        _ => slot as u32 & LEVEL_MASK,
    }
}

impl Place {
    fn order(timestamp: i64, id_rank: u32, reason: ExitReason, slot: usize) -> u128 {
        // Flipped, the sign lets bits compare as numbers do.
        let instant = timestamp as u64 ^ 1 << 63;
        let touch = (reason as u32) << LEVEL_BITS | level_place(reason, slot);
        u128::from(instant) << 64 | u128::from(id_rank) << 32 | u128::from(touch)
    }

    fn instant(&self) -> u64 {
        (self.order >> 64) as u64
    }
}

/// All places in their order. Exits lie spread over time: dealt by their instants to as many short
/// spans as there are exits, few share one and need to be compared.
fn ranked(walked: &[Walked]) -> Vec<Place> {
    let all = || walked.iter().flat_map(|walked| &walked.order);
    let Some(some) = all().next() else {
        return vec![];
    };
    let (mut count, mut first, mut last) = (0_usize, u64::MAX, 0);
    for place in all() {
        count += 1;
        first = first.min(place.instant());
        last = last.max(place.instant());
    }
    let length = last - first;
    let shift = (length.checked_ilog2().unwrap_or(0)).saturating_sub(count.ilog2());
    let span = |place: &Place| ((place.instant() - first) >> shift) as usize;
    // Where the next place of each span goes.
    let mut next = vec![0_u32; (length >> shift) as usize + 2];
    all().for_each(|place| next[span(place) + 1] += 1);
    let mut before = 0;
    for next in &mut next {
        before += *next;
        *next = before;
    }
    let mut ranked = vec![*some; count];
    for place in all() {
        let next = &mut next[span(place)];
        ranked[*next as usize] = *place;
        *next += 1;
    }
    for alike in ranked.chunk_by_mut(|a, b| span(a) == span(b)) {
        if alike.len() > 1 {
            alike.sort_unstable_by_key(|place| place.order);
        }
    }
    ranked
}

/// What paths are walked for: all sets of rules, their levels, and how these fill.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub rules: &'a [Vec<Part>],
    pub levels: &'a Levels,
    pub fill_model: FillModel,
}

/// The touches of some signals.
pub struct ExitTable<'a> {
    pub(super) levels: &'a Levels,
    /// The number of signals.
    pub(super) rows: usize,
    /// One column for each slot, with the rank of each signal's touch.
    ranks: Vec<u32>,
    /// By rank.
    pub(super) exits: Vec<SignalExit>,
}

impl<'a> ExitTable<'a> {
    /// Walks the paths of these of the tradable signals, told by their places, with a pause before
    /// each slice.
    pub fn new(
        history: &History,
        book: &PriceBook,
        signals: &[u32],
        wanted: Wanted<'a>,
        course: &Course,
        pause: &dyn Fn(),
    ) -> Result<Self> {
        let Wanted {
            rules,
            levels,
            fill_model,
        } = wanted;
        let parts_of_slots = match rules {
            [parts] => Some(parts_of_slots(levels, parts)),
            _ => None,
        };
        let paths = Paths {
            history,
            book,
            levels,
            fill_model,
            parts_of_slots,
        };
        let mut walked: Vec<Walked> = Vec::new();
        for (slice, signals) in signals.chunks(SIGNALS_IN_A_SLICE).enumerate() {
            pause();
            let chunks = signals.par_chunks(SIGNALS_AT_ONCE).enumerate();
            let chunks = chunks.map(|(chunk, signals)| {
                course.check()?;
                let first = slice * SIGNALS_IN_A_SLICE + chunk * SIGNALS_AT_ONCE;
                Ok(paths.walk(first, signals))
            });
            walked.extend(chunks.collect::<Result<Vec<Walked>>>()?);
        }

        let order = ranked(&walked);
        let cells_at_once = SIGNALS_AT_ONCE * levels.slot_count();
        let exit =
            |place: &Place| walked[place.cell as usize / cells_at_once].exits[place.exit as usize];
        let exits = || order.par_iter().with_min_len(GATHERED_ALONE);
        let exits = || exits().map(exit).collect();
        let ranks = || {
            let mut ranks = vec![UNTOUCHED; signals.len() * levels.slot_count()];
            let mut before = (0, None);
            for (rank, place) in (0_u32..).zip(&order) {
                if before.1 != Some(place.order) {
                    before = (rank, Some(place.order));
                }
                let (row, slot) = (
                    place.cell as usize / levels.slot_count(),
                    place.cell as usize % levels.slot_count(),
                );
                ranks[slot * signals.len() + row] = before.0;
            }
            ranks
        };
        let (exits, ranks) = match order.len() < GATHERED_ALONE {
            true => (exits(), ranks()),
            false => rayon::join(exits, ranks),
        };
        Ok(Self {
            levels,
            rows: signals.len(),
            ranks,
            exits,
        })
    }

    /// What the sales under a set of rules of so many parts need, with what a thread writes on beyond
    /// [`SCRATCH_BYTES`](super::block::SCRATCH_BYTES) for them.
    pub fn sales_bytes(&self, parts: usize) -> usize {
        let sale = size_of::<SignalExit>();
        let each = match parts {
            1 => sale,
            parts => parts * (sale + SOLD_BYTES + SCRATCH_BYTES),
        };
        self.rows * each
    }

    /// The sales of all signals under one set of rules, in the order in which trades are counted.
    pub fn sales(&self, parts: &[Part]) -> Sales {
        match parts {
            [part] => Sales {
                exits: self.of_whole(&self.levels.slots(part)),
                shares: vec![HUNDRED_PERCENT],
            },
            parts => self.of_parts(parts),
        }
    }

    /// The exits of all signals that end at the first touch of some slots.
    fn of_whole(&self, slots: &[usize]) -> Vec<SignalExit> {
        let mut is_exit = vec![0_u64; self.exits.len().div_ceil(64)];
        let mut count = 0;
        let mut first = [UNTOUCHED; ROWS_AT_ONCE];
        for row in (0..self.rows).step_by(ROWS_AT_ONCE) {
            for first in self.first_ranks(row, slots, &mut first) {
                if let Some(word) = is_exit.get_mut(*first as usize / 64) {
                    *word |= 1 << (*first % 64);
                    count += 1;
                }
            }
        }
        let mut exits = Vec::with_capacity(count);
        for (word, ranks) in is_exit.iter().zip(self.exits.chunks(64)) {
            let mut rest = *word;
            while rest != 0 {
                exits.push(ranks[rest.trailing_zeros() as usize]);
                rest &= rest - 1;
            }
        }
        exits
    }

    /// The ranks of the first touches of any of some slots, of the signals from a row on.
    pub(super) fn first_ranks<'f>(
        &self,
        row: usize,
        slots: &[usize],
        first: &'f mut [u32; ROWS_AT_ONCE],
    ) -> &'f [u32] {
        let first = &mut first[..ROWS_AT_ONCE.min(self.rows - row)];
        first.fill(UNTOUCHED);
        for slot in slots {
            let column = &self.ranks[slot * self.rows + row..];
            for (first, rank) in first.iter_mut().zip(column) {
                *first = (*first).min(*rank);
            }
        }
        first
    }
}

/// The sales of some signals.
#[derive(Debug, Default)]
pub struct Sales {
    /// In the order in which trades are counted.
    pub exits: Vec<SignalExit>,
    /// What is sold, percent × 10^4, each once.
    pub shares: Vec<i64>,
}

/// What signals' paths are walked over.
struct Paths<'a> {
    history: &'a History,
    book: &'a PriceBook,
    levels: &'a Levels,
    fill_model: FillModel,
    /// The parts of each slot, a bit each, where one set of rules is asked for and no other.
    parts_of_slots: Option<Vec<u16>>,
}

/// The parts of each slot, a bit each.
fn parts_of_slots(levels: &Levels, parts: &[Part]) -> Vec<u16> {
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
    fn walk(&self, first_row: usize, signals: &[u32]) -> Walked {
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
                walked.order.push(Place {
                    order: Place::order(timestamps[position], signal.id_rank, reason, slot),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranks of exits at these instants, of signals with these ranks, walked in two parts.
    fn check(exits: &[(i64, u32, ExitReason)]) {
        let place = |(timestamp, id_rank, reason): &(i64, u32, ExitReason)| Place {
            order: Place::order(*timestamp, *id_rank, *reason, 0),
            exit: 0,
            cell: 0,
        };
        let part = |exits: &[(i64, u32, ExitReason)]| Walked {
            order: exits.iter().map(place).collect(),
            exits: vec![],
        };
        let (first, last) = exits.split_at(exits.len() / 2);
        let ranked = ranked(&[part(first), part(last)]);
        let ranked: Vec<u128> = ranked.iter().map(|place| place.order).collect();
        let mut sorted = exits.to_vec();
        sorted.sort();
        let sorted: Vec<u128> = sorted.iter().map(|exit| place(exit).order).collect();
        assert_eq!(ranked, sorted, "{exits:?}");
    }

    #[test]
    fn exits_are_ranked_by_instant_then_signal_then_reason() {
        use ExitReason::{EndOfData, StopLoss, TimeLimit, TrailingStop};
        check(&[]);
        check(&[(5, 0, StopLoss)]);
        check(&[(5, 1, StopLoss), (5, 0, EndOfData), (5, 0, TimeLimit)]);
        check(&[
            (i64::MAX, 0, TimeLimit),
            (i64::MIN, 0, TimeLimit),
            (0, u32::MAX, EndOfData),
            (-1, 0, TrailingStop),
        ]);
        // Many at few instants, and one far from them.
        let mut state = 1_u32;
        let mut draw = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let mut many: Vec<_> = (0..5_000)
            .map(|_| (i64::from(draw(300)), draw(40), TimeLimit))
            .collect();
        check(&many);
        many.push((i64::MAX / 2, 0, StopLoss));
        check(&many);
    }
}
