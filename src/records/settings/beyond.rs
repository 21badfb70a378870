//! What a run was run with and the live system does not know: exit rules, costs and limits that only
//! a simulation has. Settings that are applied without them do not trade as the run did.

use crate::error::{Error, Result};
use crate::parameters::value::Value;
use crate::parameters::{PARAMETERS, Parameter};
use crate::records::runs::Texts;

/// The groups of such parameters.
const GROUPS: [&str; 3] = ["exit_rules", "costs", "limits"];

fn is_beyond(parameter: &Parameter) -> bool {
    GROUPS.contains(&parameter.group)
}

/// Each such parameter that differs from its default, with its value. What a run of an earlier
/// version does not have is at its default.
pub fn beyond(parameters: &Texts) -> Vec<(&'static Parameter, Value)> {
    let mut found = Vec::new();
    for parameter in PARAMETERS.iter().filter(|parameter| is_beyond(parameter)) {
        let Some(text) = parameters.get(parameter.name) else {
            continue;
        };
        let value = Value::stored(parameter.kind, text);
        let default = parameter.default;
        let default = default.map(|text| Value::stored(parameter.kind, text));
        if default.as_ref() != Some(&value) {
            found.push((parameter, value));
        }
    }
    found
}

/// The parameters that a list such as `take_profit_ladder, pool_sol` names.
pub fn named(list: &str) -> Result<Vec<&'static str>> {
    let names = list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let named = names.map(|name| {
        let found = PARAMETERS.iter().find(|parameter| parameter.name == name);
        found
            .filter(|parameter| is_beyond(parameter))
            .map(|parameter| parameter.name)
            .ok_or_else(|| Error::Parameter {
                parameter: "without".into(),
                expected: "names of parameters that the live system does not know, such as \
                           'take_profit_ladder, max_open_positions'"
                    .into(),
                found: format!("'{name}'"),
            })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn found(parameters: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let texts = parameters
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let found = beyond(&texts.collect());
        found
            .into_iter()
            .map(|(parameter, value)| (parameter.name, value.to_string()))
            .collect()
    }

    #[test]
    fn what_differs_from_its_default_is_beyond() {
        assert_eq!(found(&[]), []);
        assert_eq!(
            found(&[
                ("stop_loss_percent", "8.0000"),
                ("fill_model", "observed"),
                ("max_entry_delay_minutes", "5.0000"),
                ("platform_fee_percent", "0.0000"),
                ("priority_fee_sol", "0.000000000"),
            ]),
            []
        );
        assert_eq!(
            found(&[
                ("take_profit_ladder", "50@100"),
                ("platform_fee_percent", "0.5000"),
                ("max_open_positions", "3"),
            ]),
            [
                ("take_profit_ladder", "50@100".to_owned()),
                ("platform_fee_percent", "0.5".to_owned()),
                ("max_open_positions", "3".to_owned()),
            ]
        );
    }

    #[test]
    fn only_such_parameters_are_left_out() {
        assert_eq!(
            named(" take_profit_ladder,pool_sol, ").unwrap(),
            ["take_profit_ladder", "pool_sol"]
        );
        assert_eq!(named("").unwrap(), [""; 0]);
        for wrong in [
            "stop_loss_percent",
            "ladder",
            "take_profit_ladder; pool_sol",
        ] {
            let error = named(wrong).unwrap_err();
            assert_eq!(error.sqlstate(), "22023");
            assert!(
                error.to_string().ends_with(&format!("found '{wrong}'")),
                "{error}"
            );
        }
    }
}
