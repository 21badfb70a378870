//! The kernel: walk a token's prices from the entry on until a rule ends each part of a position.
//!
//! Prices are integers of the token's scale and ascend in time. Each level is turned into the
//! integer price that crosses it, so that the walk compares integers only; the exact level comes
//! back for the arithmetic that follows. At each price, in this order: the time limit, a new peak,
//! the stop loss, the take profit, the break-even, the trailing stop, the stagnation.

use super::rule::{Part, Rule, Sale};
use super::words::{ExitReason, HUNDRED_PERCENT, level, price_above, price_below};

/// Prices between two looks at the clock.
const BLOCK: usize = 16;

/// The prices of a token from the entry of one signal on; the price at `entry` exists and is not 0.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    pub timestamps: &'a [i64],
    pub prices: &'a [i64],
    pub entry: usize,
    pub signal_timestamp: i64,
}

/// The sales of a position, by part. This is what the exit rules mean.
pub fn walk(path: &Path<'_>, parts: &[Part]) -> Vec<Sale> {
    let mut sales: Vec<Sale> = Vec::with_capacity(parts.len());
    for (number, part) in (1..).zip(parts) {
        let end = path.end(number, part);
        let is_alike = |sale: &&mut Sale| {
            (sale.position, sale.reason, sale.level) == (end.position, end.reason, end.level)
        };
        match sales.iter_mut().find(is_alike) {
            Some(sale) => sale.share += end.share,
            None => sales.push(end),
        }
    }
    sales
}

impl Path<'_> {
    /// The end of one part, the one of this number.
    pub fn end(&self, number: u8, part: &Part) -> Sale {
        let ended = |position, reason, level| Sale {
            part: number,
            share: part.share,
            position,
            reason,
            level,
        };
        let mut watch = Watch::new(self, &part.rules);
        // What a peak moves are the last of the rules.
        let fixed = part
            .rules
            .partition_point(|rule| *rule < Rule::BreakEven(i64::MIN));
        let (fixed, moved) = part.rules.split_at(fixed);
        let fixed = watch.quieted(Quiet::ENDLESS, fixed);
        let mut quiet = watch.quieted(fixed, moved);
        let mut ceiling = watch.ceiling(&quiet);
        let blocks = self.timestamps[self.entry..].chunks(BLOCK);
        let blocks = blocks.zip(self.prices[self.entry..].chunks(BLOCK));
        for (block, (timestamps, prices)) in blocks.enumerate() {
            // Peaks put the clock off and never forward: in a block that ends before it, prices alone
            // are looked at.
            let is_early = timestamps.last().is_some_and(|last| *last < quiet.until);
            for (place, price) in prices.iter().enumerate() {
                let price = *price;
                let is_quiet = price > quiet.fall && price < ceiling;
                if is_quiet && (is_early || timestamps[place] < quiet.until) {
                    continue;
                }
                let now = timestamps[place];
                if price > watch.peak {
                    (watch.peak, watch.peak_timestamp) = (price, now);
                    quiet = watch.quieted(fixed, moved);
                    ceiling = watch.ceiling(&quiet);
                    if now < quiet.until && price > quiet.fall && price < quiet.rise {
                        continue;
                    }
                }
                if let Some((reason, level)) = watch.first_crossed(now, price) {
                    return ended(self.entry + block * BLOCK + place, reason, level);
                }
            }
        }
        let last = self.prices.len() - 1;
        ended(
            last,
            ExitReason::EndOfData,
            level(self.prices[last], HUNDRED_PERCENT),
        )
    }
}

/// What the rules of a part wait for.
#[derive(Clone, Copy)]
struct Watch<'a> {
    rules: &'a [Rule],
    signal_timestamp: i64,
    entry_price: i64,
    peak: i64,
    /// When the peak was seen, at first the entry.
    peak_timestamp: i64,
}

/// As long as the peak stands, no rule is crossed before this instant between these prices.
#[derive(Clone, Copy)]
struct Quiet {
    until: i64,
    fall: i64,
    rise: i64,
}

impl Quiet {
    /// That of no rules.
    const ENDLESS: Self = Self {
        until: i64::MAX,
        fall: -1,
        rise: i64::MAX,
    };
}

impl<'a> Watch<'a> {
    fn new(path: &Path<'_>, rules: &'a [Rule]) -> Self {
        Self {
            rules,
            signal_timestamp: path.signal_timestamp,
            entry_price: path.prices[path.entry],
            peak: path.prices[path.entry],
            peak_timestamp: path.timestamps[path.entry],
        }
    }

    /// A quiet that these rules may end, too.
    #[inline]
    fn quieted(&self, quiet: Quiet, rules: &[Rule]) -> Quiet {
        rules
            .iter()
            .fold(quiet, |quiet, rule| self.shorten(quiet, rule))
    }

    /// The least price above the peak, or that ends the quiet.
    #[inline]
    fn ceiling(&self, quiet: &Quiet) -> i64 {
        quiet.rise.min(self.peak.saturating_add(1))
    }

    /// A quiet that this rule may end, too.
    #[inline]
    fn shorten(&self, mut quiet: Quiet, rule: &Rule) -> Quiet {
        match rule {
            Rule::TimeLimit(_) | Rule::Stagnation(_) => {
                quiet.until = quiet.until.min(self.instant_of(rule));
            }
            Rule::TakeProfit(gain) => {
                quiet.rise = quiet.rise.min(price_above(self.entry_price, *gain));
            }
            _ => quiet.fall = quiet.fall.max(self.fall_of(rule)),
        }
        quiet
    }

    /// When the clock ends a part by this rule, unless a peak puts it off.
    fn instant_of(&self, rule: &Rule) -> i64 {
        match rule {
            Rule::TimeLimit(micros) => self.signal_timestamp.saturating_add(*micros),
            Rule::Stagnation(micros) => self.peak_timestamp.saturating_add(*micros),
            _ => i64::MAX,
        }
    }

    /// The highest price that has fallen to this rule's level, -1 where it is not armed.
    fn fall_of(&self, rule: &Rule) -> i64 {
        let has_gained = |gain: i64| self.peak >= price_above(self.entry_price, gain);
        match rule {
            Rule::StopLoss(percent) => price_below(self.entry_price, *percent),
            Rule::BreakEven(gain) if has_gained(*gain) => self.entry_price,
            Rule::TrailingStop {
                activation,
                percent,
            } if self.peak > self.entry_price && (*activation == 0 || has_gained(*activation)) => {
                price_below(self.peak, *percent)
            }
            _ => -1,
        }
    }

    /// The first rule in its turn that this price at this instant crosses, and the exact level.
    #[cold]
    fn first_crossed(&self, now: i64, price: i64) -> Option<(ExitReason, i128)> {
        let crossed = |rule: &Rule| Some((rule.reason(), self.crossed(rule, now, price)?));
        self.rules.iter().find_map(crossed)
    }

    /// The exact level, if this price at this instant crosses it.
    fn crossed(&self, rule: &Rule, now: i64, price: i64) -> Option<i128> {
        let (is_crossed, level) = match rule {
            Rule::TimeLimit(_) | Rule::Stagnation(_) => {
                (now >= self.instant_of(rule), level(price, HUNDRED_PERCENT))
            }
            Rule::TakeProfit(gain) => (
                price >= price_above(self.entry_price, *gain),
                level(self.entry_price, HUNDRED_PERCENT.saturating_add(*gain)),
            ),
            Rule::StopLoss(percent) => (
                price <= self.fall_of(rule),
                level(self.entry_price, HUNDRED_PERCENT - percent),
            ),
            Rule::BreakEven(_) => (
                price <= self.fall_of(rule),
                level(self.entry_price, HUNDRED_PERCENT),
            ),
            Rule::TrailingStop { percent, .. } => (
                price <= self.fall_of(rule),
                level(self.peak, HUNDRED_PERCENT - percent),
            ),
        };
        is_crossed.then_some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::ExitSettings;
    use super::super::words::{ExitStrategy, FillModel};
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn sales(prices: &[i64], settings: &ExitSettings) -> Vec<Sale> {
        let timestamps: Vec<i64> = (0..).map(|i| i * MINUTE).take(prices.len()).collect();
        let path = Path {
            timestamps: &timestamps,
            prices,
            entry: 0,
            signal_timestamp: 0,
        };
        walk(&path, &settings.parts())
    }

    fn settings(strategy: ExitStrategy) -> ExitSettings {
        ExitSettings::new(strategy, 150_000, 500_000, 100_000, 5 * MINUTE)
    }

    fn ends(prices: &[i64], strategy: ExitStrategy) -> (usize, ExitReason) {
        let sales = sales(prices, &settings(strategy));
        assert_eq!(sales.len(), 1);
        (sales[0].position, sales[0].reason)
    }

    #[test]
    fn levels_are_crossed_where_they_are_touched() {
        use ExitReason::{EndOfData, StopLoss, TakeProfit, TimeLimit};
        use ExitStrategy::{FixedTargets, Hybrid, TimeBased, TrailingStop};
        assert_eq!(ends(&[100, 86, 85], TimeBased), (2, StopLoss));
        assert_eq!(ends(&[100, 149, 150], FixedTargets), (2, TakeProfit));
        assert_eq!(ends(&[100, 149, 150], Hybrid), (2, TakeProfit));
        assert_eq!(
            ends(&[100, 150, 136, 135], TrailingStop),
            (3, ExitReason::TrailingStop)
        );
        assert_eq!(ends(&[100, 150], TrailingStop), (1, EndOfData));
        // A peak at the entry price arms no trail.
        assert_eq!(ends(&[100, 100, 89], TrailingStop), (2, EndOfData));
        // The limit comes before every level.
        assert_eq!(ends(&[100, 100, 100, 100, 100, 1], Hybrid), (5, TimeLimit));
        assert_eq!(ends(&[100, 0], Hybrid), (1, StopLoss));
    }

    #[test]
    fn gaps_fill_by_the_model() {
        let fills = |observed: i64| {
            let sale = sales(&[100, observed], &settings(ExitStrategy::Hybrid))[0];
            FillModel::NAMES.map(|(_, model)| sale.fill(observed, model))
        };
        assert_eq!(fills(40), [85_000_000, 40_000_000, 40_000_000]);
        assert_eq!(fills(200), [150_000_000, 200_000_000, 150_000_000]);
    }

    #[test]
    fn parts_end_by_themselves_and_together() {
        let mut ladder = settings(ExitStrategy::Hybrid);
        ladder.ladder = "50@10, 25@20".parse().ok();
        ladder.moonbag = Some(50_000);
        ladder.moonbag_max_hold_micros = Some(60 * MINUTE);
        // A gap through both steps, at their levels; then the trail of the rest; the moonbag rides.
        let found = sales(&[100, 130, 117, 90], &ladder);
        let found: Vec<_> = found
            .iter()
            .map(|sale| {
                (
                    sale.part,
                    sale.share,
                    sale.position,
                    sale.reason,
                    sale.level,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (1, 500_000, 1, ExitReason::TakeProfit, 110_000_000),
                (2, 250_000, 1, ExitReason::TakeProfit, 120_000_000),
                (3, 200_000, 2, ExitReason::TrailingStop, 117_000_000),
                (4, 50_000, 3, ExitReason::EndOfData, 90_000_000),
            ]
        );
        // One stop for all: one sale, of the first part's number.
        let found = sales(&[100, 105, 80], &ladder);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].part, found[0].share), (1, 1_000_000));
    }
}
