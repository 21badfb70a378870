//! Positions by what of them is sold: a share may be one of many sets of rules.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use datafusion::common::Result;
use hindsight_udfs::exits::words::HUNDRED_PERCENT;
use hindsight_udfs::scoring::position_size::Sizing;
use hindsight_udfs::trades::costs::Costs;
use rayon::prelude::*;

use super::control::Control;
use super::positions::Positions;

/// Shares that are kept for the next set of rules, besides the whole; each for each score there is.
const SHARES_KEPT: usize = 64;

/// The positions of some ways of sizing; each table of them is counted in the memory pool.
pub struct SharedPositions<'a> {
    sizings: Vec<(Sizing, Costs)>,
    /// The scores that occur.
    occurs: Vec<bool>,
    /// None where no set of rules sells positions as a whole.
    whole: Vec<Arc<Positions>>,
    /// By the place of the way of sizing and the share × 10^6.
    shares: RwLock<HashMap<(usize, i64), Arc<Positions>>>,
    control: &'a Control,
}

impl<'a> SharedPositions<'a> {
    pub fn new(
        sizings: Vec<(Sizing, Costs)>,
        occurs: Vec<bool>,
        has_whole: bool,
        control: &'a Control,
    ) -> Result<Self> {
        let of_whole = if has_whole { &sizings[..] } else { &[] };
        let whole = of_whole.par_iter().map(|(sizing, costs)| {
            let positions = Positions::new(*sizing, *costs, HUNDRED_PERCENT, &occurs, control)?;
            Ok(Arc::new(positions))
        });
        Ok(Self {
            whole: whole.collect::<Result<_>>()?,
            sizings,
            occurs,
            shares: RwLock::default(),
            control,
        })
    }

    /// The positions of a way of sizing, told by its place, of which a share × 10^6 is sold.
    pub fn of(&self, sizing: usize, share: i64) -> Result<Arc<Positions>> {
        if share == HUNDRED_PERCENT
            && let Some(whole) = self.whole.get(sizing)
        {
            return Ok(Arc::clone(whole));
        }
        // What is kept is whole whenever it is written.
        let kept = self.shares.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(positions) = kept.get(&(sizing, share)) {
            return Ok(Arc::clone(positions));
        }
        drop(kept);
        let (of_sizing, costs) = self.sizings[sizing];
        let positions = Positions::new(of_sizing, costs, share, &self.occurs, self.control)?;
        let positions = Arc::new(positions);
        let mut kept = self.shares.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < SHARES_KEPT {
            kept.insert((sizing, share), Arc::clone(&positions));
        }
        Ok(positions)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool};
    use hindsight_udfs::exits::settings::ExitSettings;
    use hindsight_udfs::exits::words::ExitStrategy;
    use hindsight_udfs::trades::quick_sale::QuickSale;

    use super::super::backtest::backtest;
    use super::super::exit_cases::{MINUTE, Random};
    use super::super::whole_histories::{Case, combinations};
    use super::*;

    #[test]
    fn tables_beside_the_cells_are_counted() {
        let mut random = Random(3);
        let case = Case::random(&mut random);
        let (history, book) = case.history();
        let mut one = combinations(&mut random, &case, 1).remove(0);
        one.range = (Some(0), Some(i64::MAX / 2));
        (one.threshold, one.max_entry_delay) = (0, None);
        one.costs.exit_slippage_percent = 5_000;
        one.sizing.base_position = 1_000_000;
        let hold = 1_000 * MINUTE;
        one.exits = ExitSettings::new(ExitStrategy::FixedTargets, 500_000, 50_000, 10_000, hold);
        one.exits.ladder = "50@1, 25@2".parse().ok();
        let fits = |asked: &[super::super::combination::Combination], bytes: usize| {
            let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(bytes));
            let memory = MemoryConsumer::new("test").register(&pool);
            let control = Control::default().counted_with(&memory);
            let found = backtest(&history, &book, asked, &control);
            assert_eq!(pool.reserved(), 0, "all is given back");
            if let Err(error) = &found {
                assert!(error.to_string().contains("Resources exhausted"), "{error}");
            }
            found.is_ok()
        };
        let least = |asked: &[_]| {
            let (mut low, mut high) = (0, 1 << 30);
            assert!(fits(asked, high));
            while low + 1 < high {
                let middle = (low + high) / 2;
                match fits(asked, middle) {
                    true => high = middle,
                    false => low = middle,
                }
            }
            high
        };
        let scores = history.factors.iter();
        let scores = scores.map(|f| hindsight_udfs::scoring::rescore::rescore(f, &one.weights));
        let table = (scores.max().unwrap_or(0) as usize + 1) * size_of::<QuickSale>();
        let alone = least(std::slice::from_ref(&one));
        assert!(alone >= 2 * table, "{alone}: a whole, and parts of it");
        let several: Vec<_> = (1..=20)
            .map(|size| {
                let mut other = one.clone();
                other.sizing.base_position = size * 1_000_000;
                other
            })
            .collect();
        let several = least(&several);
        assert!(several >= alone + 19 * table, "{several} of {alone}");
    }
}
