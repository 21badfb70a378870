//! The exit rules against a plain loop over exact fractions that knows no parts and no rules, on
//! random cases that seek the edges: prices on every level and one unit beside it, instants on
//! every limit and a microsecond beside it, gaps through several steps.

use std::collections::BTreeMap;

use super::first_touches::{Levels, Touches, first_touches};
use super::random_paths::{Case, Random, SETTINGS_FOR_EACH};
use super::rule::{Part, Sale};
use super::settings::ExitSettings;
use super::walk::{Path, walk};
use super::words::{ExitReason, ExitStrategy, FillModel};
use crate::extremes::Extremes;

const HUNDRED: i128 = 1_000_000;
const PATHS: usize = 30_000;

/// What was met, each kind counted: none may be vacuous.
#[derive(Default)]
struct Met(BTreeMap<String, usize>);

impl Met {
    fn count(&mut self, kind: impl Into<String>) {
        *self.0.entry(kind.into()).or_default() += 1;
    }

    fn count_if(&mut self, met: bool, kind: &str) {
        if met {
            self.count(kind);
        }
    }
}

/// The sales as the rules of a backtest say them, part by part: position, reason and level.
fn plain(case: &Case, settings: &ExitSettings, met: &mut Met) -> Vec<Sale> {
    let moonbag = settings.moonbag.unwrap_or(0);
    let takes_profit = matches!(
        settings.strategy,
        ExitStrategy::FixedTargets | ExitStrategy::Hybrid
    );
    // Share, target, whether it is the moonbag.
    let mut parts: Vec<(i64, Option<i64>, bool)> = Vec::new();
    let mut left = 1_000_000 - moonbag;
    match (&settings.ladder, takes_profit) {
        (Some(ladder), true) => {
            for step in ladder.steps() {
                parts.push((step.share, Some(step.gain), false));
                left -= step.share;
            }
            parts.push((left, None, false));
            met.count_if(left == 0, "shares leave nothing over");
        }
        (None, true) => parts.push((left, Some(settings.take_profit), false)),
        (_, false) => parts.push((left, None, false)),
    }
    parts.push((moonbag, None, true));
    met.count_if(moonbag == 1_000_000, "a moonbag of 100");
    met.count_if(settings.moonbag == Some(0), "a moonbag of 0");
    parts.retain(|(share, _, _)| *share > 0);

    let mut sales: Vec<Sale> = Vec::new();
    for (number, (share, target, is_moonbag)) in parts.into_iter().enumerate() {
        let (position, reason, level) = end(case, settings, target, is_moonbag, met);
        met.count(format!(
            "{}{}",
            if is_moonbag { "moonbag " } else { "" },
            reason.name()
        ));
        let alike = sales
            .iter_mut()
            .find(|sale| sale.position == position && sale.reason == reason && sale.level == level);
        match alike {
            Some(sale) => {
                met.count("parts that end by one touch");
                met.count_if(is_moonbag, "a moonbag that ends with others");
                sale.share += share;
            }
            None => {
                let together = |sale: &&Sale| sale.position == position;
                for other in sales.iter().filter(together) {
                    met.count_if(
                        reason == ExitReason::TakeProfit,
                        "a gap through several steps",
                    );
                    met.count_if(
                        is_moonbag && reason < other.reason,
                        "a moonbag whose rule comes before that of a part at one price",
                    );
                    met.count_if(
                        reason == other.reason,
                        "two levels of one rule at one price",
                    );
                }
                sales.push(Sale {
                    part: number as u8 + 1,
                    share,
                    position,
                    reason,
                    level,
                });
            }
        }
    }
    sales
}

fn end(
    case: &Case,
    settings: &ExitSettings,
    target: Option<i64>,
    is_moonbag: bool,
    met: &mut Met,
) -> (usize, ExitReason, i128) {
    use ExitReason::*;
    let is_trailing = !is_moonbag
        && matches!(
            settings.strategy,
            ExitStrategy::TrailingStop | ExitStrategy::Hybrid
        );
    let (mut stop, mut hold) = (settings.stop_loss, settings.max_hold_micros);
    if is_moonbag {
        stop = settings.moonbag_stop_loss.unwrap_or(stop);
        hold = settings.moonbag_max_hold_micros.unwrap_or(hold);
    }
    let entry = i128::from(case.prices[case.entry]);
    let up = |percent: i64| entry * (HUNDRED + i128::from(percent));
    let stop = entry * (HUNDRED - i128::from(stop));
    let (mut peak, mut peak_at) = (entry, case.timestamps[case.entry]);
    let (mut break_even_armed, mut trail_armed) = (None, None);
    for position in case.entry..case.prices.len() {
        let (now, price) = (case.timestamps[position], i128::from(case.prices[position]));
        let observed = price * HUNDRED;
        // 1.
        if now - case.signal_timestamp >= hold {
            met.count_if(
                now - case.signal_timestamp == hold,
                "exactly at the hold limit",
            );
            return (position, TimeLimit, observed);
        }
        // 2.
        if price > peak {
            (peak, peak_at) = (price, now);
        }
        if let Some(gain) = settings.break_even.filter(|_| !is_moonbag)
            && break_even_armed.is_none()
            && peak * HUNDRED >= up(gain)
        {
            met.count_if(peak * HUNDRED == up(gain), "a break-even armed exactly");
            break_even_armed = Some(position);
        }
        if is_trailing
            && trail_armed.is_none()
            && peak > entry
            && peak * HUNDRED >= up(settings.trailing_activation)
        {
            let exactly = peak * HUNDRED == up(settings.trailing_activation);
            met.count_if(exactly, "a trail armed exactly");
            trail_armed = Some(position);
        }
        // 3.
        if observed <= stop {
            met.count_if(observed == stop, "exactly on a stop");
            return (position, StopLoss, stop);
        }
        // 4.
        if let Some(target) = target
            && observed >= up(target)
        {
            met.count_if(observed == up(target), "exactly on a target");
            return (position, TakeProfit, up(target));
        }
        // 5.
        if let Some(armed) = break_even_armed
            && price <= entry
        {
            met.count_if(price == entry, "exactly on the entry price");
            met.count_if(
                armed + 1 == position,
                "a break-even at the price after its arming",
            );
            return (position, BreakEven, entry * HUNDRED);
        }
        // 6.
        let trail = peak * (HUNDRED - i128::from(settings.trailing_stop));
        if let Some(armed) = trail_armed
            && observed <= trail
        {
            met.count_if(observed == trail, "exactly on a trail");
            met.count_if(
                armed + 1 == position,
                "a trail at the price after its arming",
            );
            return (position, TrailingStop, trail);
        }
        // 7.
        if let Some(micros) = settings.stagnation_micros.filter(|_| !is_moonbag)
            && now - peak_at >= micros
        {
            met.count_if(now - peak_at == micros, "exactly at the stagnation");
            return (position, Stagnation, observed);
        }
    }
    let last = case.prices.len() - 1;
    (last, EndOfData, i128::from(case.prices[last]) * HUNDRED)
}

/// Every end, found among first touches.
fn touched(case: &Case, levels: &Levels, touches: &Touches, parts: &[Part]) -> Vec<Sale> {
    let mut sales: Vec<Sale> = Vec::new();
    for (number, part) in (1..).zip(parts) {
        let slots = levels.slots(part);
        let of_part = touches
            .all
            .iter()
            .filter(|touch| slots.contains(&touch.slot));
        let first = of_part.min_by_key(|touch| (touch.position, touch.reason));
        let first = first.unwrap_or_else(|| unreachable!("{part:?} never ends: {:?}", case.prices));
        let end = (first.position, first.reason, first.level);
        match sales
            .iter_mut()
            .find(|sale| (sale.position, sale.reason, sale.level) == end)
        {
            Some(sale) => sale.share += part.share,
            None => sales.push(Sale {
                part: number,
                share: part.share,
                position: first.position,
                reason: first.reason,
                level: first.level,
            }),
        }
    }
    sales
}

#[test]
fn walks_and_first_touches_equal_the_plain_loop() {
    let (mut random, mut met) = (Random(1), Met::default());
    let mut touches = Touches::default();
    let mut compared = 0;
    for number in 0..PATHS {
        let case = Case::random(&mut random);
        let mut levels = Levels::default();
        // Few sets of rules are over sooner than many.
        let several = &case.all[..random.between(1, SETTINGS_FOR_EACH as i64) as usize];
        for part in several.iter().flat_map(ExitSettings::parts) {
            levels.add(&part);
        }
        let (timestamps, prices) = (&case.timestamps, &case.prices);
        let at = case.signal_timestamp;
        // Without extremes, and with those of blocks of 1 to 8 prices.
        let extremes = Extremes::of_blocks(prices, number as u32 / 2 % 4);
        let extremes = (number % 2 == 1).then_some(&extremes);
        first_touches(&case.path(), extremes, &levels, &mut touches);
        let mut slots: Vec<usize> = touches.all.iter().map(|touch| touch.slot).collect();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), touches.all.len(), "a slot touched twice");
        assert!(slots.iter().all(|slot| *slot < levels.slot_count()));
        for settings in &case.all {
            let expected = plain(&case, settings, &mut met);
            let parts = settings.parts();
            let describe = || {
                let path = timestamps.iter().map(|t| t - at).zip(prices);
                format!(
                    "path {number}: {settings:?}\n{:?}",
                    path.collect::<Vec<_>>()
                )
            };
            assert_eq!(walk(&case.path(), &parts), expected, "{}", describe());
            if several.contains(settings) {
                let found = touched(&case, &levels, &touches, &parts);
                assert_eq!(found, expected, "first touches of {}", describe());
            }
            assert_eq!(
                expected.iter().map(|sale| sale.share).sum::<i64>(),
                1_000_000
            );
            compared += 1;
        }
    }
    assert!(compared >= 100_000);
    for kind in [
        "time_limit",
        "stop_loss",
        "take_profit",
        "break_even",
        "trailing_stop",
        "stagnation",
        "end_of_data",
        "moonbag time_limit",
        "moonbag stop_loss",
        "moonbag end_of_data",
        "exactly at the hold limit",
        "exactly at the stagnation",
        "exactly on a stop",
        "exactly on a target",
        "exactly on the entry price",
        "exactly on a trail",
        "a break-even armed exactly",
        "a trail armed exactly",
        "a break-even at the price after its arming",
        "a trail at the price after its arming",
        "a gap through several steps",
        "two levels of one rule at one price",
        "parts that end by one touch",
        "a moonbag that ends with others",
        "a moonbag whose rule comes before that of a part at one price",
        "shares leave nothing over",
        "a moonbag of 0",
        "a moonbag of 100",
    ] {
        let times = met.0.get(kind).copied().unwrap_or(0);
        assert!(times >= 300, "{kind}: met {times} times of {:#?}", met.0);
    }
    let unnamed: Vec<_> = met
        .0
        .keys()
        .filter(|kind| kind.starts_with("moonbag b"))
        .collect();
    assert!(
        unnamed.is_empty(),
        "a moonbag ends by its own rules alone: {unnamed:?}"
    );
}

#[test]
fn the_laws_of_parts_hold() {
    let mut random = Random(2);
    let mut met = Met::default();
    for _ in 0..PATHS {
        let case = Case::random(&mut random);
        let (path, settings) = (case.path(), &case.all[0]);
        let parts = settings.parts();
        let sales = walk(&path, &parts);

        // Parts with the same rules are one.
        let share = random.between(1, 999_999);
        let part = |share: i64| Part {
            share,
            rules: parts[0].rules.clone(),
        };
        let whole = walk(&path, &[part(1_000_000)]);
        assert_eq!(whole.len(), 1);
        assert_eq!(walk(&path, &[part(share), part(1_000_000 - share)]), whole);

        // A ladder whose gains are never reached is none, nor is a target that is not.
        let plain = ExitSettings {
            ladder: None,
            take_profit: i64::MAX,
            ..settings.clone()
        };
        let highest = case.prices[case.entry..].iter().max().copied().unwrap_or(0);
        let beyond = |gain: i64| {
            let level = i128::from(case.prices[case.entry]) * (HUNDRED + i128::from(gain));
            i128::from(highest) * HUNDRED < level
        };
        let ladder = settings.ladder.as_ref();
        if ladder.is_some_and(|ladder| beyond(ladder.steps()[0].gain)) {
            let alike = |sales: Vec<Sale>| -> Vec<(i64, usize, ExitReason, i128)> {
                let fields = |sale: &Sale| (sale.share, sale.position, sale.reason, sale.level);
                sales.iter().map(fields).collect()
            };
            assert_eq!(alike(sales.clone()), alike(walk(&path, &plain.parts())));
            met.count("a ladder that is never reached");
        }

        // Neither prices before the entry nor after the last end matter.
        let last = sales.iter().map(|sale| sale.position).max().unwrap_or(0);
        if sales
            .iter()
            .all(|sale| sale.reason != ExitReason::EndOfData)
        {
            let mut other = case.prices.clone();
            for (position, price) in other.iter_mut().enumerate() {
                if position < case.entry || position > last {
                    *price = random.between(0, 1_000);
                }
            }
            let changed = Path {
                prices: &other,
                ..path
            };
            assert_eq!(walk(&changed, &parts), sales);
            let cut = Path {
                timestamps: &case.timestamps[..=last],
                prices: &case.prices[..=last],
                ..path
            };
            assert_eq!(walk(&cut, &parts), sales);
            met.count("prices that do not matter");
        }

        // The unit of prices changes nothing but prices.
        if case.prices.iter().all(|price| *price < 1 << 55) {
            let scaled: Vec<i64> = case.prices.iter().map(|price| price * 100).collect();
            let scaled = Path {
                prices: &scaled,
                ..path
            };
            let mut expected = sales.clone();
            expected.iter_mut().for_each(|sale| sale.level *= 100);
            assert_eq!(walk(&scaled, &parts), expected);
            met.count("a unit of prices");
        }

        // No fill is better than the conservative one is, nor worse than either.
        for sale in &sales {
            let fill = |model| sale.fill(case.prices[sale.position], model);
            let (level, observed) = (fill(FillModel::Level), fill(FillModel::Observed));
            assert_eq!(fill(FillModel::Conservative), level.min(observed));
        }
    }
    for (kind, times) in &met.0 {
        assert!(*times >= 1_000, "{kind}: {times}");
    }
    assert_eq!(met.0.len(), 3);
}

#[test]
fn levels_of_zero_percent_are_touched_at_once() {
    let timestamps = vec![0, 1, 2, 3];
    for prices in [[5, 5, 6, 5], [5, 4, 5, 6], [5, 6, 7, 7]] {
        let mut all = Vec::new();
        for (stop, target, trail) in [(0, 0, 0), (0, 5, 0), (10, 0, 0), (500_000, 900_000, 0)] {
            let plain = ExitSettings::new(ExitStrategy::Hybrid, stop, target, trail, 3);
            let break_even = ExitSettings {
                break_even: Some(0),
                ..plain.clone()
            };
            let stagnant = ExitSettings {
                stagnation_micros: Some(0),
                ..plain.clone()
            };
            all.extend([plain, break_even, stagnant]);
        }
        let case = Case {
            timestamps: timestamps.clone(),
            prices: prices.to_vec(),
            entry: 0,
            signal_timestamp: 0,
            all,
        };
        let mut levels = Levels::default();
        let parts: Vec<_> = case.all.iter().map(ExitSettings::parts).collect();
        parts.iter().flatten().for_each(|part| levels.add(part));
        let mut touches = Touches::default();
        first_touches(&case.path(), None, &levels, &mut touches);
        for (settings, parts) in case.all.iter().zip(&parts) {
            let expected = plain(&case, settings, &mut Met::default());
            assert_eq!(
                walk(&case.path(), parts),
                expected,
                "{settings:?}: {prices:?}"
            );
            let found = touched(&case, &levels, &touches, parts);
            assert_eq!(found, expected, "{settings:?}: {prices:?}");
        }
    }
}
