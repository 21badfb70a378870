//! What a run sets about its exits, and the parts that a position is sold in for it.

use super::ladder::Ladder;
use super::rule::{Part, Rule};
use super::words::{ExitStrategy, HUNDRED_PERCENT};

/// The exit settings of a run; percentages × 10^4, times in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExitSettings {
    pub strategy: ExitStrategy,
    pub stop_loss: i64,
    pub take_profit: i64,
    pub trailing_stop: i64,
    pub max_hold_micros: i64,
    /// In place of the one target, where the strategy arms that.
    pub ladder: Option<Ladder>,
    /// The gain that arms the trailing stop; 0: any.
    pub trailing_activation: i64,
    /// The gain that arms the break-even.
    pub break_even: Option<i64>,
    pub stagnation_micros: Option<i64>,
    /// The share that is taken off first, and rides.
    pub moonbag: Option<i64>,
    /// As those of the rest where they are not given.
    pub moonbag_stop_loss: Option<i64>,
    pub moonbag_max_hold_micros: Option<i64>,
}

impl ExitSettings {
    /// The settings that a strategy always takes, and none of the others.
    pub fn new(
        strategy: ExitStrategy,
        stop_loss: i64,
        take_profit: i64,
        trailing_stop: i64,
        max_hold_micros: i64,
    ) -> Self {
        Self {
            strategy,
            stop_loss,
            take_profit,
            trailing_stop,
            max_hold_micros,
            ladder: None,
            trailing_activation: 0,
            break_even: None,
            stagnation_micros: None,
            moonbag: None,
            moonbag_stop_loss: None,
            moonbag_max_hold_micros: None,
        }
    }

    /// The parts of a position: a step of the ladder each, what the steps leave over, the moonbag
    /// last; none without a share. Settings that have no effect leave no trace in them.
    pub fn parts(&self) -> Vec<Part> {
        let moonbag = self.moonbag.unwrap_or(0);
        let mut rest = HUNDRED_PERCENT - moonbag;
        let mut parts = Vec::new();
        let takes_profit = self.strategy.arms_take_profit();
        let ladder = self.ladder.as_ref().filter(|_| takes_profit);
        for step in ladder.map_or(&[][..], Ladder::steps) {
            rest -= step.share;
            parts.push(self.part(step.share, Some(step.gain)));
        }
        if rest > 0 {
            let is_whole = takes_profit && ladder.is_none();
            parts.push(self.part(rest, is_whole.then_some(self.take_profit)));
        }
        if moonbag > 0 {
            parts.push(Part {
                share: moonbag,
                rules: vec![
                    Rule::TimeLimit(self.moonbag_max_hold_micros.unwrap_or(self.max_hold_micros)),
                    Rule::StopLoss(self.moonbag_stop_loss.unwrap_or(self.stop_loss)),
                ],
            });
        }
        parts
    }

    fn part(&self, share: i64, target: Option<i64>) -> Part {
        let trailing_stop = self.strategy.arms_trailing_stop();
        let trailing_stop = trailing_stop.then_some(Rule::TrailingStop {
            activation: self.trailing_activation,
            percent: self.trailing_stop,
        });
        let rules = [
            Some(Rule::TimeLimit(self.max_hold_micros)),
            Some(Rule::StopLoss(self.stop_loss)),
            target.map(Rule::TakeProfit),
            self.break_even.map(Rule::BreakEven),
            trailing_stop,
            self.stagnation_micros.map(Rule::Stagnation),
        ];
        Part {
            share,
            rules: rules.into_iter().flatten().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn hybrid() -> ExitSettings {
        ExitSettings::new(ExitStrategy::Hybrid, 150_000, 500_000, 100_000, 60 * MINUTE)
    }

    fn shares(settings: &ExitSettings) -> Vec<i64> {
        settings.parts().iter().map(|part| part.share).collect()
    }

    #[test]
    fn shares_sum_to_the_whole() {
        let mut settings = hybrid();
        assert_eq!(shares(&settings), [1_000_000]);
        settings.ladder = "50@100, 25@300".parse().ok();
        assert_eq!(shares(&settings), [500_000, 250_000, 250_000]);
        settings.moonbag = Some(100_000);
        assert_eq!(shares(&settings), [500_000, 250_000, 150_000, 100_000]);
        settings.moonbag = Some(250_000);
        assert_eq!(shares(&settings), [500_000, 250_000, 250_000]);
        settings.ladder = None;
        settings.moonbag = Some(1_000_000);
        assert_eq!(shares(&settings), [1_000_000]);
        settings.moonbag = Some(0);
        assert_eq!(settings.parts(), hybrid().parts());
    }

    #[test]
    fn what_a_strategy_does_not_arm_leaves_no_trace() {
        let mut settings = hybrid();
        settings.strategy = ExitStrategy::TimeBased;
        let plain = settings.parts();
        settings.ladder = "50@100".parse().ok();
        settings.trailing_activation = 100_000;
        settings.take_profit = 1;
        settings.moonbag_stop_loss = Some(1);
        assert_eq!(settings.parts(), plain);
        settings.break_even = Some(100_000);
        assert_ne!(settings.parts(), plain);
    }

    #[test]
    fn a_moonbag_has_a_stop_and_a_hold_limit_alone() {
        let mut settings = hybrid();
        settings.break_even = Some(100_000);
        settings.stagnation_micros = Some(MINUTE);
        settings.moonbag = Some(100_000);
        let of_moonbag = |settings: &ExitSettings| settings.parts().pop().map(|part| part.rules);
        let inherited = vec![Rule::TimeLimit(60 * MINUTE), Rule::StopLoss(150_000)];
        assert_eq!(of_moonbag(&settings), Some(inherited));
        settings.moonbag_stop_loss = Some(900_000);
        settings.moonbag_max_hold_micros = Some(600 * MINUTE);
        let own = vec![Rule::TimeLimit(600 * MINUTE), Rule::StopLoss(900_000)];
        assert_eq!(of_moonbag(&settings), Some(own));
        assert_eq!(settings.parts()[0].rules.len(), 6);
    }
}
