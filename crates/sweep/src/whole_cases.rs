//! Whole backtests against a plain reading of the rules, signal by signal, over every parameter: grids
//! of random mixtures, on small histories that seek the edges. Prices of all tokens stand at the same
//! few instants around a midnight, so that entries and exits fall together.

use std::collections::BTreeMap;

use hindsight_udfs::decimal::divide_half_even;
use hindsight_udfs::exits::walk::{Path, walk};
use hindsight_udfs::exits::words::{FillModel, HUNDRED_PERCENT};
use hindsight_udfs::metrics::calmar_ratio::calmar_ratio;
use hindsight_udfs::metrics::moments::Moments;
use hindsight_udfs::metrics::sharpe_ratio::sharpe_ratio;
use hindsight_udfs::metrics::sortino_ratio::sortino_ratio;
use hindsight_udfs::metrics::sqn::sqn;
use hindsight_udfs::portfolio::admission::Limits;
use hindsight_udfs::scoring::position_size::position_size;
use hindsight_udfs::scoring::rescore::rescore;
use hindsight_udfs::trades::trade_pnl::trade_pnl;

use super::backtest::{Backtest, DaysOfSides, backtest};
use super::combination::Combination;
use super::control::Control;
use super::days::{DAY_MICROS, DayPnl, Days};
use super::exit_cases::Random;
use super::metrics::Metrics;
use super::whole_histories::{Case, VAST, combinations};

const HISTORIES: usize = 1_700;
const COMBINATIONS: usize = 60;
/// Of so many, one is run alone, too.
const ALONE: usize = 5;
/// SOL × 10^-17, shares × 10^-6.
const LAMPORT: i128 = 100_000_000_000_000;

/// What was met, each kind counted: none may be vacuous.
type Met = BTreeMap<&'static str, usize>;

fn count(met: &mut Met, kind: &'static str, is_met: bool) {
    *met.entry(kind).or_default() += usize::from(is_met);
}

/// A trade; instants in microseconds, amounts in lamports.
#[derive(Debug, Clone, Copy)]
struct Trade {
    end: i64,
    entry: Option<i64>,
    pnl: i128,
    conservative: i128,
    /// × 10^-6.
    share: i64,
}

/// A position that is asked for.
struct Position {
    signal: usize,
    token: usize,
    entry: i64,
    /// SOL × 10^-17.
    size: i128,
    trades: Vec<Trade>,
}

impl Position {
    fn end(&self) -> i64 {
        self.trades
            .iter()
            .map(|t| t.end)
            .max()
            .unwrap_or(self.entry)
    }
}

/// What refuses a position, looked up afresh among all that were admitted.
fn refusal(limits: &Limits, asked: &Position, admitted: &[Position], met: &mut Met) -> bool {
    let entry = asked.entry;
    let day = entry.div_euclid(DAY_MICROS);
    let ends_here = admitted.iter().any(|other| other.end() == entry);
    count(met, "an entry at the end of another", ends_here);
    let open = |other: &&Position| other.end() > entry;
    let in_token = |other: &&Position| other.token == asked.token;
    let is_full = |limit: Option<i64>, count: usize| limit.is_some_and(|l| count as i64 >= l);
    if is_full(
        limits.max_open_positions,
        admitted.iter().filter(open).count(),
    ) {
        count(met, "max_open_positions", true);
        return true;
    }
    let of_token = admitted.iter().filter(in_token);
    if is_full(
        limits.max_positions_per_token,
        of_token.clone().filter(open).count(),
    ) {
        count(met, "max_positions_per_token", true);
        return true;
    }
    if let Some(cooldown) = limits.token_cooldown {
        let mut of_token = of_token.clone();
        let met_it = of_token.clone().any(|p| entry - p.end() == cooldown);
        count(met, "a cooldown that is just over", met_it);
        if of_token.any(|p| p.end() > entry || entry - p.end() < cooldown) {
            count(met, "token_cooldown", true);
            return true;
        }
    }
    let today = |p: &&Position| p.entry.div_euclid(DAY_MICROS) == day;
    if is_full(
        limits.max_trades_per_day,
        admitted.iter().filter(today).count(),
    ) {
        count(met, "max_trades_per_day", true);
        return true;
    }
    let trades = || {
        admitted
            .iter()
            .flat_map(|p| p.trades.iter().map(move |t| (p, t)))
    };
    if let Some(loss) = limits.max_daily_loss {
        let ended = trades().filter(|(_, t)| t.end <= entry);
        let earned: i128 = ended
            .filter(|(_, t)| t.end.div_euclid(DAY_MICROS) == day)
            .map(|(_, t)| t.pnl)
            .sum();
        count(met, "a daily loss met to the lamport", earned == -loss);
        if earned <= -loss {
            count(met, "max_daily_loss", true);
            return true;
        }
    }
    if let Some(balance) = limits.starting_balance {
        let mut free = balance * LAMPORT;
        for (position, trade) in trades() {
            match trade.end <= entry {
                true => free += trade.pnl * LAMPORT,
                false => free -= position.size * i128::from(trade.share),
            }
        }
        let size = asked.size * 1_000_000;
        count(met, "a balance met to the last unit", size == free);
        if size > free {
            count(met, "starting_balance", true);
            return true;
        }
    }
    false
}

fn metrics(trades: &[Trade], days: Days) -> (Metrics, Vec<DayPnl>) {
    let rounded = |lamports: i128| divide_half_even(lamports, 100_000) * 100_000;
    let n = trades.len() as i128;
    let won: Vec<i128> = trades.iter().map(|t| t.pnl).filter(|p| *p > 0).collect();
    let lost: Vec<i128> = trades.iter().map(|t| -t.pnl).filter(|p| *p >= 0).collect();
    let (profit, loss): (i128, i128) = (won.iter().sum(), lost.iter().sum());
    let average = |sum: i128, count: usize| match count {
        0 => 0,
        count => divide_half_even(sum, count as i128 * 100_000) * 100_000,
    };
    let (mut sum, mut peak, mut fall, mut run, mut longest) = (0, 0, 0, 0, 0);
    let mut of_trades = Moments::default();
    for trade in trades {
        of_trades.add(trade.pnl);
        sum += trade.pnl;
        peak = peak.max(sum);
        fall = fall.max(peak - sum);
        run = if trade.pnl > 0 { 0 } else { run + 1 };
        longest = longest.max(run);
    }
    let mut by_day = vec![(0_i128, 0_i64); days.count.max(1) as usize];
    for trade in trades {
        let day = trade.end.div_euclid(DAY_MICROS) - days.first;
        let of_day = &mut by_day[day.clamp(0, days.count - 1) as usize];
        *of_day = (of_day.0 + trade.pnl, of_day.1 + 1);
    }
    let mut of_days = Moments::default();
    by_day.iter().for_each(|(pnl, _)| of_days.add(*pnl));
    let kept = (days.first..).zip(&by_day);
    let kept = kept.filter(|(_, (_, trades))| *trades > 0);
    let kept = kept.map(|(day, (pnl, trades))| DayPnl {
        day,
        pnl: *pnl,
        trades: *trades,
    });
    let held: Vec<i64> = trades
        .iter()
        .filter_map(|t| Some(t.end - t.entry?))
        .collect();
    let hold = held.iter().map(|held| i128::from(*held)).sum::<i128>();
    let max_drawdown = rounded(fall);
    let metrics = Metrics {
        total_trades: n as i64,
        winning_trades: won.len() as i64,
        losing_trades: lost.len() as i64,
        total_pnl: rounded(sum),
        gross_profit: rounded(profit),
        gross_loss: rounded(loss),
        average_win: average(profit, won.len()),
        average_loss: average(loss, lost.len()),
        max_drawdown,
        max_consecutive_losses: longest,
        win_rate: match n {
            0 => 0,
            n => divide_half_even(won.len() as i128 * 10_000, n),
        },
        profit_factor: (rounded(loss) != 0)
            .then(|| divide_half_even(rounded(profit) * 100, rounded(loss))),
        expectancy: match n {
            0 => 0,
            n => divide_half_even(rounded(sum), n * 100_000) * 100_000,
        },
        sharpe_ratio: sharpe_ratio(&of_days).unwrap(),
        sortino_ratio: sortino_ratio(&of_days).unwrap(),
        calmar_ratio: calmar_ratio(sum, days.count, max_drawdown).unwrap(),
        sqn: sqn(&of_trades).unwrap(),
        best_trade: trades.iter().map(|t| rounded(t.pnl)).max(),
        worst_trade: trades.iter().map(|t| rounded(t.pnl)).min(),
        average_hold: (!held.is_empty())
            .then(|| divide_half_even(hold, held.len() as i128 * 600_000)),
    };
    (metrics, kept.collect())
}

/// One combination, read from the rules.
fn plain(case: &Case, asked: &Combination, met: &mut Met) -> Backtest {
    let (Some(from), Some(to)) = asked.range else {
        return Backtest::default();
    };
    let days = asked.days();
    let mut result = Backtest::default();
    let parts = asked.exits.parts();
    let mut positions = Vec::new();
    let mut left_out = vec![false; case.signals.len()];
    for (number, signal) in case.signals.iter().enumerate() {
        if signal.timestamp < from || signal.timestamp >= to {
            continue;
        }
        result.total_signals += 1;
        let score = rescore(&signal.factors, &asked.weights);
        count(met, "a score at the threshold", score == asked.threshold);
        if score < asked.threshold {
            continue;
        }
        result.signals_above_threshold += 1;
        let prices = signal.token.and_then(|token| {
            let prices = &case.tokens[token];
            let mut all = prices.timestamps.iter();
            let entry = all.position(|at| *at >= signal.timestamp)?;
            Some((token, prices, entry))
        });
        let delay = |entry: i64| i128::from(entry - signal.timestamp) * 10_000;
        let prices = prices.filter(|(_, prices, entry)| {
            let late = asked
                .max_entry_delay
                .is_some_and(|most| delay(prices.timestamps[*entry]) > most);
            count(met, "an entry that comes too late", late);
            prices.mantissas[*entry] != 0 && !late
        });
        let Some((token, prices, entry)) = prices else {
            result.untradable_signals += 1;
            continue;
        };
        let path = Path {
            timestamps: &prices.timestamps,
            prices: &prices.mantissas,
            entry,
            signal_timestamp: signal.timestamp,
        };
        let size = position_size(score, &asked.sizing).unwrap();
        let stake = i128::from(path.prices[entry]) * i128::from(HUNDRED_PERCENT);
        let trade = |sale: &hindsight_udfs::exits::rule::Sale| {
            let pnl = |model| {
                let gain = sale.fill(path.prices[sale.position], model) - stake;
                let pnl = trade_pnl(size, sale.share, gain, stake, &asked.costs);
                pnl.unwrap().net
            };
            Trade {
                end: path.timestamps[sale.position],
                entry: Some(path.timestamps[entry]),
                pnl: pnl(asked.fill_model),
                conservative: pnl(FillModel::Conservative),
                share: sale.share,
            }
        };
        let trades: Vec<Trade> = walk(&path, &parts).iter().map(trade).collect();
        count(met, "several sales", trades.len() > 1);
        let together = trades
            .iter()
            .enumerate()
            .any(|(place, t)| trades[..place].iter().any(|other| other.end == t.end));
        count(met, "two sales at one instant", together);
        positions.push(Position {
            signal: number,
            token,
            entry: path.timestamps[entry],
            size,
            trades,
        });
    }
    positions.sort_by_key(|p| (p.entry, &case.signals[p.signal].id));
    let mut admitted: Vec<Position> = Vec::new();
    for position in positions {
        match refusal(&asked.limits, &position, &admitted, met) {
            true => result.limited_signals += 1,
            false => admitted.push(position),
        }
    }
    // A training looks at nothing that is still open at its end.
    let is_late = |p: &Position| asked.exits_before.is_some_and(|at| p.end() >= at);
    for position in admitted.iter().filter(|p| is_late(p)) {
        count(met, "a signal that is open when a test starts", true);
        left_out[position.signal] = true;
        result.total_signals -= 1;
        result.signals_above_threshold -= 1;
    }
    admitted.retain(|p| !is_late(p));

    let mut simulated: Vec<Option<i128>> = vec![None; case.signals.len()];
    let mut trades: Vec<(i64, &str, usize, Trade)> = Vec::new();
    for position in &admitted {
        let pnl = position.trades.iter().map(|t| t.pnl).sum();
        simulated[position.signal] = Some(pnl);
        let id = case.signals[position.signal].id.as_str();
        let of_position = position.trades.iter().enumerate();
        trades.extend(of_position.map(|(part, trade)| (trade.end, id, part, *trade)));
    }
    trades.sort_by_key(|(end, id, part, _)| (*end, *id, *part));
    let trades: Vec<Trade> = trades.into_iter().map(|(_, _, _, trade)| trade).collect();
    let conservative: i128 = trades.iter().map(|t| t.conservative).sum();
    result.conservative_pnl = divide_half_even(conservative, 100_000) * 100_000;

    let mut actual = Vec::new();
    for (number, signal) in case.signals.iter().enumerate() {
        if signal.timestamp < from || signal.timestamp >= to || left_out[number] {
            continue;
        }
        let closed = signal.outcomes.iter().filter_map(|o| Some((o.exit?, o)));
        let closed: Vec<_> = closed
            .filter_map(|(exit, o)| Some((exit, o, o.pnl?)))
            .collect();
        let pnl = (!closed.is_empty()).then(|| closed.iter().map(|(_, _, pnl)| pnl).sum::<i128>());
        actual.extend(closed.iter().map(|(exit, outcome, pnl)| {
            let trade = Trade {
                end: *exit,
                entry: outcome.entry,
                pnl: *pnl,
                conservative: 0,
                share: 0,
            };
            (*exit, signal.id.as_str(), *pnl, trade)
        }));
        let traded = !signal.outcomes.is_empty();
        let is_changed = traded != simulated[number].is_some()
            || match (pnl, simulated[number]) {
                (None, None) => false,
                (Some(actual), Some(simulated)) => (actual - simulated).abs() > 1_000_000,
                _ => true,
            };
        result.trades_changed += i64::from(is_changed);
    }
    actual.sort_by_key(|(exit, id, pnl, _)| (*exit, *id, *pnl));
    let actual: Vec<Trade> = actual.into_iter().map(|(_, _, _, trade)| trade).collect();
    let (of_actual, actual_days) = metrics(&actual, days);
    let (of_simulated, simulated_days) = metrics(&trades, days);
    (result.actual, result.simulated) = (of_actual, of_simulated);
    result.days = Some(DaysOfSides {
        actual: actual_days.into(),
        simulated: simulated_days,
    });
    result
}

fn run(case: &Case, asked: &[Combination]) -> Vec<Backtest> {
    let (history, book) = case.history();
    let control = Control::default().keeping_days().leaving_out_actual();
    backtest(&history, &book, asked, &control).unwrap()
}

#[test]
fn every_row_of_a_grid_is_what_the_rules_say() {
    let (mut random, mut met) = (Random(1), Met::new());
    let (mut compared, mut alone) = (0_usize, 0);
    for number in 0..HISTORIES {
        let case = Case::random(&mut random);
        let asked = combinations(&mut random, &case, COMBINATIONS);
        for (asked, found) in asked.iter().zip(run(&case, &asked)) {
            let expected = plain(&case, asked, &mut met);
            // One set of rules by itself goes a way of its own.
            if compared.is_multiple_of(ALONE) {
                let found = run(&case, std::slice::from_ref(asked)).remove(0);
                assert_eq!(found, expected, "history {number}: {asked:#?}\n{case:#?}");
                alone += 1;
            }
            let trades = expected.simulated.total_trades;
            count(&mut met, "trades", trades > 0);
            let is_vast = asked.sizing.base_position == VAST;
            count(&mut met, "64 bits are too few", is_vast && trades > 0);
            assert_eq!(found, expected, "history {number}: {asked:#?}\n{case:#?}");
            compared += 1;
        }
    }
    assert!(compared >= 100_000, "{compared} combinations");
    assert!(alone >= 20_000, "{alone} combinations alone");
    for (kind, times) in &met {
        assert!(*times >= 300, "{kind}: met {times} times of {met:#?}");
    }
    assert_eq!(met.len(), 17, "{met:#?}");
}

#[test]
fn the_laws_of_backtests_hold() {
    let mut random = Random(7);
    let (mut traded, mut limited) = (0, 0);
    for number in 0..400 {
        let case = Case::random(&mut random);
        let asked = combinations(&mut random, &case, 24);
        let found = run(&case, &asked);

        // The unit of prices changes nothing but prices.
        if let Some(scaled) = case.with_prices_times(1_000) {
            assert_eq!(run(&scaled, &asked), found, "history {number}: {case:#?}");
        }
        // A combination alone is the row of the grid; so it is in any order.
        let one = random.between(0, asked.len() as i64 - 1) as usize;
        assert_eq!(run(&case, &asked[one..=one])[0], found[one]);
        let mut reversed: Vec<_> = asked.iter().rev().cloned().collect();
        let mut backward = run(&case, &reversed);
        backward.reverse();
        assert_eq!(backward, found, "history {number}");

        // A limit that is never met changes nothing.
        reversed.reverse();
        reversed
            .iter_mut()
            .for_each(|c| c.limits = Limits::default());
        let unlimited = run(&case, &reversed);
        let never = Limits {
            max_open_positions: Some(1_000),
            max_positions_per_token: Some(1_000),
            max_trades_per_day: Some(1_000),
            max_daily_loss: Some(1 << 80),
            starting_balance: Some(1 << 80),
            ..Limits::default()
        };
        reversed.iter_mut().for_each(|c| c.limits = never);
        assert_eq!(
            run(&case, &reversed),
            unlimited,
            "history {number}: {case:#?}"
        );
        for (limited_row, row) in found.iter().zip(&unlimited) {
            traded += usize::from(row.simulated.total_trades > 0);
            limited += usize::from(limited_row != row);
        }
    }
    assert!(traded > 5_000 && limited > 1_000, "{traded}, {limited}");
}
