//! `sale_pnl` equals the reference over every cost, rounding ties included.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Decimal256Array};
use datafusion::arrow::datatypes::i256;

use super::session::{decimals, identifiers, query, table};
use crate::engine::Execution;
use crate::price_book::price_book;
use crate::random::{Random, SEED};
use crate::reference::costs::Costs;
use crate::reference::number::{Number, decimal, rounded, whole};
use crate::reference::trade::trade_pnl;
use crate::rows::{Row, difference};

const CASES: usize = 100_000;

/// Mantissas, in the order of the arguments, but for the exit price.
#[derive(Debug)]
struct Case {
    size: i128,
    share: i128,
    entry: i128,
    exit: i128,
    slippage: i128,
    exit_slippage: i128,
    platform_fee: i128,
    gas: i128,
    priority_fee: i128,
    failed: i128,
    pool: Option<i128>,
}

/// Fees of half a per cent that lie halfway between two lamports: what is bought and what its sale
/// brings are an odd number of hundreds of lamports in all.
fn with_halved_fees(random: &mut Random, case: Case) -> Case {
    let returned = random.one_of(&[0, 1, 3]);
    let lamports = (2 * random.between(0, 5_000_000) + 1) * 100 / (1 + returned);
    Case {
        size: lamports * 10_i128.pow(8),
        share: 1_000_000,
        exit: case.entry * returned * 1_000_000,
        platform_fee: 5_000,
        failed: random.one_of(&[0, 500_000]),
        ..case
    }
}

/// Slippage of half a per cent of an odd number of hundredths of a SOL, which lies halfway between two
/// ten-thousandths.
fn with_halved_slippage(random: &mut Random, case: Case) -> Case {
    Case {
        size: (2 * random.between(0, 50) + 1) * 10_i128.pow(15),
        share: 1_000_000,
        slippage: 5_000,
        exit_slippage: 0,
        ..case
    }
}

fn case(random: &mut Random) -> Case {
    let case = any_case(random);
    match random.between(1, 20) {
        1 | 2 => with_halved_fees(random, case),
        3 => with_halved_slippage(random, case),
        _ => case,
    }
}

fn any_case(random: &mut Random) -> Case {
    let is_round = random.chance(1, 2);
    let unit = 10_i128.pow(u32::try_from(random.between(0, 10)).unwrap());
    let (size, entry) = match is_round {
        true => (
            random.between(1, 4_000) * 10_i128.pow(random.one_of(&[9, 14])),
            20_000 * unit,
        ),
        false => (
            random.between(0, 10_i128.pow(17)),
            random.between(1, 10_i128.pow(12)) * unit,
        ),
    };
    let any = |random: &mut Random, most: i128, coarse: i128| match random.between(0, 2) {
        0 => 0,
        1 => random.between(0, most / coarse) * coarse,
        _ => random.between(0, most),
    };
    Case {
        size,
        share: random.one_of(&[1_000_000, 1_000_000, 500_000, 250_000, 333_333, 1, 0]),
        entry,
        exit: match is_round {
            true => entry * random.between(0, 40) / 20 * 1_000_000,
            false => random.between(0, entry * 6) * 1_000_000 + random.between(0, 999_999),
        },
        slippage: any(random, 100_000, 5_000),
        exit_slippage: any(random, 500_000, 5_000),
        platform_fee: any(random, 100_000, 5_000),
        gas: random.one_of(&[0, 100_000]),
        priority_fee: any(random, 10_000_000, 50_000),
        failed: any(random, 900_000, 100_000),
        pool: random
            .chance(1, 2)
            .then(|| random.one_of(&[1, 1_000, 85 * 10_i128.pow(9), 10_i128.pow(18)])),
    }
}

#[test]
fn sale_pnl_equals_reference() {
    let mut random = Random::of_test("sale_pnl_equals_reference");
    let cases: Vec<Case> = (0..CASES).map(|_| case(&mut random)).collect();
    let exits: Decimal256Array = cases
        .iter()
        .map(|case| Some(i256::from_i128(case.exit)))
        .collect();
    let exits: ArrayRef = Arc::new(exits.with_precision_and_scale(76, 24).unwrap());
    let column = |pick: fn(&Case) -> i128, precision: u8, scale: i8| {
        decimals(cases.iter().map(pick), precision, scale)
    };
    let columns = vec![
        ("id", identifiers(CASES)),
        ("size", column(|c| c.size, 38, 17)),
        ("share", column(|c| c.share, 9, 4)),
        ("entry", column(|c| c.entry, 38, 18)),
        ("exit", exits),
        ("slippage", column(|c| c.slippage, 9, 4)),
        ("exit_slippage", column(|c| c.exit_slippage, 9, 4)),
        ("platform_fee", column(|c| c.platform_fee, 9, 4)),
        ("gas", column(|c| c.gas, 20, 9)),
        ("priority_fee", column(|c| c.priority_fee, 20, 9)),
        ("failed", column(|c| c.failed, 9, 4)),
        ("pool", decimals(cases.iter().map(|c| c.pool), 20, 9)),
    ];
    let sql = "select id, sale_pnl(size, share, entry, exit, slippage, exit_slippage, platform_fee, \
               gas, priority_fee, failed, pool) as pnl from cases order by id";
    let book = price_book(&[].into());
    let found = query(sql, &table(columns), &book, Execution::USUAL);
    assert_eq!(found.len(), CASES, "one row for each case");
    let (mut fee_ties, mut slippage_ties, mut with_impact) = (0, 0, 0);
    for (case, found) in cases.iter().zip(found) {
        let costs = Costs {
            slippage_percent: decimal(case.slippage, 4),
            exit_slippage_percent: decimal(case.exit_slippage, 4),
            platform_fee_percent: decimal(case.platform_fee, 4),
            gas_cost_sol: decimal(case.gas, 9),
            priority_fee_sol: decimal(case.priority_fee, 9),
            failed_transaction_percent: decimal(case.failed, 4),
            pool_sol: case.pool.map(|pool| decimal(pool, 9)),
        };
        let (size, share) = (decimal(case.size, 17), decimal(case.share, 4));
        let (entry, exit) = (decimal(case.entry, 18), decimal(case.exit, 24));
        let pnl = trade_pnl(&size, &share, &entry, &exit, &costs);
        let mut expected = Row::default();
        expected.push("pnl.position_size_sol", &pnl.position_size_sol);
        expected.push("pnl.gross_pnl_sol", &pnl.gross_pnl_sol);
        expected.push("pnl.slippage_cost_sol", &pnl.slippage_cost_sol);
        expected.push("pnl.gas_cost_sol", &pnl.gas_cost_sol);
        expected.push("pnl.fees_sol", &pnl.fees_sol);
        expected.push("pnl.impact_cost_sol", &pnl.impact_cost_sol);
        expected.push("pnl.net_pnl_sol", &pnl.net_pnl_sol);
        expected.push("pnl.pnl_percent", &pnl.pnl_percent);
        if let Some(difference) = difference(&expected, &found) {
            let seed = *SEED;
            panic!("HINDSIGHT_SEED={seed}: sale_pnl of mantissas {case:?}: {difference}");
        }
        with_impact += usize::from(pnl.impact_cost_sol > whole(0));
        let part = &size * share / whole(100);
        let proceeds = rounded(&(&part * exit / entry), 9);
        let slippage = &part * &costs.slippage_percent + &proceeds * &costs.exit_slippage_percent;
        slippage_ties += usize::from(is_halfway(&(slippage / whole(100)), 4));
        let of_platform = (part + proceeds) * &costs.platform_fee_percent / whole(100);
        let sent = whole(100) / (whole(100) - &costs.failed_transaction_percent);
        let fees = of_platform + whole(2) * &costs.priority_fee_sol * sent;
        fee_ties += usize::from(is_halfway(&fees, 9));
    }
    assert!(fee_ties > 5_000, "{fee_ties} fees halfway between lamports");
    assert!(slippage_ties > 1_000, "{slippage_ties} slippages halfway");
    assert!(with_impact > 10_000, "{with_impact} sales with an impact");
}

/// Whether an amount lies halfway between two of so many digits.
fn is_halfway(amount: &Number, digits: u32) -> bool {
    let halves = amount * whole(2) / decimal(1, digits);
    halves.is_integer() && halves.numer().bit(0)
}
