//! The exit rules beyond one target and one trail: ladders, moonbags, what a gain arms, stagnation.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};

use super::session::decimals;
use crate::random::Random;
use crate::reference::number::{decimal, show};
use crate::reference::parameters::{ExitRules, ladder};

const HUNDRED_PERCENT: i128 = 1_000_000;

/// What `simulate_exits` takes beyond `simulate_exit`; percentages in ten-thousandths.
#[derive(Debug, Clone, Default)]
pub struct FurtherRules {
    /// Shares and gains.
    pub ladder: Vec<(i128, i128)>,
    pub activation: Option<i128>,
    pub break_even: Option<i128>,
    pub stagnation_minutes: Option<i64>,
    pub moonbag: Option<i128>,
    pub moonbag_stop_loss: Option<i128>,
    pub moonbag_max_hold_minutes: Option<i64>,
}

impl FurtherRules {
    /// Each set or not; a ladder and a moonbag that sum to at most 100, often to just that.
    pub fn random(random: &mut Random) -> Self {
        let mut rules = Self::default();
        if random.chance(1, 3) {
            let some = random.between(1, 60) * 10_000;
            rules.moonbag = Some(random.one_of(&[0, HUNDRED_PERCENT, some, some, some]));
        }
        let mut left = HUNDRED_PERCENT - rules.moonbag.unwrap_or(0);
        if left > 0 && random.chance(1, 2) {
            let (steps, mut gain) = (random.between(1, 6), 0);
            for step in 1..=steps {
                let most = left - (steps - step);
                let is_all = step == steps && random.chance(1, 2);
                let share = if is_all {
                    left
                } else {
                    random.between(1, (most / 2).max(1))
                };
                gain += if random.chance(1, 2) {
                    random.between(1, 40) * 10_000
                } else {
                    random.between(1, 400_000)
                };
                left -= share;
                rules.ladder.push((share, gain));
            }
        }
        let percent = |random: &mut Random, most: i128| {
            let some = random.between(1, most) * 10_000;
            random.chance(1, 2).then_some(some)
        };
        rules.activation = percent(random, 60);
        rules.break_even = percent(random, 40);
        rules.moonbag_stop_loss = percent(random, 100);
        rules.stagnation_minutes = random.chance(1, 3).then(|| random.one_of(&[1, 5, 20, 300]));
        rules.moonbag_max_hold_minutes = random
            .chance(1, 2)
            .then(|| random.one_of(&[5, 61, 600, 43_200]));
        rules
    }

    /// Gains that arm or end something.
    pub fn gains(&self) -> Vec<i128> {
        let of_ladder = self.ladder.iter().map(|(_, gain)| *gain);
        of_ladder
            .chain(self.activation)
            .chain(self.break_even)
            .collect()
    }

    /// The ladder as it is written.
    pub fn ladder_text(&self) -> Option<String> {
        let percent = |value: i128| show(&decimal(value, 4));
        let step = |(share, gain): &(i128, i128)| format!("{}@{}", percent(*share), percent(*gain));
        let steps: Vec<String> = self.ladder.iter().map(step).collect();
        (!steps.is_empty()).then(|| steps.join(", "))
    }

    /// The settings that these rules are, by their names.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let percent = |value: Option<i128>| value.map(|value| show(&decimal(value, 4)));
        let minutes = |value: Option<i64>| value.map(|value| value.to_string());
        let all = [
            ("take_profit_ladder", self.ladder_text()),
            ("trailing_activation_percent", percent(self.activation)),
            ("break_even_percent", percent(self.break_even)),
            ("stagnation_minutes", minutes(self.stagnation_minutes)),
            ("moonbag_percent", percent(self.moonbag)),
            ("moonbag_stop_loss_percent", percent(self.moonbag_stop_loss)),
            (
                "moonbag_max_hold_minutes",
                minutes(self.moonbag_max_hold_minutes),
            ),
        ];
        let set = all
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        set.collect()
    }

    /// The same for the reference, over rules without them.
    pub fn over(&self, rules: ExitRules) -> ExitRules {
        let percent = |value: Option<i128>| value.map(|value| decimal(value, 4));
        ExitRules {
            take_profit_ladder: self
                .ladder_text()
                .map_or_else(Vec::new, |text| ladder(&text)),
            trailing_activation_percent: decimal(self.activation.unwrap_or(0), 4),
            break_even_percent: percent(self.break_even),
            stagnation_minutes: self.stagnation_minutes,
            moonbag_percent: percent(self.moonbag),
            moonbag_stop_loss_percent: percent(self.moonbag_stop_loss),
            moonbag_max_hold_minutes: self.moonbag_max_hold_minutes,
            ..rules
        }
    }
}

/// Columns of arguments.
pub fn columns(rules: &[&FurtherRules]) -> Vec<(&'static str, ArrayRef)> {
    let percent = |pick: fn(&FurtherRules) -> Option<i128>| {
        decimals(rules.iter().map(|rules| pick(rules)), 9, 4)
    };
    let minutes = |pick: fn(&FurtherRules) -> Option<i64>| -> ArrayRef {
        Arc::new(
            rules
                .iter()
                .map(|rules| pick(rules))
                .collect::<Int64Array>(),
        )
    };
    let ladders: StringArray = rules.iter().map(|rules| rules.ladder_text()).collect();
    vec![
        ("take_profit_ladder", Arc::new(ladders)),
        (
            "trailing_activation_percent",
            percent(|rules| rules.activation),
        ),
        ("break_even_percent", percent(|rules| rules.break_even)),
        (
            "stagnation_minutes",
            minutes(|rules| rules.stagnation_minutes),
        ),
        ("moonbag_percent", percent(|rules| rules.moonbag)),
        (
            "moonbag_stop_loss_percent",
            percent(|rules| rules.moonbag_stop_loss),
        ),
        (
            "moonbag_max_hold_minutes",
            minutes(|rules| rules.moonbag_max_hold_minutes),
        ),
    ]
}
