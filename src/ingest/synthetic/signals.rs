//! The signals of one token: which wallets call it, when, and how the factors looked then.

use super::draws::Draws;
use super::paths::Path;
use super::tokens::{Kind, Token, Wallet, draw_wallet};
use super::{MINUTE, SECOND};

/// A call to buy.
#[derive(Debug, Clone)]
pub struct Signal {
    pub id: u128,
    pub timestamp: i64,
    /// Position in the list of wallets.
    pub wallet: usize,
    /// Hundredths of a point, 0–10,000.
    pub score: i64,
    /// Ten-thousandths, 0–10,000, in the order of the weights.
    pub factors: [i64; 5],
}

/// The default weights of the five factors, percent.
const WEIGHTS: [i64; 5] = [30, 25, 20, 15, 10];

/// The token's signals, in the order in which they were drawn.
pub fn signals(draws: &mut Draws, token: &Token, path: &Path, wallets: &[Wallet]) -> Vec<Signal> {
    let temper = Temper::of(draws, token);
    (0..token.signal_count)
        .map(|_| {
            let wallet = draw_wallet(draws, wallets);
            let skill = wallets.get(wallet).map_or(0.5, |wallet| wallet.skill);
            let timestamp = choose_time(draws, token, path, skill);
            let factors = temper.factors(draws, path, timestamp, skill);
            Signal {
                id: draws.uuid(),
                timestamp,
                wallet,
                score: score(factors),
                factors,
            }
        })
        .collect()
}

/// `100 × Σ factor × weight`, rounded half to even at the second digit.
fn score(factors: [i64; 5]) -> i64 {
    let sum: i64 = factors.iter().zip(WEIGHTS).map(|(f, w)| f * w).sum();
    let (whole, rest) = (sum / 100, sum % 100);
    whole + i64::from(rest > 50 || (rest == 50 && whole % 2 == 1))
}

/// A skilled wallet sees two moments and tends to take the better; an unskilled one, the worse.
fn choose_time(draws: &mut Draws, token: &Token, path: &Path, skill: f64) -> i64 {
    let (first, second) = (draw_time(draws, token, path), draw_time(draws, token, path));
    let takes_better = draws.chance(0.2 + 0.6 * skill);
    if (outlook(path, first) >= outlook(path, second)) == takes_better {
        first
    } else {
        second
    }
}

fn draw_time(draws: &mut Draws, token: &Token, path: &Path) -> i64 {
    let (Some(&first), Some(&last)) = (path.timestamps.first(), path.timestamps.last()) else {
        return token.birth + draws.micros(token.life_minutes * MINUTE);
    };
    // Copied trades come a little after the price that made the wallet act.
    let lag = draws.micros(55 * SECOND);
    let early = if token.born_before { 0.0 } else { 0.3 };
    let occasion = draws.uniform();
    let latest = last + lag;
    if occasion < 0.006 && token.life_minutes > 60 && token.character.kind != Kind::Established {
        // Called when it was already dead.
        return last + MINUTE + draws.micros(MINUTE);
    }
    if occasion < early {
        let skew = draws.uniform();
        let minutes = 6.0 + skew * skew * 120.0;
        return (first + (minutes * MINUTE as f64) as i64 + lag).min(latest);
    }
    if occasion < early + 0.3 && !path.pumps.is_empty() {
        let begins = path.pumps[draws.below(path.pumps.len())];
        let seen = (begins + 6 + draws.below(80)).min(path.prices.len() - 1);
        return path.timestamps[seen] + lag;
    }
    first + draws.micros(last - first + 1) + lag
}

/// How the price did over the next hour or so, on average.
fn outlook(path: &Path, timestamp: i64) -> f64 {
    let Some(at) = position_at(path, timestamp) else {
        return 0.0;
    };
    let price = path.prices[at].max(1) as f64;
    let later = [8, 20, 45].map(|ahead| {
        let position = (at + ahead).min(path.prices.len() - 1);
        path.prices[position] as f64 / price
    });
    (later[0] + later[1] + later[2]) / 3.0
}

/// The last price at or before `timestamp`.
fn position_at(path: &Path, timestamp: i64) -> Option<usize> {
    path.timestamps
        .partition_point(|&at| at <= timestamp)
        .checked_sub(1)
}

/// What the token factors see of a token, before the noise of the moment.
struct Temper {
    token_metrics: f64,
    liquidity: f64,
    holder_distribution: f64,
}

impl Temper {
    fn of(draws: &mut Draws, token: &Token) -> Self {
        let quality = token.character.quality + 0.07 * draws.normal();
        Temper {
            token_metrics: quality + 0.07 * draws.normal(),
            liquidity: quality + 0.09 * draws.normal(),
            holder_distribution: quality + 0.1 * draws.normal(),
        }
    }

    fn factors(&self, draws: &mut Draws, path: &Path, timestamp: i64, skill: f64) -> [i64; 5] {
        let mut factor = |mean: f64, spread: f64| {
            let value = (mean + spread * draws.normal()).clamp(0.02, 1.0);
            (value * 10_000.0 + 0.5) as i64
        };
        [
            factor(0.325 + 0.72 * skill, 0.06),
            factor(self.token_metrics, 0.06),
            factor(self.liquidity, 0.06),
            factor(self.holder_distribution, 0.05),
            factor(momentum(path, timestamp), 0.1),
        ]
    }
}

/// The move of the last quarter of an hour, squeezed into 0–1 with 0.55 for no move.
fn momentum(path: &Path, timestamp: i64) -> f64 {
    let Some(at) = position_at(path, timestamp) else {
        return 0.5;
    };
    let before = path.prices[at.saturating_sub(15)].max(1) as f64;
    let change = path.prices[at] as f64 / before - 1.0;
    0.55 + 0.45 * change / (change.abs() + 0.2)
}
