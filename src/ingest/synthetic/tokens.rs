//! Who takes part: the tokens with their kinds, lives and share of the signals, and the wallets.

use super::draws::Draws;
use super::{DAY, HOUR, MINUTE};

/// What becomes of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pumped, then emptied by its makers within a minute or two.
    Rug,
    /// One launch pump, then a slide to nothing within hours.
    Flash,
    /// Loses slowly for days.
    Bleeder,
    /// Hovers around its price for days.
    Sideways,
    /// Multiplies by 5 to 50, then gives part of it back.
    Runner,
    /// Trades for weeks.
    Established,
    /// Talked about, never priced.
    Unpriced,
}

/// How tokens of a kind behave; rates and drifts are per minute.
#[derive(Debug, Clone, Copy)]
pub struct Character {
    pub kind: Kind,
    /// Tokens of this kind in 1,000.
    pub share: usize,
    /// Signals that a token of this kind attracts, relative to the others.
    pub appeal: f64,
    pub life_minutes: (f64, f64),
    /// First price in units of 10⁻¹⁰ SOL, and over how many doublings it spreads.
    pub first_price: (f64, usize),
    pub drift: f64,
    pub volatility: f64,
    pub pump_rate: f64,
    pub gap_rate: f64,
    /// Mean of what the token factors see, 0–1.
    pub quality: f64,
}

/// A token of one history.
#[derive(Debug, Clone)]
pub struct Token {
    pub address: String,
    pub character: &'static Character,
    /// First minute of prices, microseconds.
    pub birth: i64,
    pub life_minutes: i64,
    pub signal_count: usize,
    /// Older than the history: its launch is not seen.
    pub born_before: bool,
}

/// A wallet whose trades are copied.
#[derive(Debug, Clone)]
pub struct Wallet {
    pub address: String,
    /// 0: buys what others sell; 1: mostly early and right.
    pub skill: f64,
    /// Running sum of activity, to draw a wallet by.
    cumulative_activity: f64,
}

const TOKENS_IN_180_DAYS: usize = 2_912;
const WALLETS: usize = 120;
/// Every token has at least this much of its life inside the history, if it lives that long.
const SHORTEST_VIEW: i64 = 2 * HOUR;

const CHARACTERS: [Character; 7] = [
    Character {
        kind: Kind::Rug,
        share: 240,
        appeal: 6.0,
        life_minutes: (25.0, 700.0),
        first_price: (280.0, 5),
        drift: 0.0,
        volatility: 0.022,
        pump_rate: 0.008,
        gap_rate: 0.0,
        quality: 0.50,
    },
    Character {
        kind: Kind::Flash,
        share: 340,
        appeal: 10.0,
        life_minutes: (90.0, 2_200.0),
        first_price: (280.0, 6),
        drift: -0.003,
        volatility: 0.02,
        pump_rate: 0.002,
        gap_rate: 0.0002,
        quality: 0.62,
    },
    Character {
        kind: Kind::Bleeder,
        share: 160,
        appeal: 11.0,
        life_minutes: (900.0, 9_000.0),
        first_price: (600.0, 9),
        drift: -0.0005,
        volatility: 0.012,
        pump_rate: 0.0006,
        gap_rate: 0.0003,
        quality: 0.66,
    },
    Character {
        kind: Kind::Sideways,
        share: 90,
        appeal: 16.0,
        life_minutes: (1_500.0, 16_000.0),
        first_price: (1_000.0, 11),
        drift: 0.0,
        volatility: 0.012,
        pump_rate: 0.0006,
        gap_rate: 0.0003,
        quality: 0.73,
    },
    Character {
        kind: Kind::Runner,
        share: 80,
        appeal: 24.0,
        life_minutes: (900.0, 20_000.0),
        first_price: (280.0, 7),
        drift: 0.0014,
        volatility: 0.016,
        pump_rate: 0.0025,
        gap_rate: 0.0001,
        quality: 0.77,
    },
    Character {
        kind: Kind::Established,
        share: 90,
        appeal: 36.0,
        life_minutes: (10_000.0, 119_000.0),
        first_price: (5_000.0, 12),
        drift: 0.0,
        volatility: 0.008,
        pump_rate: 0.0005,
        gap_rate: 0.0001,
        quality: 0.81,
    },
    // Comes on top of the others: none of the 1,000.
    Character {
        kind: Kind::Unpriced,
        share: 0,
        appeal: 2.0,
        life_minutes: (60.0, 600.0),
        first_price: (0.0, 0),
        drift: 0.0,
        volatility: 0.0,
        pump_rate: 0.0,
        gap_rate: 0.0,
        quality: 0.60,
    },
];

/// The tokens of a history from `start` to `end`, ordered by address, with `signal_count` signals
/// shared out among them.
pub fn tokens(draws: &mut Draws, start: i64, end: i64, signal_count: usize) -> Vec<Token> {
    let days = ((end - start) / DAY) as usize;
    let priced = (TOKENS_IN_180_DAYS * days).div_ceil(180);
    let unpriced = days.div_ceil(20);
    let mut characters = characters_in_proportion(priced);
    characters.extend((0..unpriced).map(|_| &CHARACTERS[CHARACTERS.len() - 1]));

    let mut tokens: Vec<Token> = characters
        .into_iter()
        .map(|character| token(draws, character, start, end))
        .collect();
    share_out(draws, &mut tokens, signal_count);
    // A file in the order of the dataset is quicker to load.
    tokens.sort_by(|a, b| a.address.cmp(&b.address));
    tokens
}

/// The copied wallets, the same number however long the history.
pub fn wallets(draws: &mut Draws) -> Vec<Wallet> {
    let mut cumulative_activity = 0.0;
    (0..WALLETS)
        .map(|_| {
            let activity = draws.uniform();
            // A few wallets trade all day, most now and then.
            cumulative_activity += 0.1 + activity * activity * activity;
            Wallet {
                address: draws.address(""),
                skill: (draws.uniform() + draws.uniform() + draws.uniform()) / 3.0,
                cumulative_activity,
            }
        })
        .collect()
}

/// A wallet drawn by its activity.
pub fn draw_wallet(draws: &mut Draws, wallets: &[Wallet]) -> usize {
    let total = wallets.last().map_or(0.0, |last| last.cumulative_activity);
    let at = draws.between(0.0, total);
    wallets
        .partition_point(|wallet| wallet.cumulative_activity <= at)
        .min(wallets.len() - 1)
}

/// Exact shares rather than a draw for each token, so that every seed has as many long lives.
fn characters_in_proportion(count: usize) -> Vec<&'static Character> {
    let mut upto = 0;
    let mut characters = Vec::with_capacity(count);
    for character in &CHARACTERS {
        upto += character.share;
        characters.resize((count * upto).div_ceil(1_000), character);
    }
    characters
}

fn token(draws: &mut Draws, character: &'static Character, start: i64, end: i64) -> Token {
    let (shortest, longest) = character.life_minutes;
    let skew = draws.uniform();
    let life_minutes = (shortest + (longest - shortest) * skew * skew) as i64;
    // Long lives may have begun before the history does; short ones would hardly reach into it.
    let earliest = match character.kind {
        Kind::Established => start + SHORTEST_VIEW - life_minutes * MINUTE,
        _ => start,
    };
    let born = earliest + draws.micros(end - SHORTEST_VIEW - earliest);
    let birth = born.max(start);
    // The last minutes are left free, for what is said of a token right after its last price.
    let died = (born + life_minutes * MINUTE).min(end - 3 * MINUTE);
    Token {
        address: draws.address("demo"),
        character,
        birth,
        life_minutes: (died - birth) / MINUTE,
        signal_count: 0,
        born_before: born < start,
    }
}

/// Gives every token its part of the signals by its appeal; rounding is carried along, so that the
/// parts add up to `signal_count`.
fn share_out(draws: &mut Draws, tokens: &mut [Token], signal_count: usize) {
    let appeals: Vec<f64> = tokens
        .iter()
        .map(|token| token.character.appeal * draws.between(0.2, 1.8))
        .collect();
    let total: f64 = appeals.iter().sum();
    let (mut running, mut given) = (0.0, 0);
    for (token, appeal) in tokens.iter_mut().zip(&appeals) {
        running += appeal;
        let upto = ((running / total * signal_count as f64 + 0.5) as usize).min(signal_count);
        token.signal_count = upto - given;
        given = upto;
    }
    if let Some(last) = tokens.last_mut() {
        last.signal_count += signal_count - given;
    }
}
