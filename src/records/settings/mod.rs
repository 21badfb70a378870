//! Live settings: what the trading system reads, and what a run would make of it.
//!
//! They are stored in four groups: the weights as columns of a row, the others each as a JSON value.
//! A group is read and written as it is found: keys that we do not know stay as they are, and a
//! number that is written as text is written as text again.

pub mod beyond;
pub mod json;

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::parameters::value::Value;
use crate::parameters::{PARAMETERS, Parameter};
use crate::records::runs::Texts;
use json::{Object, raw};

/// Settings that are applied together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    ScoringWeights,
    ScoreThreshold,
    PositionSizing,
    ExitStrategy,
}

impl Group {
    pub const ALL: [Self; 4] = [
        Self::ScoringWeights,
        Self::ScoreThreshold,
        Self::PositionSizing,
        Self::ExitStrategy,
    ];

    /// Its name in SQL, and its key among the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScoringWeights => "scoring_weights",
            Self::ScoreThreshold => "score_threshold",
            Self::PositionSizing => "position_sizing",
            Self::ExitStrategy => "exit_strategy",
        }
    }

    /// The group of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// The parameters that it sets.
    pub fn parameters(self) -> impl Iterator<Item = &'static Parameter> {
        PARAMETERS
            .iter()
            .filter(move |parameter| parameter.group == self.name())
    }

    /// The keys under which a parameter is found in the JSON value, the first being ours.
    fn keys(self, parameter: &'static Parameter) -> &'static [&'static str] {
        match (self, parameter.name) {
            (Self::ExitStrategy, "exit_strategy") => &["strategy", "exit_strategy"],
            _ => std::slice::from_ref(&parameter.name),
        }
    }
}

/// What is stored of each group, to the letter: for the weights an object of text by column, for
/// the others the JSON value. A group that is missing is not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored(pub BTreeMap<&'static str, String>);

impl Stored {
    /// Says which settings these are: another text means that something has changed.
    pub fn version(&self) -> String {
        let mut hash = Sha256::new();
        for group in Group::ALL {
            let text = self.0.get(group.name());
            // With its length, so that no two states have one text.
            hash.update([u8::from(text.is_some())]);
            let text = text.map_or("", String::as_str);
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        let digest = hash.finalize();
        digest[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The value of a setting; `None` where it is not set.
    pub fn value(&self, group: Group, parameter: &'static Parameter) -> Result<Option<Value>> {
        let Some(text) = self.0.get(group.name()) else {
            return Ok(None);
        };
        let value = match group {
            Group::ScoreThreshold => Some(raw(text)?),
            _ => {
                let object = Object::parse(group, text)?;
                let keys = group.keys(parameter).iter();
                keys.filter_map(|key| object.get(key))
                    .next()
                    .map(ToOwned::to_owned)
            }
        };
        Ok(value.map(|value| Value::stored(parameter.kind, &unquoted(&value))))
    }

    /// The same with the settings of a run in these groups.
    pub fn with(&self, groups: &[Group], parameters: &Texts) -> Result<Self> {
        let mut stored = self.clone();
        for group in groups {
            let old = self.0.get(group.name()).map(String::as_str);
            let new = match group {
                Group::ScoreThreshold => threshold(old, *group, parameters)?,
                _ => object(old, *group, parameters)?,
            };
            stored.0.insert(group.name(), new);
        }
        Ok(stored)
    }

    /// The values by group and setting, as JSON for people.
    pub fn values_json(&self, groups: &[Group]) -> Result<String> {
        let mut members = Vec::new();
        for group in groups {
            let mut values = Vec::new();
            for parameter in group.parameters() {
                let value = match self.value(*group, parameter)? {
                    Some(value) => value.json(false),
                    None => "null".into(),
                };
                values.push(format!("{}: {value}", quoted(parameter.name)));
            }
            members.push(format!(
                "{}: {{{}}}",
                quoted(group.name()),
                values.join(", ")
            ));
        }
        Ok(format!("{{{}}}", members.join(", ")))
    }
}

fn threshold(old: Option<&str>, group: Group, parameters: &Texts) -> Result<String> {
    let Some(parameter) = group.parameters().next() else {
        return Err(unset(group.name()));
    };
    let value = proposed(parameter, parameters)?;
    let is_text = old.is_some_and(|old| old.trim_start().starts_with('"'));
    Ok(value.json(is_text))
}

fn object(old: Option<&str>, group: Group, parameters: &Texts) -> Result<String> {
    let mut object = match old {
        Some(old) => Object::parse(group, old)?,
        None => Object::default(),
    };
    for parameter in group.parameters() {
        let value = proposed(parameter, parameters)?;
        let keys = group.keys(parameter);
        let known = keys.iter().find(|key| object.get(key).is_some());
        let key = known.or(keys.first()).copied().unwrap_or(parameter.name);
        let old = object.get(key);
        let is_text =
            group == Group::ScoringWeights || old.is_some_and(|old| old.get().starts_with('"'));
        // What stays the same is left as it is written.
        let is_same = old.is_some_and(|old| Value::stored(parameter.kind, &unquoted(old)) == value);
        if !is_same {
            object.set(key, raw(&value.json(is_text))?);
        }
    }
    Ok(object.to_string())
}

/// What a run was run with.
pub fn proposed(parameter: &Parameter, parameters: &Texts) -> Result<Value> {
    let value = parameters
        .get(parameter.name)
        .ok_or_else(|| unset(parameter.name))?;
    Ok(Value::stored(parameter.kind, value))
}

fn unset(name: &str) -> Error {
    Error::NotReady(format!("the backtest has no {name} to apply"))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The text of a JSON value: a string without its quotes, anything else as it is written.
pub(crate) fn unquoted(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn run(changed: &[(&str, &str)]) -> Texts {
        let mut parameters = Texts::new();
        for parameter in &PARAMETERS {
            let default = parameter.default.unwrap_or("2025-01-01");
            parameters.insert(parameter.name.into(), default.into());
        }
        for (name, value) in changed {
            parameters.insert((*name).into(), (*value).into());
        }
        parameters
    }

    fn stored(group: Group, text: &str) -> Stored {
        Stored([(group.name(), text.to_owned())].into())
    }

    fn applied(group: Group, text: &str, changed: &[(&str, &str)]) -> String {
        let new = stored(group, text).with(&[group], &run(changed)).unwrap();
        new.0[group.name()].clone()
    }

    #[test]
    fn only_what_changes_is_written_and_as_it_was_written() {
        assert_eq!(
            applied(
                Group::ExitStrategy,
                r#"{"note": {"a":  1.50}, "strategy": "trailing_stop", "stop_loss_percent": "15.00", "take_profit_percent": 50.0, "trailing_stop_percent": 10, "max_hold_minutes": 60}"#,
                &[
                    ("stop_loss_percent", "12.5000"),
                    ("exit_strategy", "hybrid")
                ],
            ),
            r#"{"note": {"a":  1.50}, "strategy": "hybrid", "stop_loss_percent": "12.5", "take_profit_percent": 50.0, "trailing_stop_percent": 10, "max_hold_minutes": 60}"#
        );
        assert_eq!(
            applied(Group::PositionSizing, "{}", &[]),
            r#"{"base_position_sol": 0.1, "max_position_sol": 0.5, "scale_with_confidence": true, "confidence_multiplier": 1.5}"#
        );
        assert_eq!(
            applied(Group::ScoreThreshold, "70", &[("score_threshold", "75.50")]),
            "75.5"
        );
        assert_eq!(
            applied(
                Group::ScoreThreshold,
                r#""70.00""#,
                &[("score_threshold", "75.50")]
            ),
            r#""75.5""#
        );
    }

    #[test]
    fn values_are_plain_and_missing_ones_are_none() {
        let live = stored(
            Group::ExitStrategy,
            r#"{"exit_strategy": "hybrid", "stop_loss_percent": "08.50"}"#,
        );
        let value = |name: &str| {
            let parameter = Group::ExitStrategy
                .parameters()
                .find(|p| p.name == name)
                .unwrap();
            let value = live.value(Group::ExitStrategy, parameter).unwrap();
            value.map(|value| value.to_string())
        };
        assert_eq!(value("exit_strategy").as_deref(), Some("hybrid"));
        assert_eq!(value("stop_loss_percent").as_deref(), Some("8.5"));
        assert_eq!(value("max_hold_minutes"), None);
    }

    #[test]
    fn every_difference_is_another_version() {
        let one = stored(Group::ScoreThreshold, "70");
        let versions = [
            Stored::default().version(),
            one.version(),
            stored(Group::ScoreThreshold, "70.0").version(),
            stored(Group::PositionSizing, "70").version(),
        ];
        let distinct: std::collections::BTreeSet<_> = versions.iter().collect();
        assert_eq!(distinct.len(), versions.len());
        assert_eq!(one.version(), one.clone().version());
    }
}
