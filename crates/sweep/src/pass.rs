//! One pass for each combination: what its trades add up to.
//!
//! Combinations that differ in their thresholds alone share one pass: a trade counts for each
//! threshold that its score reaches.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::{DataFusionError, Result};
use hindsight_udfs::decimal::format;
use hindsight_udfs::exits::rule::Part;
use hindsight_udfs::exits::walk::Path;
use hindsight_udfs::exits::words::{FillModel, HUNDRED_PERCENT};
use hindsight_udfs::metrics::tally::TALLY_LIMIT;
use hindsight_udfs::price_book::PriceBook;
use hindsight_udfs::scoring::position_size::{SIZE_DIGITS, position_size};
use hindsight_udfs::trades::misfit::{Misfit, MisfitTrade, PriceSeen, is_leap};
use hindsight_udfs::trades::quick_pnl::{QuickPnl, Rate};

use super::days::{ByDay, Days};
use super::exits::SignalExit;
use super::history::{Entry, History};
use super::limited::{LimitedScratch, change};
use super::metrics::{Side, Trade};
use super::positions::{Positions, QuickTable};
use super::reached::{OfReach, Reached, found, reached_thresholds, tallies, turn};
use super::scores::Scores;

/// PnL that differs by more than this many lamports has changed.
pub const PNL_CHANGE: i64 = 1_000_000;

impl SignalExit {
    /// What a signal adds to the count of changed ones, if its trades bring so much.
    #[inline]
    fn change(&self, net: i64) -> i64 {
        let is_same = net.abs_diff(self.actual_pnl) <= PNL_CHANGE as u64;
        i64::from(self.is_new) - i64::from(is_same)
    }

    /// Whether a return is too large to be kept.
    #[inline]
    fn is_vast(&self) -> bool {
        self.rate == Rate::VAST
    }
}

/// What the trades of one combination add up to; amounts in lamports.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    pub side: Side,
    pub conservative_pnl: i128,
    /// The signals they are of: a position may be sold in several trades.
    pub signals: i64,
    /// What these add to the count of changed ones, which starts from those actually traded.
    pub changed: i64,
    /// The signals that portfolio limits refuse.
    pub limited: i64,
    /// Those that they admit and of which something is sold too late to count.
    pub late: HashSet<u32>,
}

/// What a pass writes on, to be used again by the next.
#[derive(Debug, Default)]
pub struct Scratch {
    trades: Vec<Reached>,
    /// Of each signal, what its trades add up to, where they are several; 0 in between.
    of_signals: Vec<i64>,
    pub limited: LimitedScratch,
}

/// What no thread writes on at the moment.
#[derive(Debug, Default)]
pub struct Scratches(Mutex<Vec<Scratch>>);

impl Scratches {
    /// Does something with one that is free, or with a new one.
    pub fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        // What is kept is whole whenever it is taken.
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = kept().pop().unwrap_or_default();
        let done = work(&mut scratch);
        kept().push(scratch);
        done
    }
}

/// Combinations that differ in their thresholds alone, and what they share.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    pub history: &'a History,
    pub book: &'a PriceBook,
    pub parts: &'a [Part],
    pub fill_model: FillModel,
    /// In the order in which trades are counted.
    pub exits: &'a [SignalExit],
    pub scores: &'a Scores,
    /// By the place of what is sold among the shares that are.
    pub positions: &'a [Arc<Positions>],
    pub days: Days,
    /// Whether the sums by day are kept.
    pub keeps_days: bool,
    /// Whether threads have nothing else to do: one that waited for its share of this would begin
    /// another pass meanwhile, with all that it writes on.
    pub is_alone: bool,
}

impl Pass<'_> {
    /// What comes of each of these thresholds, which ascend.
    pub fn run(&self, thresholds: &[i64], scratch: &mut Scratch) -> Result<Vec<Sum>> {
        let positions = self.positions.iter();
        let fixed: Option<Vec<_>> = positions.clone().map(|shared| shared.fixed()).collect();
        let varying: Option<Vec<_>> = positions.map(|shared| shared.varying()).collect();
        let quick = match (fixed, varying) {
            (Some(positions), _) => self.quick_parts(&positions, thresholds, scratch)?,
            (None, Some(positions)) => self.quick_parts(&positions, thresholds, scratch)?,
            (None, None) => None,
        };
        match quick {
            Some(sums) => Ok(sums),
            None => self.exact(thresholds),
        }
    }

    fn quick_parts<Q: QuickPnl>(
        &self,
        positions: &[&QuickTable<Q>],
        thresholds: &[i64],
        scratch: &mut Scratch,
    ) -> Result<Option<Vec<Sum>>> {
        match (self.parts, thresholds) {
            ([_], [_]) => self.quick::<Q, false, true>(positions, thresholds, scratch),
            ([_], _) => self.quick::<Q, false, false>(positions, thresholds, scratch),
            _ => self.quick::<Q, true, false>(positions, thresholds, scratch),
        }
    }

    /// In 64 bits; `None` where they may not hold the sums. `PARTS` where a signal may have several
    /// trades, `ONE` where there is one threshold.
    fn quick<Q: QuickPnl, const PARTS: bool, const ONE: bool>(
        &self,
        positions: &[&QuickTable<Q>],
        thresholds: &[i64],
        scratch: &mut Scratch,
    ) -> Result<Option<Vec<Sum>>> {
        let Some(lowest) = thresholds.first() else {
            return Ok(None);
        };
        let Some(whole) = positions.first() else {
            return Ok(None);
        };
        // Thresholds are at most 10,000 hundredths of a point.
        let lowest = i32::try_from(*lowest).unwrap_or(i32::MAX).max(0);
        let reached = match ONE {
            true => Vec::new(),
            false => reached_thresholds(thresholds, lowest, whole.of_scores.len()),
        };
        scratch.trades.resize(self.exits.len(), Reached::default());
        if PARTS {
            scratch.of_signals.clear();
            let signals = self.scores.of_signals.len();
            scratch.of_signals.resize(signals, 0);
        }
        let trades = &mut scratch.trades[..];
        let (mut one, mut sums) = (
            OfReach::default(),
            vec![OfReach::default(); thresholds.len()],
        );
        let mut by_day = vec![ByDay::new(self.days, self.keeps_days); thresholds.len()];
        let (mut day, mut day_ends) = (self.days.first, i64::MIN);
        // All bits of all amounts: no amount is larger.
        let (mut count, mut bits) = (0, 0_u64);
        for exit in self.exits {
            let score = self.scores.of_signals[exit.signal as usize];
            let is_selected = score >= lowest;
            let score = score.max(lowest);
            let positions = if PARTS {
                positions[usize::from(exit.share)]
            } else {
                whole
            };
            let Some(position) = positions.of_scores.get(score as usize) else {
                continue;
            };
            let fees = |proceeds| match is_selected {
                true => self.positions[usize::from(exit.share)].fees(score, proceeds),
                false => None,
            };
            let mut net = position.net_pnl(&positions.terms, exit.rate, fees);
            let mut conservative = position.net_pnl(&positions.terms, exit.conservative_rate, fees);
            if net.is_none() || conservative.is_none() || exit.is_vast() {
                if !is_selected {
                    continue;
                }
                let (exact, exact_conservative) = self.exact_pnl(exit, score)?;
                net = i64::try_from(exact).ok();
                conservative = i64::try_from(exact_conservative).ok();
            }
            let (Some(net), Some(conservative)) = (net, conservative) else {
                return Ok(None);
            };
            let change = match PARTS {
                true => {
                    let of_signal = &mut scratch.of_signals[exit.signal as usize];
                    *of_signal = of_signal.wrapping_add(net);
                    0
                }
                false => exit.change(net),
            };
            if exit.end >= day_ends {
                match ONE {
                    true => turn(std::slice::from_mut(&mut one), &mut by_day, day),
                    false => turn(&mut sums, &mut by_day, day),
                }
                day = self.days.day_of(exit.end);
                day_ends = self.days.end_of(day);
            }
            // Written whether it is selected or not, and then kept or not: a branch would be guessed
            // wrong as often as right.
            let reach = if ONE {
                0
            } else {
                reached[(score - lowest) as usize]
            };
            trades[count] = Reached { net, reach };
            let sum = if ONE {
                &mut one
            } else {
                &mut sums[reach as usize]
            };
            sum.add(net, conservative, exit.held, change, is_selected);
            if PARTS {
                sum.further += i64::from(is_selected && exit.part > 1);
            }
            count += usize::from(is_selected);
            bits |= net.unsigned_abs() | conservative.unsigned_abs();
        }
        if ONE {
            sums = vec![one];
        }
        turn(&mut sums, &mut by_day, day);
        if PARTS {
            for exit in self.exits.iter().filter(|exit| exit.part == 1) {
                let score = self.scores.of_signals[exit.signal as usize];
                let reach = score
                    .checked_sub(lowest)
                    .and_then(|s| usize::try_from(s).ok());
                if let Some(reach) = reach.and_then(|reach| reached.get(reach)) {
                    let of_signal = scratch.of_signals[exit.signal as usize];
                    sums[*reach as usize].changed += exit.change(of_signal);
                }
            }
        }
        if (i128::from(bits) + 1) * (count as i128 + 1) >= TALLY_LIMIT {
            return Ok(None);
        }
        let tallies = tallies(&mut trades[..count], sums.len());
        Ok(Some(found(&sums, &tallies, by_day)))
    }

    /// In 128 bits, with a walk for each trade.
    fn exact(&self, thresholds: &[i64]) -> Result<Vec<Sum>> {
        let sum = Sum {
            side: Side::new(self.days, self.keeps_days),
            ..Sum::default()
        };
        let mut sums = vec![sum; thresholds.len()];
        // What the trades so far of a signal add up to.
        let mut of_signals: HashMap<u32, i128> = HashMap::new();
        for exit in self.exits {
            let score = self.scores.of_signals[exit.signal as usize];
            let reached = thresholds.partition_point(|threshold| *threshold <= score.into());
            if score < 0 || reached == 0 {
                continue;
            }
            let (net, conservative) = self.exact_pnl(exit, score)?;
            *of_signals.entry(exit.signal).or_default() += net;
            let trade = Trade {
                pnl: net,
                end: exit.end,
                held: Some(exit.held),
            };
            for sum in &mut sums[..reached] {
                sum.side.add(&trade);
                sum.conservative_pnl += conservative;
            }
        }
        for (signal, net) in of_signals {
            let score = self.scores.of_signals[signal as usize];
            let reached = thresholds.partition_point(|threshold| *threshold <= score.into());
            let changed = change(self.history.actual[signal as usize], net);
            for sum in &mut sums[..reached] {
                sum.signals += 1;
                sum.changed += changed;
            }
        }
        Ok(sums)
    }

    /// The net PnL of one trade by the fill model and by conservative fills, in lamports.
    pub fn nets(&self, exit: &SignalExit, score: i32) -> Result<(i128, i128)> {
        let quick = match exit.is_vast() {
            true => None,
            false => self.positions[usize::from(exit.share)].nets(exit, score),
        };
        match quick {
            Some((net, conservative)) => Ok((net.into(), conservative.into())),
            None => self.exact_pnl(exit, score),
        }
    }

    /// The exact size of a position with this score, × 10^-17 SOL.
    pub fn size(&self, score: i32) -> Result<i128> {
        let Some(positions) = self.positions.first() else {
            return Ok(0);
        };
        let size = position_size(score.into(), &positions.sizing);
        size.ok_or_else(|| positions.too_large().into())
    }

    /// The share of a sale in its position, × 10^-6.
    pub fn share(&self, exit: &SignalExit) -> i64 {
        self.positions[usize::from(exit.share)].share
    }

    /// The net PnL of one trade by the fill model and by conservative fills, in lamports.
    #[cold]
    fn exact_pnl(&self, exit: &SignalExit, score: i32) -> Result<(i128, i128)> {
        let positions = &self.positions[usize::from(exit.share)];
        let too_large = || positions.too_large();
        let signal = exit.signal as usize;
        let Some(entry) = self.history.entries[signal] else {
            return Ok((0, 0));
        };
        let prices = self.book.token(entry.token as usize);
        let path = Path {
            timestamps: &prices.timestamps,
            prices: &prices.mantissas,
            entry: entry.price as usize,
            signal_timestamp: self.history.timestamps[signal],
        };
        let Some(part) = self.parts.get(usize::from(exit.part) - 1) else {
            return Ok((0, 0));
        };
        let sale = path.end(exit.part, part);
        let observed = path.prices[sale.position];
        let stake = i128::from(path.prices[path.entry]) * i128::from(HUNDRED_PERCENT);
        let position = positions.exact(score).ok_or_else(too_large)?;
        let net = |model| {
            let gain = sale.fill(observed, model) - stake;
            let net = position.net_pnl(gain, stake);
            net.ok_or_else(|| match is_leap(gain, stake) {
                true => self.misfit(entry, sale.position, signal, score).into(),
                false => DataFusionError::from(too_large()),
            })
        };
        Ok((net(self.fill_model)?, net(FillModel::Conservative)?))
    }

    /// The trade on a signal that ends at this price.
    fn misfit(&self, entry: Entry, exit: usize, signal: usize, score: i32) -> Misfit {
        let prices = self.book.token(entry.token as usize);
        let entered = entry.price as usize;
        let highest = (entered..=exit).rev();
        let highest = highest.max_by_key(|price| prices.mantissas[*price]);
        let seen = |price: usize| PriceSeen {
            price: format(prices.mantissas[price].into(), prices.scale as i8),
            at: Some(prices.timestamps[price]),
        };
        let ids = self.history.ids.as_ref();
        let token = self.book.iter().nth(entry.token as usize);
        let named = ids.zip(token);
        Misfit::of(MisfitTrade {
            signal: named.map(|(ids, (token, _))| (ids.value(signal).into(), token.to_string())),
            size: format(self.size(score).unwrap_or(0), SIZE_DIGITS as i8),
            entry: seen(entered),
            highest: seen(highest.unwrap_or(exit)),
        })
    }
}
