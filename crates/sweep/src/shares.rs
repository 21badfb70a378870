//! Positions by what of them is sold: a share may be one of many sets of rules.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use hindsight_udfs::exits::words::HUNDRED_PERCENT;
use hindsight_udfs::scoring::position_size::Sizing;
use hindsight_udfs::trades::costs::Costs;
use rayon::prelude::*;

use super::pass::Positions;

/// Shares that are kept for the next set of rules, besides the whole; each for each score there is.
const SHARES_KEPT: usize = 64;

/// The positions of some ways of sizing.
pub struct SharedPositions {
    sizings: Vec<(Sizing, Costs)>,
    /// The scores that occur.
    occurs: Vec<bool>,
    whole: Vec<Arc<Positions>>,
    /// By the place of the way of sizing and the share × 10^6.
    shares: RwLock<HashMap<(usize, i64), Arc<Positions>>>,
}

impl SharedPositions {
    pub fn new(sizings: Vec<(Sizing, Costs)>, occurs: Vec<bool>) -> Self {
        let whole = sizings.par_iter().map(|(sizing, costs)| {
            Arc::new(Positions::new(*sizing, *costs, HUNDRED_PERCENT, &occurs))
        });
        Self {
            whole: whole.collect(),
            sizings,
            occurs,
            shares: RwLock::default(),
        }
    }

    /// The positions of a way of sizing, told by its place, of which a share × 10^6 is sold.
    pub fn of(&self, sizing: usize, share: i64) -> Arc<Positions> {
        if share == HUNDRED_PERCENT {
            return Arc::clone(&self.whole[sizing]);
        }
        // What is kept is whole whenever it is written.
        let kept = self.shares.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(positions) = kept.get(&(sizing, share)) {
            return Arc::clone(positions);
        }
        drop(kept);
        let (of_sizing, costs) = self.sizings[sizing];
        let positions = Arc::new(Positions::new(of_sizing, costs, share, &self.occurs));
        let mut kept = self.shares.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < SHARES_KEPT {
            kept.insert((sizing, share), Arc::clone(&positions));
        }
        positions
    }
}
