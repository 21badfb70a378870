//! Combinations with portfolio limits: each asks for its positions in the order of their entries, and
//! what is admitted is added up in the order of the exits.
//!
//! The PnL of every trade that one of them could make is worked out once for all that differ in
//! thresholds and limits alone.

use datafusion::common::Result;
use hindsight_udfs::portfolio::admission::{Admission, Ask, Limits, Sale};
use rayon::prelude::*;

use super::control::Control;
use super::exits::SignalExit;
use super::history::Actual;
use super::metrics::{Side, Trade};
use super::pass::{PNL_CHANGE, Pass, Scratch, Sum};

/// Sales whose PnL one thread works out sooner than it finds help.
const NETS_ALONE: usize = 1 << 11;
/// No sale.
const NONE: u32 = u32::MAX;

/// What limited combinations write on, to be used again by the next.
#[derive(Debug, Default)]
pub struct LimitedScratch {
    /// Of each exit, by its place.
    nets: Vec<Net>,
    /// The first exit of each signal, and the next of each exit's signal.
    first: Vec<u32>,
    next: Vec<u32>,
    /// Whether the position on each signal is admitted.
    is_admitted: Vec<bool>,
    /// Of the positions with each score, once it was asked for.
    sizes: Vec<Option<i128>>,
    admission: Admission,
}

/// Net PnL in lamports, by the fill model and by conservative fills.
#[derive(Debug, Clone, Copy, Default)]
struct Net {
    net: i128,
    conservative: i128,
}

impl Pass<'_> {
    /// What comes of each of these thresholds and limits. Positions of which something is sold at
    /// `exits_before` or later are admitted like any other, and left out then.
    pub fn limited(
        &self,
        asked: &[(i64, Limits)],
        exits_before: Option<i64>,
        scratch: &mut Scratch,
        control: &Control,
    ) -> Result<Vec<Sum>> {
        let scratch = &mut scratch.limited;
        let lowest = asked.iter().map(|(threshold, _)| *threshold).min();
        let lowest = lowest.unwrap_or(i64::MAX).max(0);
        let net = |exit: &SignalExit| {
            let score = self.scores.of_signals[exit.signal as usize];
            match i64::from(score) >= lowest {
                true => self.nets(exit, score).map(Net::from),
                false => Ok(Net::default()),
            }
        };
        scratch.nets.clear();
        match self.is_alone {
            true => {
                let nets = self.exits.par_iter().with_min_len(NETS_ALONE).map(net);
                scratch.nets = nets.collect::<Result<_>>()?;
            }
            false => {
                for exit in self.exits {
                    scratch.nets.push(net(exit)?);
                }
            }
        }
        scratch.first.clear();
        scratch.first.resize(self.history.timestamps.len(), NONE);
        scratch.next.resize(self.exits.len(), NONE);
        for (place, exit) in self.exits.iter().enumerate().rev() {
            let first = &mut scratch.first[exit.signal as usize];
            // Blocks hold fewer exits than 32 bits count.
            scratch.next[place] = std::mem::replace(first, place as u32);
        }
        scratch.sizes.clear();
        let sums = asked.iter();
        let sums = sums.map(|(threshold, limits)| {
            control.check()?;
            self.sum(*threshold, *limits, exits_before, scratch)
        });
        sums.collect()
    }

    /// Whether the position on each signal is admitted.
    pub fn admitted(&self, threshold: i64, limits: Limits, control: &Control) -> Result<Vec<bool>> {
        let mut scratch = Scratch::default();
        self.limited(&[(threshold, limits)], None, &mut scratch, control)?;
        Ok(scratch.limited.is_admitted)
    }

    /// The exact size of a position with this score, worked out once.
    fn size_among(&self, sizes: &mut Vec<Option<i128>>, score: i32) -> Result<i128> {
        let place = usize::try_from(score).unwrap_or(0);
        if place >= sizes.len() {
            sizes.resize(place + 1, None);
        }
        let size = match sizes[place] {
            Some(size) => size,
            None => self.size(score)?,
        };
        sizes[place] = Some(size);
        Ok(size)
    }

    fn sum(
        &self,
        threshold: i64,
        limits: Limits,
        exits_before: Option<i64>,
        scratch: &mut LimitedScratch,
    ) -> Result<Sum> {
        let LimitedScratch {
            nets,
            first,
            next,
            is_admitted,
            sizes,
            admission,
        } = scratch;
        admission.restart(limits);
        is_admitted.clear();
        is_admitted.resize(self.history.timestamps.len(), false);
        let mut sum = Sum {
            side: Side::new(self.days, self.keeps_days),
            ..Sum::default()
        };
        for tradable in &self.history.by_entry {
            let signal = tradable.signal as usize;
            let score = self.scores.of_signals[signal];
            let start = first[signal];
            if i64::from(score) < threshold || start == NONE {
                continue;
            }
            let sales = || {
                std::iter::successors(Some(start), |place| {
                    Some(next[*place as usize]).filter(|place| *place != NONE)
                })
            };
            // Exits stand in the order of their instants.
            let last = sales().last().unwrap_or(start);
            let ask = Ask {
                entry: self.history.entered[signal],
                end: self.exits[last as usize].end,
                token: tradable.token,
                size: match limits.are_of_money() {
                    true => self.size_among(sizes, score)?,
                    false => 0,
                },
            };
            let refusal = admission.ask(
                &ask,
                sales().map(|place| Sale {
                    end: self.exits[place as usize].end,
                    net: nets[place as usize].net,
                    share: self.share(&self.exits[place as usize]),
                }),
            );
            if refusal.is_some() {
                sum.limited += 1;
                continue;
            }
            if exits_before.is_some_and(|before| ask.end >= before) {
                sum.late.insert(tradable.signal);
                continue;
            }
            is_admitted[signal] = true;
            sum.signals += 1;
            let net: i128 = sales().map(|place| nets[place as usize].net).sum();
            sum.changed += change(self.history.actual[signal], net);
        }
        for (exit, of_exit) in self.exits.iter().zip(nets) {
            let signal = exit.signal as usize;
            if is_admitted[signal] {
                sum.conservative_pnl += of_exit.conservative;
                sum.side.add(&Trade {
                    pnl: of_exit.net,
                    end: exit.end,
                    held: Some(exit.held),
                });
            }
        }
        Ok(sum)
    }
}

impl From<(i128, i128)> for Net {
    fn from((net, conservative): (i128, i128)) -> Self {
        Self { net, conservative }
    }
}

/// What a simulated trade adds to the count of changed trades, which starts from those actually traded:
/// signals traded on one side alone count, and so do those where PnL differs.
pub fn change(actual: Option<Actual>, net: i128) -> i64 {
    match actual {
        None => 1,
        Some(Actual { pnl: Some(actual) }) => -i64::from((net - actual).abs() <= PNL_CHANGE.into()),
        Some(Actual { pnl: None }) => 0,
    }
}
