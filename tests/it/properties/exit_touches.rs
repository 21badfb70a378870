//! The first touches of many levels, found in one walk, say of each set of rules what its own walk
//! says.

use std::collections::BTreeMap;

use hindsight_udfs::exits::first_touches::{Levels, first_touches};
use hindsight_udfs::exits::walk::{Exit, ExitRules, ExitStrategy, walk};

use super::exit_cases::{ExitCase, ExitCases};
use crate::price_book::price_book;
use crate::random::{Random, SEED};
use crate::reference::exit::MINUTE;

const TOKENS: usize = 8_000;
const CASES_FOR_EACH: usize = 8;

fn rules(case: &ExitCase) -> ExitRules {
    let percent = |value: i128| i64::try_from(value).unwrap();
    let strategy: ExitStrategy = case.exit_strategy.parse().unwrap();
    ExitRules::new(
        strategy,
        percent(case.percents.stop_loss),
        percent(case.percents.take_profit),
        percent(case.percents.trailing_stop),
        case.max_hold_minutes * MINUTE,
    )
}

#[test]
fn the_earliest_first_touch_is_the_exit() {
    let mut random = Random::of_test("the_earliest_first_touch_is_the_exit");
    let cases = ExitCases::random(&mut random, TOKENS, CASES_FOR_EACH);
    let book = price_book(&cases.prices);
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for cases in cases.cases.chunks(CASES_FOR_EACH) {
        // All sets of a token at once, or only some: fewer kinds of rules end the walk sooner.
        let several = random.small(1, i64::try_from(cases.len()).unwrap());
        let all: Vec<ExitRules> = cases.iter().map(rules).collect();
        let all = &all[..usize::try_from(several).unwrap()];
        let mut levels = Levels::default();
        all.iter().for_each(|rules| levels.add(rules));
        for case in cases {
            let Some(prices) = book.prices(&case.token_address) else {
                continue;
            };
            let (timestamps, mantissas) = (&prices.timestamps, &prices.mantissas);
            let Some(entry) = prices.first_at_or_after(case.timestamp) else {
                continue;
            };
            if mantissas[entry] == 0 {
                continue;
            }
            let mut touches = Vec::new();
            first_touches(
                timestamps,
                mantissas,
                entry,
                case.timestamp,
                &levels,
                &mut touches,
            );
            for rules in all {
                let slots = levels.slots(rules);
                let touched = touches.iter().filter(|touch| slots.contains(&touch.slot));
                let first = touched.min_by_key(|touch| (touch.exit.position, touch.exit.reason));
                let found: Option<Exit> = first.map(|touch| touch.exit);
                let expected = walk(timestamps, mantissas, entry, case.timestamp, rules);
                assert_eq!(
                    found,
                    Some(expected),
                    "HINDSIGHT_SEED={}: {rules:?} of {all:?}: {case:?}\n{mantissas:?}",
                    *SEED
                );
                *met.entry(expected.reason.to_string()).or_default() += 1;
            }
        }
    }
    for reason in [
        "time_limit",
        "stop_loss",
        "take_profit",
        "trailing_stop",
        "end_of_data",
    ] {
        let times = met.get(reason).copied().unwrap_or_default();
        assert!(
            times >= 1_000,
            "HINDSIGHT_SEED={}: {reason} met {times} times",
            *SEED
        );
    }
}

#[test]
fn levels_of_zero_percent_are_touched_at_once() {
    let timestamps = [0, 1, 2, 3];
    for prices in [[5, 5, 6, 5], [5, 4, 5, 6], [5, 6, 7, 7]] {
        let sets = [
            (0, 0, 0),
            (0, 5, 0),
            (10, 0, 0),
            (500_000, 0, 0),
            (500_000, 900_000, 0),
        ];
        let all = sets.map(|(stop, target, trail)| {
            ExitRules::new(ExitStrategy::Hybrid, stop, target, trail, 3)
        });
        let mut levels = Levels::default();
        all.iter().for_each(|rules| levels.add(rules));
        let mut touches = Vec::new();
        first_touches(&timestamps, &prices, 0, 0, &levels, &mut touches);
        for rules in &all {
            let slots = levels.slots(rules);
            let touched = touches.iter().filter(|touch| slots.contains(&touch.slot));
            let first = touched.min_by_key(|touch| (touch.exit.position, touch.exit.reason));
            let expected = walk(&timestamps, &prices, 0, 0, rules);
            assert_eq!(
                first.map(|touch| touch.exit),
                Some(expected),
                "{rules:?}: {prices:?}"
            );
        }
    }
}
