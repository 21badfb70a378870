//! `skip_reason` equals the reference over portfolios of positions that meet at their edges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray};

use super::session::{decimals, query, table};
use crate::engine::Execution;
use crate::price_book::price_book;
use crate::random::{Random, SEED};
use crate::reference::exit::MINUTE;
use crate::reference::history::DAY;
use crate::reference::limits::{Asked, Limits, Sold};
use crate::reference::number::{decimal, whole};
use crate::rows::Cell;

const PORTFOLIOS: i64 = 20_000;
/// A tenth of a SOL; sizes and amounts are multiples of parts of it, so that balances are met.
const TENTH: i128 = 100_000_000;

/// One sale, as a row.
#[derive(Debug, Clone)]
struct Sale {
    portfolio: i64,
    signal: String,
    token: String,
    entry: i64,
    end: i64,
    size: i128,
    share: i128,
    net: i128,
}

/// Limits in the order of the arguments: counts, minutes and lamports.
type Given = [Option<i128>; 6];

fn limits(random: &mut Random) -> Given {
    let mut given = [None; 6];
    let each = random.chance(1, 4);
    let one = random.below(6);
    for (place, limit) in given.iter_mut().enumerate() {
        if place == one || each && random.chance(1, 2) {
            *limit = Some(match place {
                0..=1 => random.between(1, 3),
                2 => random.between(0, 10),
                3 => random.between(1, 4),
                4 => random.between(1, 3) * TENTH / 10,
                _ => random.between(1, 6) * TENTH / 2,
            });
        }
    }
    given
}

fn sales(random: &mut Random, portfolio: i64) -> Vec<Sale> {
    let mut sales = Vec::new();
    for number in 0..random.small(1, 14) {
        // Minutes around a midnight.
        let entry = DAY + random.small(-12, 12) * MINUTE;
        let size = random.one_of(&[TENTH, TENTH, TENTH / 2, TENTH + 1]) * 10_i128.pow(8);
        let shares: &[i128] = match random.below(3) {
            0 => &[1_000_000],
            1 => &[500_000, 500_000],
            _ => &[400_000, 250_000, 350_000],
        };
        let token = format!("T{}", random.below(3));
        for share in shares {
            sales.push(Sale {
                portfolio,
                signal: format!("s{number:02}"),
                token: token.clone(),
                entry,
                end: entry + random.small(0, 9) * MINUTE,
                size,
                share: *share,
                net: random.one_of(&[-TENTH / 10, -TENTH / 20, 0, TENTH / 10, 1, -1]),
            });
        }
    }
    sales
}

fn expected(sales: &[Sale], given: &Given) -> BTreeMap<String, Option<&'static str>> {
    let mut asked: BTreeMap<&str, Asked> = BTreeMap::new();
    for sale in sales {
        let size = decimal(sale.size, 17);
        let position = asked.entry(&sale.signal).or_insert_with(|| Asked {
            signal_id: sale.signal.clone(),
            token_address: sale.token.clone(),
            entry: sale.entry,
            size: size.clone(),
            sales: vec![],
        });
        position.sales.push(Sold {
            end: sale.end,
            net: decimal(sale.net, 9),
            part: size * decimal(sale.share, 4) / whole(100),
        });
    }
    let mut asked: Vec<Asked> = asked.into_values().collect();
    asked.sort_by_key(|position| (position.entry, position.signal_id.clone()));
    let count = |place: usize| given[place].map(|count| usize::try_from(count).unwrap());
    let limits = Limits {
        max_open_positions: count(0),
        max_positions_per_token: count(1),
        token_cooldown_minutes: given[2].map(|minutes| i64::try_from(minutes).unwrap()),
        max_trades_per_day: count(3),
        max_daily_loss_sol: given[4].map(|lamports| decimal(lamports, 9)),
        starting_balance_sol: given[5].map(|lamports| decimal(lamports, 9)),
    };
    let refusals = limits.refusals(&asked);
    let signals = asked.into_iter().map(|position| position.signal_id);
    signals.zip(refusals).collect()
}

fn found(sales: &[Sale], given: &BTreeMap<i64, Given>, how: Execution) -> Vec<(i64, String, Cell)> {
    let text = |pick: fn(&Sale) -> &String| {
        Arc::new(StringArray::from_iter_values(sales.iter().map(pick)))
    };
    let at = |pick: fn(&Sale) -> i64| {
        let at = TimestampMicrosecondArray::from_iter_values(sales.iter().map(pick));
        Arc::new(at.with_timezone("UTC"))
    };
    let limit = |place: usize| sales.iter().map(move |sale| given[&sale.portfolio][place]);
    let whole = |place: usize| {
        let values = limit(place).map(|value| value.map(|value| i64::try_from(value).unwrap()));
        Arc::new(values.collect::<Int64Array>())
    };
    let portfolio = sales.iter().map(|sale| sale.portfolio);
    let columns = table(vec![
        (
            "portfolio",
            Arc::new(Int64Array::from_iter_values(portfolio)),
        ),
        ("signal", text(|s| &s.signal)),
        ("token", text(|s| &s.token)),
        ("entry", at(|s| s.entry)),
        ("leave", at(|s| s.end)),
        ("size", decimals(sales.iter().map(|s| s.size), 38, 17)),
        ("share", decimals(sales.iter().map(|s| s.share), 9, 4)),
        ("net", decimals(sales.iter().map(|s| s.net), 20, 9)),
        ("open", whole(0)),
        ("per_token", whole(1)),
        ("cooldown", whole(2)),
        ("per_day", whole(3)),
        ("loss", decimals(limit(4), 20, 9)),
        ("balance", decimals(limit(5), 20, 9)),
    ]);
    let sql = "select portfolio, signal, skip_reason(signal, token, entry, leave, size, share, net, \
               open, per_token, cooldown, per_day, loss, balance) over (partition by portfolio) as \
               reason from cases";
    let rows = query(sql, &columns, &price_book(&[].into()), how);
    let found = rows.iter().map(|row| {
        let (Some(Cell::Number(portfolio)), Some(Cell::Text(signal))) =
            (row.get("portfolio"), row.get("signal"))
        else {
            panic!("{row:?}");
        };
        let portfolio = i64::try_from(portfolio.to_integer()).unwrap();
        (
            portfolio,
            signal.clone(),
            row.get("reason").unwrap().clone(),
        )
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    found
}

#[test]
fn skip_reasons_equal_reference() {
    let mut random = Random::of_test("skip_reasons_equal_reference");
    let mut portfolios = BTreeMap::new();
    let mut given = BTreeMap::new();
    let mut all = Vec::new();
    for portfolio in 0..PORTFOLIOS {
        let sales = sales(&mut random, portfolio);
        given.insert(portfolio, limits(&mut random));
        all.extend(sales.clone());
        portfolios.insert(portfolio, sales);
    }
    random.shuffle(&mut all);
    let found = found(&all, &given, Execution::USUAL);
    assert_eq!(found.len(), all.len(), "a row for each sale");
    let mut counts: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut last = (-1, BTreeMap::new());
    let mut ties = 0;
    for (portfolio, signal, reason) in &found {
        let (sales, given) = (&portfolios[portfolio], &given[portfolio]);
        if last.0 != *portfolio {
            last = (*portfolio, expected(sales, given));
            let ends = |entry: i64| sales.iter().any(|other| other.end == entry);
            ties += sales.iter().filter(|sale| ends(sale.entry)).count();
        }
        let expected = last.1[signal];
        *counts.entry(expected).or_default() += 1;
        assert_eq!(
            *reason,
            expected.map_or(Cell::Null, Cell::from),
            "HINDSIGHT_SEED={}: {signal} of {sales:?} under {given:?}",
            *SEED
        );
    }
    let asked: BTreeSet<_> = found.iter().map(|(p, signal, _)| (p, signal)).collect();
    assert!(
        asked.len() >= 100_000,
        "{} positions asked for",
        asked.len()
    );
    assert_eq!(counts.len(), 7, "{counts:?}");
    for (reason, count) in &counts {
        assert!(*count > 1_000, "{count} of {reason:?}");
    }
    assert!(ties > 10_000, "{ties} entries at the end of another");
}

#[test]
fn admission_looks_at_nothing_later_than_the_entry() {
    let mut random = Random::of_test("admission_looks_at_nothing_later");
    let (mut all, mut changed) = (Vec::new(), Vec::new());
    let mut given = BTreeMap::new();
    for portfolio in 0..500 {
        given.insert(portfolio, limits(&mut random));
        let sales = sales(&mut random, portfolio);
        // Whatever enters or ends later, and what that brings, is something else.
        for sale in &sales {
            let mut sale = sale.clone();
            if sale.entry > DAY {
                sale.entry += random.small(1, 5) * MINUTE;
                sale.net = -sale.net;
                sale.end = sale.entry;
            }
            if sale.end > DAY {
                sale.end += random.small(0, 5) * MINUTE;
                sale.net = random.between(-TENTH, TENTH);
            }
            changed.push(sale);
        }
        all.extend(sales);
    }
    let early: Vec<bool> = all.iter().map(|sale| sale.entry <= DAY).collect();
    assert!(early.iter().filter(|early| **early).count() > 1_000);
    let reasons = |sales: &[Sale]| {
        let found = found(sales, &given, Execution::USUAL);
        let keys: BTreeMap<(i64, String), Cell> = found
            .into_iter()
            .map(|(portfolio, signal, reason)| ((portfolio, signal), reason))
            .collect();
        keys
    };
    let (before, after) = (reasons(&all), reasons(&changed));
    for sale in all.iter().filter(|sale| sale.entry <= DAY) {
        let key = (sale.portfolio, sale.signal.clone());
        assert_eq!(
            before[&key], after[&key],
            "HINDSIGHT_SEED={}: {sale:?}",
            *SEED
        );
    }
}
