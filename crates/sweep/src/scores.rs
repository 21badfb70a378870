//! The scores that one way of scoring gives to every signal, and how many signals it selects.

use std::collections::HashMap;

use hindsight_udfs::scoring::rescore::rescore;

use super::block::Scoring;
use super::history::History;

/// The score of a signal that cannot be selected here.
const NEVER: i32 = -1;

/// What one way of scoring makes of a history.
#[derive(Debug)]
pub struct Scores {
    /// Points × 100, below 0 where the signal is out of the range or its first price comes too late.
    pub of_signals: Vec<i32>,
    /// The signals that reach each threshold, tradable or not.
    pub selected: HashMap<i64, i64>,
    pub lowest_threshold: i64,
}

impl Scores {
    /// Scores every signal; some thresholds are given twice.
    pub fn new(history: &History, scoring: &Scoring, thresholds: &[i64]) -> Self {
        let mut of_signals = vec![NEVER; history.timestamps.len()];
        let range = scoring.range.clone();
        let factors = &history.factors[range.clone()];
        for (score, factors) in of_signals[range.clone()].iter_mut().zip(factors) {
            *score = i32::try_from(rescore(factors, &scoring.weights)).unwrap_or(i32::MAX);
        }
        let mut selected = HashMap::new();
        for threshold in thresholds {
            selected.entry(*threshold).or_insert_with(|| {
                let least = i32::try_from(*threshold).unwrap_or(i32::MAX);
                let scores = of_signals[range.clone()].iter();
                scores.filter(|score| **score >= least).count() as i64
            });
        }
        if let Some(most) = scoring.max_entry_delay {
            for (score, entry) in of_signals.iter_mut().zip(&history.entries) {
                if entry.is_some_and(|entry| i128::from(entry.delay) * 10_000 > most) {
                    *score = NEVER;
                }
            }
        }
        Self {
            of_signals,
            selected,
            lowest_threshold: thresholds.iter().copied().min().unwrap_or(i64::MAX),
        }
    }
}
