//! Scenarios as JSON: an array of objects, to be taken from one workspace to another.
//!
//! ```json
//! [{"name": "cautious", "description": null, "tags": ["slow"], "parameters": {"stop_loss_percent": 8}}]
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Change, Scenario};
use crate::clock::now;
use crate::error::{Error, Result};
use crate::parameters::value::Value;
use crate::parameters::{PARAMETERS, Ranges, position};
use crate::records::settings::json::raw;
use crate::records::settings::{Group, Stored, unquoted};

/// One scenario of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    /// Those that are set; numbers as numbers.
    #[serde(default)]
    parameters: BTreeMap<String, Box<RawValue>>,
}

/// The text of a file with these scenarios.
pub fn export<'a>(scenarios: impl Iterator<Item = &'a Scenario>) -> Result<String> {
    let mut documents = Vec::new();
    for scenario in scenarios {
        let mut parameters = BTreeMap::new();
        for (parameter, value) in PARAMETERS.iter().zip(&scenario.values) {
            if let Some(value) = value {
                parameters.insert(parameter.name.to_owned(), raw(&value.json(false))?);
            }
        }
        documents.push(Document {
            name: scenario.name.clone(),
            description: scenario.description.clone(),
            tags: scenario.tags.clone(),
            parameters,
        });
    }
    serde_json::to_string_pretty(&documents).map_err(|error| Error::Io {
        path: "scenarios".into(),
        source: error.into(),
    })
}

/// What adds the scenarios of a file, in place of those of the same name where they are replaced.
pub fn import(text: &str, file: &str, replaces: bool, ranges: &Ranges) -> Result<Vec<Change>> {
    let documents: Vec<Document> =
        serde_json::from_str(text).map_err(|error| Error::InputFile {
            file: file.into(),
            found: error.to_string(),
            expected: "an array of scenarios, as hindsight scenarios export writes it".into(),
        })?;
    let now = now();
    let mut changes = Vec::new();
    for document in documents {
        let mut values: Vec<Option<Value>> = vec![None; PARAMETERS.len()];
        for (name, value) in &document.parameters {
            let Some(position) = position(name) else {
                return Err(Error::InputFile {
                    file: file.into(),
                    found: format!("the parameter {name} in scenario '{}'", document.name),
                    expected: "one that the table parameters lists".into(),
                });
            };
            if value.get() != "null" {
                let text = unquoted(value).into();
                values[position] = PARAMETERS[position].read(&text, ranges)?;
            }
        }
        if replaces {
            changes.push(Change::Delete(document.name.clone()));
        }
        changes.push(Change::Insert(Scenario {
            name: document.name,
            description: document.description,
            tags: document.tags,
            values,
            created_at: now,
            updated_at: now,
        }));
    }
    Ok(changes)
}

impl Scenario {
    /// What it sets, as `stop_loss_percent 8`.
    pub fn settings(&self) -> Vec<String> {
        let values = PARAMETERS.iter().zip(&self.values);
        let set = values.filter_map(|(parameter, value)| Some((parameter.name, value.as_ref()?)));
        set.map(|(name, value)| format!("{name} {value}")).collect()
    }

    /// What it would change of the live settings, as `stop_loss_percent 15 → 8`.
    pub fn differences(&self, live: &Stored) -> Result<Vec<String>> {
        let mut differences = Vec::new();
        for group in Group::ALL {
            for parameter in group.parameters() {
                let own = position(parameter.name).and_then(|at| self.values[at].clone());
                let default = || Some(Value::stored(parameter.kind, parameter.default?));
                let Some(value) = own.or_else(default) else {
                    continue;
                };
                let current = live.value(group, parameter)?;
                if current.as_ref() != Some(&value) {
                    let current = current.map_or("not set".into(), |current| current.to_string());
                    differences.push(format!("{} {current} → {value}", parameter.name));
                }
            }
        }
        Ok(differences)
    }
}
