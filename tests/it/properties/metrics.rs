//! The aggregates over PnL equal the reference in groups of every size, in any order of the rows.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch};

use super::session::{decimals, query, table};
use crate::engine::Execution;
use crate::price_book::price_book;
use crate::random::{Random, SEED};
use crate::reference::history::DAY;
use crate::reference::metrics::Metrics;
use crate::reference::number::{Number, decimal};
use crate::reference::risk::{Closed, Risk};
use crate::rows::{Cell, Row, difference};

/// One trade; lamports, `None` where it is not closed.
#[derive(Debug, Clone, Copy)]
struct Trade {
    group: i64,
    at: i64,
    pnl: Option<i128>,
}

const SQL: &str = "select \"group\", win_rate(pnl) as win_rate, \
     profit_factor(pnl) as profit_factor, expectancy(pnl) as expectancy, \
     max_drawdown(pnl order by at) as max_drawdown, \
     max_consecutive_losses(pnl order by at) as max_consecutive_losses, \
     sqn(pnl) as sqn, sharpe_ratio(pnl) as sharpe_ratio, sortino_ratio(pnl) as sortino_ratio \
     from cases group by \"group\" order by \"group\"";

/// Trades of many groups, in time order within each; no two of a group at one time.
fn trades(random: &mut Random, groups: i64) -> Vec<Trade> {
    let mut trades = Vec::new();
    for group in 0..groups {
        // All wins, all losses, amounts that vanish in rounding, and anything.
        let (low, high) = random.one_of(&[
            (1, 90_000),
            (-90_000, 0),
            (-40_000, 40_000),
            (-100_000_000, 100_000_000),
            (-100_000_000_000, 100_000_000_000),
        ]);
        let is_coarse = random.chance(1, 2);
        let most = random.one_of(&[1, 3, 60]);
        for at in 0..random.small(1, most) {
            let lamports = random.between(low, high);
            // Multiples of half a ten-thousandth meet the rounding ties.
            let lamports = if is_coarse {
                lamports / 50_000 * 50_000
            } else {
                lamports
            };
            let pnl = (!random.chance(1, 15)).then_some(lamports);
            trades.push(Trade { group, at, pnl });
        }
    }
    trades
}

fn as_table(trades: &[Trade]) -> RecordBatch {
    let group = trades.iter().map(|trade| trade.group);
    let at = trades.iter().map(|trade| trade.at);
    table(vec![
        ("group", Arc::new(Int64Array::from_iter_values(group))),
        ("at", Arc::new(Int64Array::from_iter_values(at))),
        ("pnl", decimals(trades.iter().map(|trade| trade.pnl), 20, 9)),
    ])
}

fn expected(group: i64, trades: &[Trade]) -> Row {
    let of_group = trades.iter().filter(|trade| trade.group == group);
    let pnls: Vec<Number> = of_group
        .filter_map(|trade| trade.pnl.map(|lamports| decimal(lamports, 9)))
        .collect();
    let metrics = Metrics::of(&pnls);
    let mut row = Row::default();
    row.push("group", group);
    row.push("win_rate", &metrics.win_rate);
    row.push("profit_factor", &metrics.profit_factor);
    row.push("expectancy", &metrics.expectancy);
    row.push("max_drawdown", &metrics.max_drawdown_sol);
    row.push("max_consecutive_losses", metrics.max_consecutive_losses);
    // Each PnL as that of a day of its own.
    let closed = |(day, pnl): (i64, &Number)| Closed {
        pnl: pnl.clone(),
        entry: None,
        exit: day * DAY,
    };
    let closed: Vec<Closed> = (0..).zip(&pnls).map(closed).collect();
    let risk = Risk::of(&closed, 0..closed.len() as i64, &metrics.max_drawdown_sol);
    row.push("sqn", &risk.sqn);
    row.push("sharpe_ratio", &risk.sharpe_ratio);
    row.push("sortino_ratio", &risk.sortino_ratio);
    row
}

#[test]
fn metrics_equal_reference() {
    let mut random = Random::of_test("metrics_equal_reference");
    let groups = 2_000;
    let trades = trades(&mut random, groups);
    let mut shuffled = trades.clone();
    random.shuffle(&mut shuffled);
    let book = price_book(&[].into());
    let found = query(SQL, &as_table(&shuffled), &book, Execution::USUAL);
    assert_eq!(i64::try_from(found.len()).unwrap(), groups);
    let (mut without_loss, mut risky) = (0, 0);
    for (group, found) in (0..).zip(&found) {
        let expected = expected(group, &trades);
        without_loss += i32::from(expected.get("profit_factor") == Some(&Cell::Null));
        risky += i32::from(expected.get("sortino_ratio") != Some(&Cell::Null));
        if let Some(difference) = difference(&expected, found) {
            let of_group: Vec<_> = trades.iter().filter(|t| t.group == group).collect();
            panic!("HINDSIGHT_SEED={}: {difference}\n{of_group:?}", *SEED);
        }
    }
    assert!(without_loss > 100, "{without_loss} groups without loss");
    assert!(risky > 500, "{risky} groups with a ratio of risk");
}

#[test]
fn metrics_do_not_depend_on_execution() {
    let mut random = Random::of_test("metrics_do_not_depend_on_execution");
    let mut trades = trades(&mut random, 60);
    let book = price_book(&[].into());
    let before = query(SQL, &as_table(&trades), &book, Execution::USUAL);
    for how in Execution::all() {
        random.shuffle(&mut trades);
        let after = query(SQL, &as_table(&trades), &book, how);
        assert_eq!(before, after, "HINDSIGHT_SEED={}: shuffled, {how:?}", *SEED);
    }
}
