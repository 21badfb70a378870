//! Backtests of many combinations over one history.
//!
//! Combinations with the same weights share the scores, those with the same exit rules the walks
//! and their order, and those that differ in their thresholds alone the trades. What is kept at a
//! time is bounded by the block, whatever the number of combinations. Many combinations are run in
//! slices, between which others have their turn.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::common::{DataFusionError, Result};
use hindsight_udfs::portfolio::admission::Limits;
use hindsight_udfs::price_book::PriceBook;
use hindsight_udfs::trades::misfit::Misfit;
use rayon::prelude::*;

use super::block::{Block, Member, Scoring};
use super::combination::Combination;
use super::control::Control;
use super::days::{DayPnl, Days};
use super::exits::{ExitTable, Sales, SignalExit};
use super::history::History;
use super::metrics::{Metrics, Side, Trade, rounded};
use super::pass::{Pass, Scratch, Scratches, Sum};
use super::sales::Sale;
use super::scores::Scores;
use super::shares::SharedPositions;
use super::turns::Turn;

/// The result of one combination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backtest {
    pub total_signals: i64,
    pub signals_above_threshold: i64,
    pub untradable_signals: i64,
    pub limited_signals: i64,
    pub actual: Metrics,
    pub simulated: Metrics,
    pub trades_changed: i64,
    /// Lamports, rounded.
    pub conservative_pnl: i128,
    /// The days on which trades ended, ascending, where they were asked for.
    pub days: Option<DaysOfSides>,
    /// The simulated sales in the order in which trades are counted, where they were asked for.
    pub sales: Option<Vec<Sale>>,
}

/// What the trades of both sides add up to by the day of their exits; days without are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaysOfSides {
    pub actual: Arc<[DayPnl]>,
    pub simulated: Vec<DayPnl>,
}

/// Signals times combinations that are run in one turn: some milliseconds.
const SLICE: usize = 4_000_000;

/// Combinations for which the exits of their rules are gathered once, at the least.
const TOGETHER: usize = 16;

/// Runs every combination; the results stand in the order of the combinations.
pub fn backtest(
    history: &History,
    book: &PriceBook,
    combinations: &[Combination],
    control: &Control,
) -> Result<Vec<Backtest>> {
    let turn = Turn::take();
    let run = |pause: &dyn Fn()| in_blocks(history, book, combinations, control, pause);
    match combinations.len().saturating_mul(history.timestamps.len()) > SLICE {
        true => run(&|| turn.iter().for_each(Turn::pass)),
        // The threads are entered once, not again for every step.
        false => rayon::scope(|_| run(&|| ())),
    }
}

fn in_blocks(
    history: &History,
    book: &PriceBook,
    combinations: &[Combination],
    control: &Control,
    pause: &dyn Fn(),
) -> Result<Vec<Backtest>> {
    // Nobody may wait for it any more when its turn has come.
    control.check()?;
    let ranges = combinations.iter();
    let ranges = ranges.map(|c| history.range(c.range.0, c.range.1));
    let ranges: Vec<Range<usize>> = ranges.collect();
    let days = combinations.iter().map(Combination::days);
    let actual = actual_sides(history, ranges.iter().cloned().zip(days), control)?;
    let scratches = Scratches::default();
    let mut rows = vec![Backtest::default(); combinations.len()];
    for block in Block::all(
        combinations,
        &ranges,
        history.timestamps.len(),
        control.cells,
    ) {
        pause();
        let shared = Shared::new(history, &block, control)?;
        let exits = ExitTable::new(
            history,
            book,
            &shared.signals,
            block.wanted(),
            control,
            pause,
        )?;
        let run = Run {
            history,
            book,
            block: &block,
            shared: &shared,
            exits: &exits,
            actual: &actual,
            scratches: &scratches,
            control,
        };
        let sets = sets(&block.members, history.timestamps.len());
        let mut rest = &sets[..];
        while !rest.is_empty() {
            let (slice, behind) = rest.split_at(slice(rest, history.timestamps.len()));
            rest = behind;
            pause();
            // One by one: the last large part would keep one thread alone at the end.
            let slice = slice.par_iter().with_max_len(1);
            let results: Vec<Vec<(usize, Backtest)>> = slice
                .map(|members| run.same_rules(members))
                .collect::<Result<_>>()?;
            for (position, result) in results.into_iter().flatten() {
                rows[position] = result;
            }
        }
    }
    Ok(rows)
}

/// Combinations with the same exit rules; those of many, some at a time: a slice is as long as the
/// longest of its sets.
fn sets(members: &[Member], signals: usize) -> Vec<&[Member]> {
    let most = SLICE / signals.max(1) / rayon::current_num_threads();
    let most = most.max(TOGETHER);
    let mut sets = Vec::new();
    for same_rules in members.chunk_by(|a, b| a.rules == b.rules) {
        let (mut rest, mut count) = (same_rules, 0);
        for alike in same_rules.chunk_by(Member::shares_trades) {
            if count > 0 && count + alike.len() > most {
                let (set, behind) = rest.split_at(count);
                sets.push(set);
                (rest, count) = (behind, 0);
            }
            count += alike.len();
        }
        sets.push(rest);
    }
    sets
}

/// How many sets of combinations are run in one turn.
fn slice(sets: &[&[Member]], signals: usize) -> usize {
    let mut combinations = 0;
    let fits = sets.iter().take_while(|members| {
        combinations += members.len();
        combinations.saturating_mul(signals) <= SLICE
    });
    fits.count()
        .max(rayon::current_num_threads())
        .min(sets.len())
}

/// The actual side of a range, and how many of its signals were traded.
type ActualSides = HashMap<(Range<usize>, Days), ActualSide>;

#[derive(Debug, Clone, Default)]
struct ActualSide {
    metrics: Metrics,
    days: Arc<[DayPnl]>,
    traded: i64,
}

impl ActualSide {
    /// That of a range, without some signals.
    fn of(
        history: &History,
        range: Range<usize>,
        days: Days,
        control: &Control,
        left_out: &HashSet<u32>,
    ) -> Result<Self> {
        let outcomes = history.outcomes.iter();
        let outcomes = outcomes.filter(|outcome| {
            range.contains(&(outcome.signal as usize)) && !left_out.contains(&outcome.signal)
        });
        let trades = outcomes.map(|outcome| Trade {
            pnl: outcome.pnl,
            end: outcome.exit,
            held: outcome
                .entry
                .map(|entry| outcome.exit.saturating_sub(entry)),
        });
        let side = Side::of(trades, history.outcomes_total, days, control.keeps_days);
        let (metrics, days) = side.finish()?;
        let traded = history.traded[range.end] - history.traded[range.start];
        let left_out = left_out
            .iter()
            .filter(|signal| history.actual[**signal as usize].is_some());
        Ok(Self {
            metrics,
            days: days.into(),
            traded: i64::from(traded) - left_out.count() as i64,
        })
    }
}

fn actual_sides(
    history: &History,
    ranges: impl Iterator<Item = (Range<usize>, Days)>,
    control: &Control,
) -> Result<ActualSides> {
    let mut sides = HashMap::new();
    for (range, days) in ranges {
        let key = (range.clone(), days);
        if sides.contains_key(&key) {
            continue;
        }
        let side = ActualSide::of(history, range, days, control, &HashSet::new())?;
        sides.insert(key, side);
    }
    Ok(sides)
}

/// What the combinations of a block share but for the exits.
pub(crate) struct Shared<'a> {
    pub scores: Vec<Scores>,
    pub positions: SharedPositions<'a>,
    /// The tradable signals that one of them selects, told by their places.
    pub signals: Vec<u32>,
}

impl<'a> Shared<'a> {
    pub fn new(history: &History, block: &Block, control: &'a Control) -> Result<Self> {
        let scorings = &block.scorings.values;
        let mut thresholds = vec![Vec::new(); scorings.len()];
        for member in &block.members {
            thresholds[member.scoring].push(member.threshold);
        }
        let scores: Vec<Scores> = scorings
            .par_iter()
            .zip(&thresholds)
            .map(|(scoring, thresholds)| Scores::new(history, scoring, thresholds))
            .collect();

        // As likely as not, what a branch would decide is written instead.
        let mut is_wanted = vec![false; history.timestamps.len()];
        let mut occurs: Vec<bool> = Vec::new();
        for scores in &scores {
            let lowest = i32::try_from(scores.lowest_threshold.max(0)).unwrap_or(i32::MAX);
            for (wanted, score) in is_wanted.iter_mut().zip(&scores.of_signals) {
                let place = (*score).max(0) as usize;
                if place >= occurs.len() {
                    occurs.resize(place + 1, false);
                }
                *wanted |= *score >= lowest;
                occurs[place] |= *score >= lowest;
            }
        }
        let mut signals = vec![0; history.tradable.len()];
        let mut count = 0;
        for (place, tradable) in (0_u32..).zip(&history.tradable) {
            signals[count] = place;
            count += usize::from(is_wanted[tradable.signal as usize]);
        }
        signals.truncate(count);
        let sizings = block.sizings.values.clone();
        let has_whole = block.rules.values.iter().any(|parts| parts.len() == 1);
        Ok(Self {
            scores,
            positions: SharedPositions::new(sizings, occurs, has_whole, control)?,
            signals,
        })
    }
}

/// A block under way.
struct Run<'a> {
    history: &'a History,
    book: &'a PriceBook,
    block: &'a Block,
    shared: &'a Shared<'a>,
    exits: &'a ExitTable<'a>,
    actual: &'a ActualSides,
    scratches: &'a Scratches,
    control: &'a Control,
}

impl Run<'_> {
    /// Combinations with the same exit rules.
    fn same_rules(&self, members: &[Member]) -> Result<Vec<(usize, Backtest)>> {
        let Some(first) = members.first() else {
            return Ok(vec![]);
        };
        self.control.check()?;
        let parts = &self.block.rules.values[first.rules];
        let _memory = self.control.reserve(self.exits.sales_bytes(parts.len()))?;
        let sales = self.exits.sales(parts);
        let results: Vec<Vec<(usize, Backtest)>> = members
            .par_chunk_by(Member::shares_trades)
            .map(|members| {
                let results = self
                    .scratches
                    .with(|scratch| self.same_trades(members, &sales, scratch));
                results.map_err(|error| of_combination(error, members))
            })
            .collect::<Result<_>>()?;
        Ok(results.into_iter().flatten().collect())
    }

    /// Combinations that differ in their thresholds alone, or in limits too if they have any.
    fn same_trades(
        &self,
        members: &[Member],
        sales: &Sales,
        scratch: &mut Scratch,
    ) -> Result<Vec<(usize, Backtest)>> {
        let Some(first) = members.first() else {
            return Ok(vec![]);
        };
        self.control.check()?;
        let scores = &self.shared.scores[first.scoring];
        let scoring = &self.block.scorings.values[first.scoring];
        let is_alone = self.block.members.len() == 1;
        let of_share = |share: &i64| self.shared.positions.of(first.sizing, *share);
        let positions: Vec<_> = match is_alone {
            true => sales.shares.par_iter().map(of_share).collect::<Result<_>>(),
            false => sales.shares.iter().map(of_share).collect(),
        }?;
        let parts = &self.block.rules.values[first.rules];
        let exits = match scoring.exits_before {
            Some(_) => Training::of(scoring, self.history, &sales.exits, parts.len() == 1),
            None => Training::all(&sales.exits),
        };
        let pass = Pass {
            history: self.history,
            book: self.book,
            parts,
            fill_model: self.block.fill_model,
            exits: &exits.kept,
            scores,
            positions: &positions,
            days: scoring.days,
            keeps_days: self.control.keeps_days,
            is_alone,
        };
        let limits = |place: usize| self.block.limits.values[place];
        let limited = members.iter();
        let limited = limited.filter_map(|m| Some((m.threshold, limits(m.limits?))));
        let limited: Vec<(i64, Limits)> = limited.collect();
        let sums = match limited.is_empty() {
            true => {
                let thresholds: Vec<i64> = members.iter().map(|m| m.threshold).collect();
                pass.run(&thresholds, scratch)?
            }
            // Whoever asks is admitted or not by all that came before, also where it is left out.
            false => {
                let pass = Pass {
                    exits: &sales.exits,
                    ..pass
                };
                pass.limited(&limited, scoring.exits_before, scratch, self.control)?
            }
        };
        let done = members.len() as u64;
        self.control.done.fetch_add(done, Ordering::Relaxed);
        let result = |(member, mut sum): (&Member, Sum)| {
            let selected = scores.selected.get(&member.threshold);
            let selected = selected.copied().unwrap_or_default();
            let left_out = match self.control.leaves_out_actual {
                true if member.limits.is_some() => std::mem::take(&mut sum.late),
                true => exits.left_out(scores, member.threshold),
                false => HashSet::new(),
            };
            let result = self.result(scoring, selected, sum, &left_out)?;
            let limits = member.limits.map(limits);
            let sales = || pass.sales(member.threshold, limits, self.control);
            let sales = self.control.keeps_sales.then(sales).transpose()?;
            Ok((member.position, Backtest { sales, ..result }))
        };
        members.iter().zip(sums).map(result).collect()
    }

    fn result(
        &self,
        scoring: &Scoring,
        selected: i64,
        sum: Sum,
        left_out: &HashSet<u32>,
    ) -> Result<Backtest> {
        let key = (scoring.range.clone(), scoring.days);
        let actual = match left_out.is_empty() {
            true => self.actual.get(&key).cloned().unwrap_or_default(),
            false => {
                let (range, days) = key;
                ActualSide::of(self.history, range, days, self.control, left_out)?
            }
        };
        let selected = selected - left_out.len() as i64;
        let (simulated, days) = sum.side.finish()?;
        Ok(Backtest {
            total_signals: (scoring.range.len() - left_out.len()) as i64,
            signals_above_threshold: selected,
            untradable_signals: selected - sum.signals - sum.limited,
            limited_signals: sum.limited,
            actual: actual.metrics,
            simulated,
            trades_changed: actual.traded + sum.changed,
            conservative_pnl: rounded(sum.conservative_pnl)?,
            days: self.control.keeps_days.then_some(DaysOfSides {
                actual: actual.days,
                simulated: days,
            }),
            sales: None,
        })
    }
}

/// A trade that does not fit says which of the combinations it is of: the first of these.
fn of_combination(error: DataFusionError, members: &[Member]) -> DataFusionError {
    let DataFusionError::External(mut error) = error else {
        return error;
    };
    if let Some(Misfit::Trade { combination, .. }) = error.downcast_mut() {
        *combination = members.iter().map(|member| member.position).min();
    }
    DataFusionError::External(error)
}

/// The exits of a training: those of its range before the instant that it must not look past.
struct Training<'a> {
    kept: Cow<'a, [SignalExit]>,
    late: &'a [SignalExit],
}

impl<'a> Training<'a> {
    fn all(exits: &'a [SignalExit]) -> Self {
        Self {
            kept: exits.into(),
            late: &[],
        }
    }

    /// `is_one` where every signal is sold as a whole.
    fn of(scoring: &Scoring, history: &History, exits: &'a [SignalExit], is_one: bool) -> Self {
        // No trade ends before its signal: what ends before the range is of none of its signals.
        let first = history.timestamps.get(scoring.range.start).copied();
        let before = |instant: i64| exits.partition_point(|exit| exit.end < instant);
        let from = first.map_or(exits.len(), before);
        let to = scoring.exits_before.map_or(exits.len(), before).max(from);
        let (kept, late) = (&exits[from..to], &exits[to..]);
        if is_one {
            let kept = kept.into();
            return Self { kept, late };
        }
        // What was sold of a signal in time leaves with what is sold of it later.
        let mut is_late = vec![false; history.timestamps.len()];
        late.iter()
            .for_each(|exit| is_late[exit.signal as usize] = true);
        let in_time = kept.iter().filter(|exit| !is_late[exit.signal as usize]);
        Self {
            kept: in_time.copied().collect(),
            late,
        }
    }

    /// The selected signals of which something is sold too late.
    fn left_out(&self, scores: &Scores, threshold: i64) -> HashSet<u32> {
        let signals = self.late.iter().map(|exit| exit.signal);
        let score = |signal: u32| i64::from(scores.of_signals[signal as usize]);
        let selected = |signal: &u32| score(*signal) >= threshold.max(0);
        signals.filter(selected).collect()
    }
}
