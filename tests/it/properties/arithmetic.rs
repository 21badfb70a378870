//! `rescore`, `position_size` and `trade_pnl` equal the reference, rounding ties included.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Decimal256Array};
use datafusion::arrow::datatypes::i256;

use super::session::{decimals, identifiers, query, table};
use crate::engine::Execution;
use crate::price_book::price_book;
use crate::random::{Random, SEED};
use crate::reference::costs::Costs;
use crate::reference::number::{Number, decimal, show};
use crate::reference::parameters::Parameters;
use crate::reference::scoring::{position_size, rescore};
use crate::reference::trade::trade_pnl;
use crate::rows::{Cell, Row, difference};

const CASES: usize = 100_000;
const FACTORS: [&str; 5] = ["f0", "f1", "f2", "f3", "f4"];
const WEIGHTS: [&str; 5] = ["w0", "w1", "w2", "w3", "w4"];

fn run(sql: &str, columns: Vec<(&str, ArrayRef)>) -> Vec<Row> {
    let book = price_book(&[].into());
    let found = query(sql, &table(columns), &book, Execution::USUAL);
    assert_eq!(found.len(), CASES, "one row for each case");
    found
}

#[test]
fn rescore_equals_reference() {
    let mut random = Random::of_test("rescore_equals_reference");
    let mut cases = Vec::new();
    for _ in 0..CASES {
        let is_coarse = random.chance(1, 2);
        let factors = [(); 5].map(|()| {
            let millionths = if is_coarse {
                random.between(0, 200) * 5_000
            } else {
                random.between(0, 1_000_000)
            };
            (!random.chance(1, 10)).then_some(millionths)
        });
        let weights =
            [(); 5].map(|()| random.one_of(&[100, 1_000, 50]) * random.between(0, 100) % 10_001);
        cases.push((factors, weights));
    }
    let mut columns = vec![("id", identifiers(CASES))];
    for part in 0..5 {
        let factor = cases.iter().map(|(factors, _)| factors[part]);
        columns.push((FACTORS[part], decimals(factor, 7, 6)));
        let weight = cases.iter().map(|(_, weights)| weights[part]);
        columns.push((WEIGHTS[part], decimals(weight, 5, 4)));
    }
    let sql = "select id, rescore(f0, f1, f2, f3, f4, w0, w1, w2, w3, w4) as score from cases order by id";
    for ((factors, weights), found) in cases.iter().zip(run(sql, columns)) {
        let score = rescore(
            &factors.map(|factor| factor.map(|millionths| decimal(millionths, 6))),
            &weights.map(|weight| decimal(weight, 4)),
        );
        assert_eq!(
            found.get("score"),
            Some(&Cell::from(&score)),
            "HINDSIGHT_SEED={}: rescore of millionths {factors:?}, ten-thousandths {weights:?}",
            *SEED
        );
    }
}

#[test]
fn position_size_equals_reference() {
    let mut random = Random::of_test("position_size_equals_reference");
    let mut cases = Vec::new();
    for _ in 0..CASES {
        let score = random.between(0, 10_000);
        let magnitude = u32::try_from(random.between(1, 12)).unwrap();
        let base = random.between(1, 10_i128.pow(magnitude));
        let max = base * random.between(1, 300) / 100 + 1;
        let multiplier = random.between(10_000, 40_000);
        cases.push((score, base, max, random.chance(2, 3), multiplier));
    }
    let scaled: BooleanArray = cases.iter().map(|case| Some(case.3)).collect();
    let columns = vec![
        ("id", identifiers(CASES)),
        ("score", decimals(cases.iter().map(|case| case.0), 7, 2)),
        ("base", decimals(cases.iter().map(|case| case.1), 20, 9)),
        ("max", decimals(cases.iter().map(|case| case.2), 20, 9)),
        ("scaled", Arc::new(scaled)),
        (
            "multiplier",
            decimals(cases.iter().map(|case| case.4), 9, 4),
        ),
    ];
    let sql = "select id, position_size(score, base, max, scaled, multiplier) as size from cases order by id";
    for (case, found) in cases.iter().zip(run(sql, columns)) {
        let parameters = Parameters {
            base_position_sol: decimal(case.1, 9),
            max_position_sol: decimal(case.2, 9),
            scale_with_confidence: case.3,
            confidence_multiplier: decimal(case.4, 4),
            ..Parameters::default()
        };
        let size = position_size(&decimal(case.0, 2), &parameters);
        assert_eq!(
            found.get("size"),
            Some(&Cell::from(&size)),
            "HINDSIGHT_SEED={}: position_size of mantissas {case:?}",
            *SEED
        );
    }
}

/// Mantissas of 17, 18, 24, 4 and 9 digits.
#[derive(Debug)]
struct TradeCase {
    size: i128,
    entry: i128,
    exit: i128,
    slippage: i128,
    gas: i128,
}

fn trade_case(random: &mut Random) -> TradeCase {
    let slippage = random.one_of(&[0, 5_000, 10_000, 25_000]);
    let gas = random.one_of(&[0, 5_000, 100_000, 123_456_789]);
    let unit = 10_i128.pow(u32::try_from(random.between(0, 12)).unwrap());
    if random.chance(1, 2) {
        // Gross of an odd number of half ten-thousandths: a tie; so is slippage of 0.5 % of 0.01.
        let size = random.between(1, 400) * 10_i128.pow(15);
        let entry = 20_000 * unit;
        let exit = (entry + random.between(-20_000, 20_000) * unit) * 1_000_000;
        return TradeCase {
            size,
            entry,
            exit,
            slippage,
            gas,
        };
    }
    let entry = random.between(1, 10_i128.pow(14)) * unit;
    let (usual, large) = (
        random.between(1, 10_i128.pow(17)),
        random.between(1, 10_i128.pow(20)),
    );
    TradeCase {
        size: random.one_of(&[0, 1, usual, usual, large]),
        entry,
        exit: random.between(0, entry * 6) * 1_000_000 + random.between(0, 999_999),
        slippage: random.between(0, 100_000),
        gas,
    }
}

#[test]
fn trade_pnl_equals_reference() {
    let mut random = Random::of_test("trade_pnl_equals_reference");
    let cases: Vec<TradeCase> = (0..CASES).map(|_| trade_case(&mut random)).collect();
    let exits: Decimal256Array = cases
        .iter()
        .map(|case| Some(i256::from_i128(case.exit)))
        .collect();
    let columns = vec![
        ("id", identifiers(CASES)),
        ("size", decimals(cases.iter().map(|case| case.size), 38, 17)),
        (
            "entry",
            decimals(cases.iter().map(|case| case.entry), 38, 18),
        ),
        (
            "exit",
            Arc::new(exits.with_precision_and_scale(76, 24).unwrap()),
        ),
        (
            "slippage",
            decimals(cases.iter().map(|case| case.slippage), 9, 4),
        ),
        ("gas", decimals(cases.iter().map(|case| case.gas), 20, 9)),
    ];
    let sql =
        "select id, trade_pnl(size, entry, exit, slippage, gas) as pnl from cases order by id";
    for (case, found) in cases.iter().zip(run(sql, columns)) {
        let pnl = trade_pnl(
            &decimal(case.size, 17),
            &decimal(100, 0),
            &decimal(case.entry, 18),
            &decimal(case.exit, 24),
            &Costs {
                slippage_percent: decimal(case.slippage, 4),
                gas_cost_sol: decimal(case.gas, 9),
                ..Costs::default()
            },
        );
        let mut expected = Row::default();
        expected.push("pnl.position_size_sol", &pnl.position_size_sol);
        expected.push("pnl.gross_pnl_sol", &pnl.gross_pnl_sol);
        expected.push("pnl.slippage_cost_sol", &pnl.slippage_cost_sol);
        expected.push("pnl.gas_cost_sol", &pnl.gas_cost_sol);
        expected.push("pnl.net_pnl_sol", &pnl.net_pnl_sol);
        expected.push("pnl.pnl_percent", &pnl.pnl_percent);
        if let Some(difference) = difference(&expected, &found) {
            let seed = *SEED;
            panic!("HINDSIGHT_SEED={seed}: trade_pnl of mantissas {case:?}: {difference}");
        }
    }
    let is_tie = |case: &&TradeCase| {
        let gross = decimal(case.size, 17) * (decimal(case.exit, 24) - decimal(case.entry, 18))
            / decimal(case.entry, 18);
        is_odd_multiple(&gross, &decimal(5, 5))
    };
    let ties = cases.iter().filter(is_tie).count();
    assert!(ties > 500, "{ties} rounding ties");
}

/// Whether the value lies halfway between two of `2 × half`.
fn is_odd_multiple(value: &Number, half: &Number) -> bool {
    let multiple = show(&(value / half));
    !multiple.contains(['.', '/']) && multiple.ends_with(['1', '3', '5', '7', '9'])
}
