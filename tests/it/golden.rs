//! Published results to the last decimal: they prove the reference, then the engine.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::files;
use crate::reference::backtest::backtest;
use crate::reference::history::History;
use crate::reference::parameters::{Parameters, Settings};
use crate::reference_rows;
use crate::rows::{Row, assert_same, from_json};

/// One published result.
pub struct Case {
    /// For messages, such as `tiny.defaults`.
    pub name: String,
    pub settings: Settings,
    pub backtest: Row,
    /// By signal time.
    pub trades: Vec<Row>,
    /// In the order shown to people.
    pub comparisons: Vec<Row>,
}

impl Case {
    fn read(path: &Path, name: String) -> Self {
        let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let rows = |field: &str| {
            let rows = file[field].as_array().unwrap().iter();
            rows.map(from_json).collect()
        };
        let setting = |(name, value): (&String, &Value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        };
        let settings = file["parameters"].as_object().unwrap();
        Self {
            name,
            settings: settings.iter().map(setting).collect(),
            backtest: from_json(&file["backtest"]),
            trades: rows("trades"),
            comparisons: rows("comparisons"),
        }
    }

    /// The cases of a folder whose file names start so, by name.
    fn read_all(folder: &Path, dataset: &str, prefix: &str) -> Vec<Self> {
        let mut cases = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let is_json = path
                .extension()
                .is_some_and(|extension| extension == "json");
            if let Some(case) = stem.strip_prefix(prefix).filter(|_| is_json) {
                cases.push(Self::read(&path, format!("{dataset}.{case}")));
            }
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(
            cases.len() >= 24,
            "published results in {}",
            folder.display()
        );
        cases
    }
}

/// The results on the generated history made of awkward cases.
pub fn tiny_cases() -> Vec<Case> {
    Case::read_all(&files::test_data().join("tiny/golden"), "tiny", "")
}

/// The results on real prices and the folder of those, where they are present.
pub fn real_cases(test: &str) -> Option<(std::path::PathBuf, Vec<Case>)> {
    let Some(shared) = files::shared_data() else {
        eprintln!("{test} SKIPPED: no real prices here; HINDSIGHT_SHARED names their folder");
        return None;
    };
    let cases = Case::read_all(&shared.join("golden"), "real", "real.");
    Some((shared.join("real"), cases))
}

fn prove_reference(history: &History, case: &Case) {
    let found = backtest(history, &Parameters::with(&case.settings));
    let name = |part: &str| format!("reference on {}, {part}", case.name);
    assert_same(
        &name("backtest"),
        std::slice::from_ref(&case.backtest),
        &[reference_rows::backtest(&found)],
    );
    let trades: Vec<Row> = found.trades.iter().map(reference_rows::trade).collect();
    assert_same(&name("trades"), &case.trades, &trades);
    let comparisons: Vec<Row> = found
        .comparisons
        .iter()
        .map(reference_rows::comparison)
        .collect();
    assert_same(&name("comparisons"), &case.comparisons, &comparisons);
}

#[test]
fn reference_matches_tiny() {
    let history = files::history(&files::test_data().join("tiny"));
    for case in tiny_cases() {
        prove_reference(&history, &case);
    }
}

#[test]
fn reference_matches_real() {
    if let Some((folder, cases)) = real_cases("reference_matches_real") {
        let history = files::history(&folder);
        for case in cases {
            prove_reference(&history, &case);
        }
    }
}
