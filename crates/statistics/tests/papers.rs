//! Every statistic against its definition written again in numpy and scipy, on 50 random inputs each.
//! Without them the test says that it was skipped.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod python;

use std::path::Path;

use hindsight_statistics::{bootstrap, concordance, normal, overfitting};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};

const CASES: usize = 50;
const TOLERANCE: f64 = 1e-9;

struct Draws(ChaCha8Rng);

impl Draws {
    fn below(&mut self, limit: u32) -> u32 {
        self.0.next_u32() % limit
    }

    fn uniform(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0
    }

    /// A day's PnL in lamports.
    fn lamports(&mut self) -> f64 {
        (self.pnl() * 1e9).round()
    }

    /// A day's PnL: often none, sometimes large.
    fn pnl(&mut self) -> f64 {
        match self.below(5) {
            0 => 0.0,
            1 => (self.uniform() - 0.4) * 3.0,
            _ => (self.uniform() - 0.5) * 0.2,
        }
    }

    fn grid(&mut self) -> (Vec<Vec<f64>>, usize) {
        let blocks = [2, 4, 6, 8][self.below(4) as usize];
        let days = 2 + self.below(40) as usize;
        let count = 1 + self.below(12) as usize;
        let mut series: Vec<Vec<f64>> = (0..count)
            .map(|_| (0..days).map(|_| self.lamports()).collect())
            .collect();
        // A flat one, one that is there twice, and one that stands still for most of the time.
        match self.below(5) {
            4 => {
                // As another whose rules meet the same in the first half of the days.
                let mut like = series[0].clone();
                like[days / 2..].fill_with(|| self.lamports());
                series.push(like);
            }
            0 => series[0].fill(1e8),
            1 => series.push(series[count - 1].clone()),
            2 => series[0][..days * 3 / 4].fill(0.0),
            _ => {}
        }
        (series, blocks)
    }

    /// Series many of which have the very same ratio, in all days or in some of them: multiples of others, a
    /// trade or two each, and days of few values.
    fn tied_grid(&mut self) -> (Vec<Vec<f64>>, usize) {
        let blocks = [2, 4, 6][self.below(3) as usize];
        let days = 2 * blocks + self.below(9) as usize;
        let count = 2 + self.below(8) as usize;
        let mut series: Vec<Vec<f64>> = Vec::new();
        for _ in 0..count {
            let mut of_days = vec![0.0; days];
            match self.below(4) {
                0 if !series.is_empty() => {
                    let of = self.below(series.len() as u32) as usize;
                    let by = f64::from(1 + self.below(97));
                    of_days.clone_from(&series[of]);
                    of_days.iter_mut().for_each(|day| *day *= by);
                }
                1 => {
                    for _ in 0..1 + self.below(2) {
                        of_days[self.below(days as u32) as usize] = self.lamports();
                    }
                }
                2 => of_days.fill_with(|| f64::from(self.below(3)) - 1.0),
                _ => of_days.fill_with(|| self.lamports()),
            }
            series.push(of_days);
        }
        (series, blocks)
    }
}

fn assert_near(found: Option<f64>, expected: &Value, what: &str) {
    match (found, expected.as_f64()) {
        (None, None) => {}
        (Some(found), Some(expected)) => {
            let bound = TOLERANCE * expected.abs().max(1.0);
            assert!(
                (found - expected).abs() <= bound,
                "{what}: {found}, expected {expected}"
            );
        }
        (found, expected) => panic!("{what}: {found:?}, expected {expected:?}"),
    }
}

#[test]
fn every_statistic_is_what_its_definition_gives() {
    let Some(python) = python::python() else {
        eprintln!("SKIPPED papers: needs a Python with numpy and scipy");
        return;
    };
    let mut draws = Draws(ChaCha8Rng::seed_from_u64(2017));
    let mut cases = Vec::new();
    for _ in 0..CASES {
        let (series, blocks) = draws.grid();
        cases.push(json!({"of": "overfitting", "series": series, "blocks": blocks}));
        for _ in 0..4 {
            let (series, blocks) = draws.tied_grid();
            cases.push(
                json!({"of": "overfitting", "series": series, "blocks": blocks, "tied": true}),
            );
        }
        let count = 2 + draws.below(60);
        let pairs: Vec<(f64, f64)> = (0..count)
            .map(|_| {
                let actual = draws.pnl();
                (actual + draws.pnl() / 4.0, actual)
            })
            .collect();
        cases.push(json!({"of": "concordance", "pairs": pairs}));
        let groups: Vec<i64> = (0..1 + draws.below(40))
            .map(|_| i64::from(draws.below(2_000_000)) - 900_000)
            .collect();
        let confidence = [0.8, 0.9, 0.95, 0.99][draws.below(4) as usize];
        cases.push(json!({
            "of": "interval",
            "groups": groups,
            "confidence": confidence,
            "resamples": 2 + draws.below(60),
            "seed": draws.0.next_u64() >> 12,
        }));
        let p = match draws.below(2) {
            0 => draws.uniform(),
            _ => 10_f64.powi(-(draws.below(200) as i32)) * draws.uniform(),
        };
        cases.push(json!({"of": "normal", "x": (draws.uniform() - 0.5) * 16.0, "p": p}));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/papers.py");
    let answers = python::answers(&python, &script, &cases);
    assert_eq!(answers.len(), cases.len());
    let numbers = |value: &Value| -> Vec<f64> {
        let values = value.as_array().unwrap().iter();
        values.map(|value| value.as_f64().unwrap()).collect()
    };
    let (mut defined, mut of_ffn, mut floats_differ) = (0, 0, 0);
    for (case, answer) in cases.iter().zip(&answers) {
        let what = |of: &str| format!("{of} of {case}");
        match case["of"].as_str().unwrap() {
            "overfitting" => {
                let series = case["series"].as_array().unwrap();
                let series: Vec<Vec<f64>> = series.iter().map(numbers).collect();
                let series: Vec<&[f64]> = series.iter().map(Vec::as_slice).collect();
                let blocks = case["blocks"].as_u64().unwrap() as usize;
                let found = overfitting::overfitting(&series, blocks, &|| true).unwrap();
                assert_eq!(
                    found.undefined as u64,
                    answer["undefined"].as_u64().unwrap()
                );
                let best = answer["best"].as_u64().map(|best| best as usize);
                assert_eq!(found.best, best, "{}", what("best"));
                for (name, found) in [
                    ("best_sharpe", found.best_sharpe),
                    ("expected_best_sharpe", found.expected_best_sharpe),
                    ("deflated_sharpe_ratio", found.deflated_sharpe_ratio),
                    (
                        "probability_of_overfitting",
                        found.probability_of_overfitting,
                    ),
                ] {
                    assert_near(found, &answer[name], &what(name));
                    if let Some(expected) = answer["ffn"][name].as_f64() {
                        let name = format!("ffn's {name}");
                        assert_near(found, &expected.into(), &what(&name));
                        of_ffn += 1;
                    }
                }
                defined += usize::from(found.probability_of_overfitting.is_some());
                floats_differ += usize::from(answer["floats_differ"] == true);
            }
            "concordance" => {
                let pairs = case["pairs"].as_array().unwrap().iter();
                let pairs =
                    pairs.map(|pair| (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap()));
                let pairs: Vec<(f64, f64)> = pairs.collect();
                assert_near(
                    concordance::concordance(&pairs),
                    answer,
                    &what("concordance"),
                );
            }
            "interval" => {
                let found = bootstrap::interval(
                    &numbers(&case["groups"]),
                    case["confidence"].as_f64().unwrap(),
                    case["resamples"].as_u64().unwrap() as usize,
                    case["seed"].as_u64().unwrap(),
                    &|| true,
                );
                let found = found.unwrap();
                for (name, found) in [
                    ("lower", Some(found.lower)),
                    ("upper", Some(found.upper)),
                    ("standard_error", found.standard_error),
                    ("share_not_better", Some(found.share_not_better)),
                ] {
                    assert_near(found, &answer[name], &what(name));
                }
            }
            _ => {
                let (x, p) = (case["x"].as_f64().unwrap(), case["p"].as_f64().unwrap());
                assert_near(Some(normal::cdf(x)), &answer["cdf"], &what("cdf"));
                assert_near(
                    Some(normal::quantile(p)),
                    &answer["quantile"],
                    &what("quantile"),
                );
            }
        }
    }
    assert!(defined >= 200, "only {defined} grids can be halved");
    assert!(
        floats_differ >= 10,
        "floats see ties in all but {floats_differ} grids"
    );
    match of_ffn {
        0 => eprintln!("SKIPPED: ffn is not there"),
        of_ffn => assert!(of_ffn >= 100, "only {of_ffn} numbers of ffn"),
    }
}
