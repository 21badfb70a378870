//! The simulated sales of one combination, one by one: what a curve is drawn from, and what is summed
//! by what goes together.

use datafusion::common::Result;
use hindsight_udfs::exits::words::ExitReason;
use hindsight_udfs::portfolio::admission::Limits;

use super::control::Control;
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

impl Pass<'_> {
    /// The sales of this threshold and these limits in the order in which trades are counted.
    pub fn sales(
        &self,
        threshold: i64,
        limits: Option<Limits>,
        control: &Control,
    ) -> Result<Vec<Sale>> {
        let admitted = limits.map(|limits| self.admitted(threshold, limits, control));
        let admitted = admitted.transpose()?;
        let mut sales = Vec::with_capacity(self.exits.len());
        for exit in self.exits {
            let signal = exit.signal as usize;
            let score = self.scores.of_signals[signal];
            let is_selected = score >= 0 && i64::from(score) >= threshold;
            if is_selected && admitted.as_ref().is_none_or(|admitted| admitted[signal]) {
                sales.push(Sale {
                    signal: exit.signal,
                    end: exit.end,
                    reason: exit.reason,
                    net_pnl: self.nets(exit, score)?.0,
                });
            }
        }
        Ok(sales)
    }
}
