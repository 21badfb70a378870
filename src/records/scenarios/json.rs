//! Scenarios as JSON: an array of objects, to be taken from one workspace to another.
//!
//! ```json
//! [{"name": "cautious", "description": null, "tags": ["slow"], "parameters": {"stop_loss_percent": 8}}]
//! ```

use std::collections::BTreeMap;

use datafusion::common::ScalarValue;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Change, Scenario};
use crate::clock::now;
use crate::error::{Error, Result};
use crate::parameters::{PARAMETERS, position};
use crate::records::settings::json::raw;
use crate::records::settings::{Group, Stored, in_json, plain, unquoted};

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
            if !value.is_null() {
                let text = plain(parameter, &value.to_string());
                let value = raw(&in_json(parameter, &text, false))?;
                parameters.insert(parameter.name.to_owned(), value);
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
pub fn import(text: &str, file: &str, replaces: bool) -> Result<Vec<Change>> {
    let documents: Vec<Document> =
        serde_json::from_str(text).map_err(|error| Error::InputFile {
            file: file.into(),
            found: error.to_string(),
            expected: "an array of scenarios, as hindsight scenarios export writes it".into(),
        })?;
    let now = now();
    let mut changes = Vec::new();
    for document in documents {
        let mut values = Vec::with_capacity(PARAMETERS.len());
        for parameter in &PARAMETERS {
            values.push(ScalarValue::try_from(parameter.data_type())?);
        }
        for (name, value) in &document.parameters {
            let Some(position) = position(name) else {
                return Err(Error::InputFile {
                    file: file.into(),
                    found: format!("the parameter {name} in scenario '{}'", document.name),
                    expected: "one that the table parameters lists".into(),
                });
            };
            if value.get() != "null" {
                let text = ScalarValue::Utf8(Some(unquoted(value)));
                values[position] = PARAMETERS[position].value(&text)?;
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
        let set = PARAMETERS
            .iter()
            .zip(&self.values)
            .filter(|(_, value)| !value.is_null());
        set.map(|(parameter, value)| {
            let value = plain(parameter, &value.to_string());
            format!("{} {value}", parameter.name)
        })
        .collect()
    }

    /// What it would change of the live settings, as `stop_loss_percent 15 → 8`.
    pub fn differences(&self, live: &Stored) -> Result<Vec<String>> {
        let mut differences = Vec::new();
        for group in Group::ALL {
            for parameter in group.parameters() {
                let value = position(parameter.name).map(|position| &self.values[position]);
                let value = match value.filter(|value| !value.is_null()) {
                    Some(value) => value.to_string(),
                    None => parameter.default_value()?.to_string(),
                };
                let value = plain(parameter, &value);
                let current = live.value(group, parameter)?;
                if current.as_deref() != Some(&value) {
                    let current = current.as_deref().unwrap_or("not set");
                    differences.push(format!("{} {current} → {value}", parameter.name));
                }
            }
        }
        Ok(differences)
    }
}
