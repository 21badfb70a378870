//! The values that a parameter may have, and how far a configuration may widen them.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::value::number;
use super::{PARAMETERS, Parameter};

/// The values a parameter may have; `None` where there is no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub minimum: Option<Decimal>,
    pub maximum: Option<Decimal>,
}

/// How far the range of a parameter can be widened: where the rules still mean something.
const WIDEST: [(&str, &str, &str); 13] = [
    ("stop_loss_percent", "0.0001", "99.9999"),
    ("take_profit_percent", "0.0001", "99999"),
    ("trailing_stop_percent", "0.0001", "99.9999"),
    ("max_hold_minutes", "1", "525600"),
    ("slippage_percent", "0", "100"),
    ("confidence_multiplier", "0", "99999"),
    ("trailing_activation_percent", "0", "99999"),
    ("break_even_percent", "0.0001", "99999"),
    ("stagnation_minutes", "1", "525600"),
    ("moonbag_max_hold_minutes", "1", "525600"),
    ("exit_slippage_percent", "0", "100"),
    ("platform_fee_percent", "0", "100"),
    ("failed_transaction_percent", "0", "99.9999"),
];

/// The ranges in force in a workspace: those of the table where its configuration has not widened
/// them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(BTreeMap<&'static str, Range>);

impl Ranges {
    /// The range of a parameter.
    pub fn of(&self, parameter: &Parameter) -> Range {
        let widened = self.0.get(parameter.name).cloned();
        widened.unwrap_or_else(|| Range::own(parameter))
    }

    /// Widens the range of a parameter, or says what is wrong with these bounds.
    pub fn widen(
        &mut self,
        position: usize,
        minimum: Option<Decimal>,
        maximum: Option<Decimal>,
    ) -> Result<(), String> {
        let parameter = &PARAMETERS[position];
        let name = parameter.name;
        let Some((_, least, most)) = WIDEST.iter().find(|(widest, _, _)| *widest == name) else {
            return Err(format!("widens {name}, which has no range to widen"));
        };
        let own = Range::own(parameter);
        let wide = Range {
            minimum: minimum.or(own.minimum),
            maximum: maximum.or(own.maximum),
        };
        let narrows = |own: Option<Decimal>, new: Option<Decimal>, is_least: bool| match (own, new)
        {
            (Some(own), Some(new)) if is_least => own < new,
            (Some(own), Some(new)) => new < own,
            (None, Some(_)) => true,
            _ => false,
        };
        if narrows(own.minimum, wide.minimum, true) || narrows(own.maximum, wide.maximum, false) {
            let expected = parameter.expectation_in(&own);
            return Err(format!("narrows {name}, which is {expected}"));
        }
        let is_past = wide
            .minimum
            .is_some_and(|bound| Some(bound) < number(least))
            || wide.maximum.is_some_and(|bound| Some(bound) > number(most));
        if is_past {
            return Err(format!("widens {name} past {least} to {most}"));
        }
        self.0.insert(name, wide);
        Ok(())
    }
}

impl Range {
    /// The range that a parameter comes with.
    fn own(parameter: &Parameter) -> Self {
        Self {
            minimum: parameter.minimum.and_then(number),
            maximum: parameter.maximum.and_then(number),
        }
    }
}
