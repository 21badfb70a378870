//! The simulated sales of one combination, one by one: what a curve is drawn from.

use std::slice;
use std::sync::Arc;

use datafusion::common::{Result, internal_err};
use hindsight_udfs::exits::words::ExitReason;
use hindsight_udfs::price_book::PriceBook;

use super::backtest::{Course, Shared};
use super::block::Block;
use super::combination::Combination;
use super::exits::ExitTable;
use super::history::History;
use super::pass::Pass;

/// A sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sale {
    /// The place of its signal.
    pub signal: u32,
    /// Microseconds.
    pub end: i64,
    pub reason: ExitReason,
    /// Lamports.
    pub net_pnl: i128,
}

/// The sales of a combination in the order in which trades are counted.
pub fn sales(
    history: &History,
    book: &PriceBook,
    combination: &Combination,
    course: &Course,
) -> Result<Vec<Sale>> {
    let range = history.range(combination.range.0, combination.range.1);
    let signals = history.timestamps.len();
    let blocks = Block::all(
        slice::from_ref(combination),
        slice::from_ref(&range),
        signals,
        course.cells,
    );
    let Some((block, member)) = blocks.first().and_then(|b| Some((b, b.members.first()?))) else {
        return internal_err!("a combination is in no block");
    };
    let shared = Shared::new(history, block, course)?;
    let table = ExitTable::new(
        history,
        book,
        &shared.signals,
        &block.levels,
        block.fill_model,
        course,
    )?;
    let parts = &block.rules.values[member.rules];
    let _memory = course.reserve(table.sales_bytes(parts.len()))?;
    let sold = table.sales(parts);
    let positions = sold.shares.iter();
    let positions = positions.map(|share| shared.positions.of(member.sizing, *share));
    let positions: Vec<Arc<_>> = positions.collect::<Result<_>>()?;
    let scores = &shared.scores[member.scoring];
    let pass = Pass {
        history,
        book,
        parts,
        fill_model: block.fill_model,
        exits: &sold.exits,
        scores,
        positions: &positions,
        days: block.scorings.values[member.scoring].days,
        keeps_days: false,
    };
    let admitted = match member.limits.map(|place| block.limits.values[place]) {
        Some(limits) => Some(pass.admitted(member.threshold, limits, course)?),
        None => None,
    };
    let mut sales = Vec::with_capacity(sold.exits.len());
    for exit in &sold.exits {
        let signal = exit.signal as usize;
        let score = scores.of_signals[signal];
        let is_selected = score >= 0 && i64::from(score) >= member.threshold;
        if is_selected && admitted.as_ref().is_none_or(|admitted| admitted[signal]) {
            sales.push(Sale {
                signal: exit.signal,
                end: exit.end,
                reason: exit.reason,
                net_pnl: pass.nets(exit, score)?.0,
            });
        }
    }
    Ok(sales)
}
