//! Where trades end: every level of a block touched by every signal's path, walked once.
//!
//! The touches stand in the order in which trades are counted, by the instant of the exit and then
//! the signal. A touch's place in it, its rank, tells it apart from all others and says which of two
//! comes first, so that the end of a part under its rules is the least of their ranks, and the exits
//! of all signals are a set of ranks that needs no sorting. Touches that are one exit, such as that
//! of two time limits at one price, have one rank: parts that end so are one sale.

use std::borrow::Cow;

use datafusion::common::Result;
use hindsight_udfs::exits::first_touches::Levels;
use hindsight_udfs::exits::rule::Part;
use hindsight_udfs::exits::words::{ExitReason, FillModel, HUNDRED_PERCENT};
use hindsight_udfs::price_book::PriceBook;
use hindsight_udfs::trades::quick_pnl::Rate;
use rayon::prelude::*;

use super::block::SCRATCH_BYTES;
use super::control::Control;
use super::history::History;
use super::one_set::{OneSet, Together};
use super::part_sales::{SOLD_BYTES, Shares};
use super::ranked::{EndingTouch, Walked, ranked};
use super::walked::Paths;

/// The rank of a level that a path does not touch.
pub(super) const UNTOUCHED: u32 = u32::MAX;
/// Signals whose paths are walked between two looks at a cancellation.
const SIGNALS_AT_ONCE: usize = 512;
/// Signals whose paths are walked in one turn.
const SIGNALS_IN_A_SLICE: usize = 16 * SIGNALS_AT_ONCE;
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
    /// Those of the one set of rules, where there is no other; nothing else is kept then.
    sales: Option<Sales>,
}

impl<'a> ExitTable<'a> {
    /// Walks the paths of these of the tradable signals, told by their places, with a pause before
    /// each slice.
    pub fn new(
        history: &History,
        book: &PriceBook,
        signals: &[u32],
        wanted: Wanted<'a>,
        control: &Control,
        pause: &dyn Fn(),
    ) -> Result<Self> {
        let Wanted {
            rules,
            levels,
            fill_model,
        } = wanted;
        let one = match rules {
            [parts] => Some(OneSet::new(parts)),
            _ => None,
        };
        let paths = Paths {
            history,
            book,
            levels,
            fill_model,
            one,
        };
        let mut walked: Vec<Walked> = Vec::new();
        for (slice, signals) in signals.chunks(SIGNALS_IN_A_SLICE).enumerate() {
            pause();
            let chunks = signals.par_chunks(SIGNALS_AT_ONCE).enumerate();
            let chunks = chunks.map(|(chunk, signals)| {
                control.check()?;
                let first = slice * SIGNALS_IN_A_SLICE + chunk * SIGNALS_AT_ONCE;
                Ok(paths.walk(first, signals))
            });
            walked.extend(chunks.collect::<Result<Vec<Walked>>>()?);
        }

        let order = ranked(&walked);
        let cells_at_once = SIGNALS_AT_ONCE * levels.slot_count();
        let exit = |place: &EndingTouch| {
            walked[place.cell as usize / cells_at_once].exits[place.exit as usize]
        };
        let exits = || order.par_iter().with_min_len(GATHERED_ALONE);
        if let (Some(_), [parts]) = (&paths.one, rules) {
            let mut shares = Shares::new(parts);
            let places = (0..=Together::MAX).map(|together| {
                let is_sold = walked.iter().any(|w| w.together[usize::from(together)]);
                match is_sold {
                    true => shares.place_of(together),
                    false => 0,
                }
            });
            let places: Vec<u8> = places.collect();
            let sale = |place: &EndingTouch| {
                let exit = exit(place);
                SignalExit {
                    share: places[usize::from(exit.share)],
                    ..exit
                }
            };
            return Ok(Self {
                levels,
                rows: signals.len(),
                ranks: vec![],
                exits: vec![],
                sales: Some(Sales {
                    exits: exits().map(sale).collect(),
                    shares: shares.sold,
                }),
            });
        }
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
            sales: None,
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
    pub fn sales(&self, parts: &[Part]) -> Cow<'_, Sales> {
        match (&self.sales, parts) {
            (Some(sales), _) => Cow::Borrowed(sales),
            (None, [part]) => Cow::Owned(Sales {
                exits: self.of_whole(&self.levels.slots(part)),
                shares: vec![HUNDRED_PERCENT],
            }),
            (None, parts) => Cow::Owned(self.of_parts(parts)),
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
#[derive(Debug, Default, Clone)]
pub struct Sales {
    /// In the order in which trades are counted.
    pub exits: Vec<SignalExit>,
    /// What is sold, percent × 10^4, each once.
    pub shares: Vec<i64>,
}
