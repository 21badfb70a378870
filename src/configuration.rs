//! `hindsight.json` of a workspace: what its operator has decided for it.
//!
//! ```json
//! {"parameters": {"stop_loss_percent": {"minimum": 0.5, "maximum": 80}}}
//! ```
//!
//! widens the range of 1 to 50 that the parameter comes with.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::parameters::value::number;
use crate::parameters::{self, Ranges};

/// The name of the file.
pub const FILE: &str = "hindsight.json";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    parameters: BTreeMap<String, Bounds>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    minimum: Option<Box<RawValue>>,
    maximum: Option<Box<RawValue>>,
}

/// The ranges of parameters in a workspace, as the file widens them if it is there.
pub fn ranges(workspace: &Path) -> Result<Ranges> {
    let path = workspace.join(FILE);
    let problem = |problem: String| Error::Workspace {
        path: path.clone(),
        problem,
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Ranges::default()),
        Err(error) => return Err(problem(format!("cannot be read: {error}"))),
    };
    read(&text).map_err(problem)
}

/// The ranges that a configuration gives.
fn read(text: &str) -> std::result::Result<Ranges, String> {
    let configuration: Configuration =
        serde_json::from_str(text).map_err(|error| format!("is not understood: {error}"))?;
    let mut ranges = Ranges::default();
    for (name, bounds) in configuration.parameters {
        let position = parameters::position(&name)
            .ok_or_else(|| format!("names the parameter {name}, which there is not"))?;
        let bound = |value: Option<Box<RawValue>>| {
            let Some(value) = value else {
                return Ok(None);
            };
            match number(value.get()) {
                Some(bound) => Ok(Some(bound)),
                None => Err(format!("bounds {name} by {value}, which is no number")),
            }
        };
        let (minimum, maximum) = (bound(bounds.minimum)?, bound(bounds.maximum)?);
        ranges.widen(position, minimum, maximum)?;
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(parameter: &str, bounds: &str) -> Option<String> {
        read(&format!(r#"{{"parameters": {{"{parameter}": {bounds}}}}}"#)).err()
    }

    #[test]
    fn a_configuration_widens_and_nothing_else() {
        let wider = r#"{"minimum": 0.5, "maximum": 80}"#;
        assert_eq!(refused("stop_loss_percent", wider), None);
        for (parameter, bounds, expected) in [
            ("stop", "{}", "names the parameter stop, which there is not"),
            (
                "stop_loss_percent",
                r#"{"maximum": 40}"#,
                "narrows stop_loss_percent, which is between 1 and 50",
            ),
            (
                "stop_loss_percent",
                r#"{"maximum": 100}"#,
                "widens stop_loss_percent past 0.0001 to 99.9999",
            ),
            (
                "exit_strategy",
                r#"{"maximum": 1}"#,
                "widens exit_strategy, which has no range to widen",
            ),
            (
                "stop_loss_percent",
                r#"{"maximum": true}"#,
                "bounds stop_loss_percent by true, which is no number",
            ),
        ] {
            assert_eq!(refused(parameter, bounds).as_deref(), Some(expected));
        }
        for text in [
            "",
            r#"{"parameter": {}}"#,
            r#"{"parameters": {"x": {"max": 1}}}"#,
        ] {
            let refused = read(text).err();
            assert!(
                refused.is_some_and(|e| e.starts_with("is not understood")),
                "{text}"
            );
        }
    }
}
