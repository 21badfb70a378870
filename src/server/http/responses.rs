//! Response curves: what each position of a parameter would have earned, all else as it is.

use datafusion::arrow::array::RecordBatch;
use hindsight_udfs::decimal;
use serde_json::{Map, Value};

use super::config::Config;
use super::json::objects;
use super::problem::Problem;
use crate::parameters::{PARAMETERS, Parameter};

const WEIGHTS: &str = "scoring_weights";
/// The columns of a curve, after its values.
const COLUMNS: [&str; 2] = ["simulated_total_pnl_sol", "simulated_pnl_conservative_sol"];

/// What each of these values would have earned, all else as it is.
pub fn statement(config: &Config, parameter: &'static Parameter, values: &[String]) -> String {
    let columns = COLUMNS.join(", ");
    if parameter.group != WEIGHTS {
        let arguments = config.arguments_with(&[(parameter, values.to_vec())]);
        return format!("select {columns} from backtest({arguments})");
    }
    // The other weights give way, so that the sum stays 1: a set of weights for each value.
    let mut arrays: Vec<(&'static Parameter, Vec<String>)> = Vec::new();
    for value in values {
        for (weight, text) in weights(config, parameter, value) {
            match arrays
                .iter_mut()
                .find(|(known, _)| known.name == weight.name)
            {
                Some((_, texts)) => texts.push(text),
                None => arrays.push((weight, vec![text])),
            }
        }
    }
    let arguments = config.arguments_with(&arrays);
    format!("select {columns} from backtest({arguments}, zip => true)")
}

/// The weights with one of them moved and the others in proportion, which sum to 1.
fn weights(
    config: &Config,
    moved: &'static Parameter,
    value: &str,
) -> Vec<(&'static Parameter, String)> {
    const ONE: i128 = 10_000;
    let of = |text: &str| {
        let (mantissa, scale) = decimal::parse(text)?;
        decimal::rescale_exact(mantissa, scale, 4)
    };
    let others: Vec<(&'static Parameter, i128)> = PARAMETERS
        .iter()
        .filter(|p| p.group == WEIGHTS && p.name != moved.name)
        .map(|p| (p, config.text(p).or(p.default).and_then(of).unwrap_or(0)))
        .collect();
    let left = ONE - of(value).unwrap_or(0);
    let sum: i128 = others.iter().map(|(_, weight)| weight).sum();
    let (mut given, mut seen) = (0, 0);
    let count = others.len() as i128;
    let mut set = vec![(moved, value.to_owned())];
    for (place, (parameter, weight)) in (1..).zip(&others) {
        seen += weight;
        // By what all so far together have, so that nothing is lost in rounding.
        let together = match sum {
            0 => left * place / count,
            sum => decimal::divide_half_even(left * seen, sum),
        };
        set.push((*parameter, decimal::format(together - given, 4)));
        given = together;
    }
    set
}

pub fn curve(
    parameter: &Parameter,
    values: Vec<String>,
    rows: &[RecordBatch],
) -> Result<Value, Problem> {
    let rows = objects(rows)?;
    let mut response = Map::new();
    response.insert("parameter".into(), parameter.name.into());
    response.insert("values".into(), values.into());
    for column in COLUMNS {
        let amounts = rows
            .iter()
            .map(|row| row.get(column).cloned().unwrap_or_default());
        response.insert(column.into(), amounts.collect());
    }
    Ok(response.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn weights_sum_to_one_wherever_one_is_moved() {
        let config = Config::default();
        for moved in PARAMETERS.iter().filter(|p| p.group == WEIGHTS) {
            for value in ["0", "0.1234", "0.5", "1"] {
                let set = weights(&config, moved, value);
                let sum: i128 = set
                    .iter()
                    .map(|(_, text)| {
                        let (mantissa, scale) = decimal::parse(text).unwrap();
                        decimal::rescale_exact(mantissa, scale, 4).unwrap()
                    })
                    .sum();
                assert_eq!(sum, 10_000, "{} {value}", moved.name);
                assert!(set.iter().all(|(_, text)| !text.starts_with('-')));
            }
        }
    }
}
