//! Parameters that somebody sets and that have no effect beside the others, with the reason.

use datafusion::common::ScalarValue;
use hindsight_udfs::exits::words::ExitStrategy;

use super::{PARAMETERS, Parameter, position};

/// The values that each of [`PARAMETERS`] takes, all combinations of which are run.
pub struct Taken<'a>(pub &'a [Vec<ScalarValue>]);

impl Taken<'_> {
    /// Each parameter that differs from its default and yet has no effect in any combination: `None`
    /// in place of the reason where it has one.
    fn set(&self) -> Vec<(&'static str, Option<String>)> {
        let set = PARAMETERS.iter().filter(|parameter| self.is_set(parameter));
        set.map(|parameter| (parameter.name, self.reason(parameter.name)))
            .collect()
    }

    fn is_set(&self, parameter: &Parameter) -> bool {
        let default = parameter.default_value().ok();
        let mut values = self.of(parameter.name).iter();
        values.any(|value| Some(value) != default.as_ref())
    }

    /// Why a parameter has no effect; `None` where it has one.
    fn reason(&self, name: &str) -> Option<String> {
        let strategy = |what: &str| {
            let strategies = self.of("exit_strategy").iter().map(ToString::to_string);
            let strategies: Vec<String> = strategies.collect();
            Some(format!(
                "exit_strategy {} arms no {what}",
                strategies.join(" or ")
            ))
        };
        let takes_profit = self.strategies().any(ExitStrategy::arms_take_profit);
        let trails = self.strategies().any(ExitStrategy::arms_trailing_stop);
        let all_rides = self.always("moonbag_percent", |share| is_number(share, 1_000_000));
        let all_as = |reason: &str, is_so: bool| is_so.then(|| reason.to_owned());
        match name {
            "take_profit_percent" | "take_profit_ladder" if !takes_profit => {
                strategy("take profit")
            }
            "trailing_stop_percent" | "trailing_activation_percent" if !trails => {
                strategy("trailing stop")
            }
            "take_profit_percent"
                if self.always("take_profit_ladder", |ladder| !ladder.is_null()) =>
            {
                Some("take_profit_ladder takes its place".into())
            }
            "take_profit_percent"
            | "trailing_stop_percent"
            | "trailing_activation_percent"
            | "break_even_percent"
            | "stagnation_minutes" => all_as("moonbag_percent is 100", all_rides),
            "stop_loss_percent" => all_as(
                "the moonbag is all of the position, with a stop of its own",
                all_rides && self.always("moonbag_stop_loss_percent", |stop| !stop.is_null()),
            ),
            "max_hold_minutes" => all_as(
                "the moonbag is all of the position, with a time limit of its own",
                all_rides && self.always("moonbag_max_hold_minutes", |hold| !hold.is_null()),
            ),
            "moonbag_stop_loss_percent" | "moonbag_max_hold_minutes" => all_as(
                "no moonbag_percent is set",
                self.always("moonbag_percent", |share| {
                    share.is_null() || is_number(share, 0)
                }),
            ),
            "max_position_sol" | "confidence_multiplier" => all_as(
                "scale_with_confidence is false",
                self.always("scale_with_confidence", is_false),
            ),
            "gas_cost_sol" => all_as(
                "include_gas_costs is false",
                self.always("include_gas_costs", is_false),
            ),
            "failed_transaction_percent" => all_as(
                "priority_fee_sol is 0",
                self.always("priority_fee_sol", |fee| is_number(fee, 0)),
            ),
            _ => None,
        }
    }

    fn of(&self, name: &str) -> &[ScalarValue] {
        let values = position(name).and_then(|position| self.0.get(position));
        values.map_or(&[], Vec::as_slice)
    }

    fn always(&self, name: &str, is_so: impl Fn(&ScalarValue) -> bool) -> bool {
        self.of(name).iter().all(is_so)
    }

    fn strategies(&self) -> impl Iterator<Item = ExitStrategy> {
        let names = self.of("exit_strategy").iter();
        names.filter_map(|name| name.to_string().parse().ok())
    }
}

fn is_false(value: &ScalarValue) -> bool {
    matches!(value, ScalarValue::Boolean(Some(false)))
}

/// Whether a decimal is so much in units of its last digit.
fn is_number(value: &ScalarValue, number: i128) -> bool {
    matches!(value, ScalarValue::Decimal128(Some(found), _, _) if *found == number)
}

/// One line on the parameters that are set in some of these sets of values, and have no effect in
/// any of them.
pub fn remark(sets: &[Taken<'_>]) -> Option<String> {
    let mut idle: Vec<(&'static str, String)> = Vec::new();
    let mut working: Vec<&'static str> = Vec::new();
    for (name, reason) in sets.iter().flat_map(Taken::set) {
        match reason {
            None => working.push(name),
            Some(reason) if !idle.iter().any(|(known, _)| *known == name) => {
                idle.push((name, reason));
            }
            Some(_) => {}
        }
    }
    idle.retain(|(name, _)| !working.contains(name));
    let named: Vec<String> = idle
        .iter()
        .map(|(name, reason)| format!("{name}, since {reason}"))
        .collect();
    (!named.is_empty()).then(|| format!("without effect: {}", named.join("; ")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn values(settings: &[(&str, &[&str])]) -> Vec<Vec<ScalarValue>> {
        let values = PARAMETERS.iter().map(|parameter| {
            let set = settings.iter().find(|(name, _)| *name == parameter.name);
            match set {
                None => vec![parameter.default_value().unwrap()],
                Some((_, texts)) => {
                    let texts = texts.iter();
                    texts
                        .map(|text| parameter.value(&(*text).into()).unwrap())
                        .collect()
                }
            }
        });
        values.collect()
    }

    fn said(settings: &[(&str, &[&str])]) -> Option<String> {
        remark(&[Taken(&values(settings))])
    }

    #[test]
    fn each_parameter_without_effect_is_named_with_the_reason() {
        for (settings, expected) in [
            (
                &[("take_profit_percent", &["40"][..])][..],
                "take_profit_percent, since exit_strategy trailing_stop arms no take profit",
            ),
            (
                &[
                    ("take_profit_ladder", &["50@100"]),
                    ("exit_strategy", &["time_based"]),
                ],
                "take_profit_ladder, since exit_strategy time_based arms no take profit",
            ),
            (
                &[
                    ("trailing_activation_percent", &["5"]),
                    ("exit_strategy", &["time_based", "fixed_targets"]),
                ],
                "trailing_activation_percent, since exit_strategy time_based or fixed_targets arms no \
                 trailing stop",
            ),
            (
                &[
                    ("take_profit_percent", &["40"]),
                    ("take_profit_ladder", &["50@100"]),
                    ("exit_strategy", &["hybrid"]),
                ],
                "take_profit_percent, since take_profit_ladder takes its place",
            ),
            (
                &[
                    ("scale_with_confidence", &["false"]),
                    ("max_position_sol", &["0.3"]),
                ],
                "max_position_sol, since scale_with_confidence is false",
            ),
            (
                &[
                    ("include_gas_costs", &["false"]),
                    ("gas_cost_sol", &["0.3"]),
                ],
                "gas_cost_sol, since include_gas_costs is false",
            ),
            (
                &[("moonbag_max_hold_minutes", &["600"])],
                "moonbag_max_hold_minutes, since no moonbag_percent is set",
            ),
            (
                &[
                    ("moonbag_percent", &["100"]),
                    ("trailing_stop_percent", &["5"]),
                ],
                "trailing_stop_percent, since moonbag_percent is 100",
            ),
            (
                &[("failed_transaction_percent", &["20"])],
                "failed_transaction_percent, since priority_fee_sol is 0",
            ),
        ] {
            assert_eq!(said(settings), Some(format!("without effect: {expected}")));
        }
    }

    #[test]
    fn what_has_an_effect_somewhere_is_not_named() {
        for settings in [
            &[][..],
            &[("take_profit_percent", &["50"][..])],
            &[("stop_loss_percent", &["8"])],
            &[
                ("take_profit_percent", &["40"]),
                ("exit_strategy", &["trailing_stop", "hybrid"]),
            ],
            &[
                ("take_profit_percent", &["40"]),
                ("take_profit_ladder", &["50@100", "none"]),
                ("exit_strategy", &["hybrid"]),
            ],
            &[("moonbag_percent", &["100"]), ("stop_loss_percent", &["5"])],
            &[
                ("moonbag_percent", &["10"]),
                ("moonbag_stop_loss_percent", &["50"]),
            ],
            &[
                ("scale_with_confidence", &["false"]),
                ("base_position_sol", &["0.3"]),
            ],
        ] {
            assert_eq!(said(settings), None, "{settings:?}");
        }
        // Two scenarios, of which one arms it.
        let (armed, not) = (
            values(&[
                ("take_profit_percent", &["40"]),
                ("exit_strategy", &["hybrid"]),
            ]),
            values(&[("take_profit_percent", &["40"])]),
        );
        assert_eq!(remark(&[Taken(&armed), Taken(&not)]), None);
        assert!(remark(&[Taken(&not), Taken(&not)]).is_some());
    }
}
