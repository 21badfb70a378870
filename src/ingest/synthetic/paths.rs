//! The price path of one token: minute by minute, from its first price to its last.

use super::draws::Draws;
use super::tokens::{Kind, Token};
use super::{MINUTE, SECOND};

/// Below this price, in units of 10⁻¹⁰ SOL, a token is soon given up.
const WORTHLESS: f64 = 20.0;

/// Prices of one token, by time; the three columns are of the same length.
#[derive(Debug, Default)]
pub struct Path {
    pub timestamps: Vec<i64>,
    /// In units of 10⁻¹⁰ SOL.
    pub prices: Vec<i64>,
    /// SOL traded in the last 24 hours, in units of 10⁻⁴.
    pub volumes: Vec<i64>,
    /// Positions at which pumps begin.
    pub pumps: Vec<usize>,
}

/// Walks `token` through its life.
pub fn path(draws: &mut Draws, token: &Token) -> Path {
    if token.character.kind == Kind::Unpriced {
        return Path::default();
    }
    let (base, octaves) = token.character.first_price;
    let price = draws.octaves(base, octaves);
    let offset = draws.micros(59) * SECOND;
    let launch = match token.character.kind {
        _ if token.born_before => Regime::Calm,
        Kind::Rug | Kind::Flash | Kind::Runner => pump(draws),
        _ => Regime::Calm,
    };
    let mut walk = Walk {
        price,
        anchor: price,
        ceiling: price
            * match token.character.kind {
                Kind::Runner => draws.octaves(5.0, 3),
                _ => draws.octaves(1.5, 2),
            },
        peaked: false,
        volume: draws.octaves(5.0, 6),
        reported_volume: 0,
        // Pools of one kind differ in how wildly they move.
        temper: draws.between(0.6, 1.4),
        regime: launch,
        offset,
        rug: Rug::Ahead,
        path: Path::default(),
    };
    walk.run(draws, token);
    walk.path
}

/// What the market does at the moment.
#[derive(Debug, Clone, Copy)]
enum Regime {
    Calm,
    Pump {
        minutes_left: i64,
        drift: f64,
        fade: f64,
    },
    Fade {
        minutes_left: i64,
        drift: f64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rug {
    Ahead,
    Collapsing,
    Done,
    /// Nothing is left in the pool: the source reports a price of 0.
    Emptied,
}

struct Walk {
    price: f64,
    /// What the price returns to, where the kind returns to anything.
    anchor: f64,
    /// Where nobody pumps it any higher.
    ceiling: f64,
    peaked: bool,
    volume: f64,
    reported_volume: i64,
    temper: f64,
    regime: Regime,
    /// When in a minute the source asks for the price.
    offset: i64,
    /// Stays ahead for tokens that are no rugs.
    rug: Rug,
    path: Path,
}

impl Walk {
    fn run(&mut self, draws: &mut Draws, token: &Token) {
        let character = token.character;
        let rug_minute = token.life_minutes - 10 - draws.micros(token.life_minutes / 3 + 1);
        let mut minute = 0;
        while minute < token.life_minutes {
            if character.kind == Kind::Rug && self.rug == Rug::Ahead && minute >= rug_minute {
                self.rug = Rug::Collapsing;
            }
            self.change_regime(draws, token);
            self.print_minute(draws, token, minute);
            minute += 1;
            if self.price < WORTHLESS && self.rug == Rug::Ahead && draws.chance(0.02) {
                break;
            }
            if draws.chance(character.gap_rate) {
                // The source was down or nobody traded; the market moved meanwhile.
                minute += 45 + draws.micros(400);
                self.price *= draws.between(0.7, 1.25);
                self.regime = Regime::Calm;
            }
        }
    }

    fn change_regime(&mut self, draws: &mut Draws, token: &Token) {
        if self.rug != Rug::Ahead {
            self.regime = Regime::Calm;
            return;
        }
        match &mut self.regime {
            Regime::Calm => {
                if !self.peaked && draws.chance(token.character.pump_rate) {
                    self.path.pumps.push(self.path.prices.len());
                    self.regime = pump(draws);
                }
            }
            Regime::Pump { minutes_left, .. } | Regime::Fade { minutes_left, .. }
                if *minutes_left > 0 =>
            {
                *minutes_left -= 1;
            }
            Regime::Pump { drift, fade, .. } => {
                self.regime = Regime::Fade {
                    minutes_left: 5 + draws.micros(30),
                    drift: -*drift * *fade,
                };
            }
            Regime::Fade { .. } => {
                // What a pump has left behind is the new level.
                self.anchor = self.price;
                self.regime = Regime::Calm;
            }
        }
    }

    fn print_minute(&mut self, draws: &mut Draws, token: &Token, minute: i64) {
        let (drift, volatility) = self.drift_and_volatility(draws, token);
        let prints = match self.regime {
            Regime::Pump { .. } => 1 + draws.below(4),
            _ if self.rug == Rug::Collapsing => 2,
            _ => 1,
        };
        for print in 0..prints {
            let before = self.price;
            if self.rug == Rug::Collapsing {
                self.price *= draws.between(0.08, 0.3);
            } else {
                // Thin markets jump: some moves are thrice as large.
                let tail = if draws.chance(0.015) { 3.0 } else { 1.0 };
                let shock = draws.normal() * tail * volatility / (prints as f64).sqrt();
                self.price *= (1.0 + drift / prints as f64 + shock).clamp(0.3, 3.0);
            }
            self.trade(draws, self.price / before - 1.0);
            let within = self.offset + print as i64 * (MINUTE / prints as i64);
            let jitter = draws.micros(900) * 1_000;
            self.record(token.birth + minute * MINUTE + within + jitter);
        }
        if self.rug == Rug::Collapsing {
            self.rug = match draws.chance(0.06) {
                true => Rug::Emptied,
                false => Rug::Done,
            };
        }
    }

    fn drift_and_volatility(&mut self, draws: &mut Draws, token: &Token) -> (f64, f64) {
        let character = token.character;
        let volatility = character.volatility * self.temper;
        let had_enough = self.price > self.ceiling;
        // A runner has its day once; others may be pumped again when they are cheap again.
        self.peaked = had_enough || (self.peaked && character.kind == Kind::Runner);
        if self.rug != Rug::Ahead {
            return (-0.001, 0.006);
        }
        match self.regime {
            Regime::Pump { drift, .. } => (drift, volatility + 0.012),
            Regime::Fade { drift, .. } => (drift, volatility + 0.008),
            Regime::Calm => match character.kind {
                Kind::Sideways | Kind::Established => {
                    self.anchor *= 1.0 + 0.0015 * draws.normal();
                    let pull = 0.01 * (self.anchor / self.price - 1.0);
                    (pull.clamp(-0.01, 0.01), volatility)
                }
                Kind::Runner if self.peaked => (-0.0012, volatility),
                _ => (character.drift, volatility),
            },
        }
    }

    /// Lets the volume of the last day forget its oldest minute and take in a new one.
    fn trade(&mut self, draws: &mut Draws, change: f64) {
        let turnover = 0.05 * (1.0 + 40.0 * change.abs()) * draws.uniform() * self.temper;
        self.volume += turnover * 8.0 - self.volume / 1_440.0;
    }

    fn record(&mut self, timestamp: i64) {
        if self.path.prices.len().is_multiple_of(10) {
            // The source refreshes this figure less often than the price.
            self.reported_volume = (self.volume * 10_000.0) as i64;
        }
        let price = match self.rug {
            Rug::Emptied => 0,
            _ => ((self.price + 0.5) as i64).max(1),
        };
        self.path.timestamps.push(timestamp);
        self.path.prices.push(price);
        self.path.volumes.push(self.reported_volume);
    }
}

fn pump(draws: &mut Draws) -> Regime {
    let vigour = draws.uniform();
    Regime::Pump {
        minutes_left: 4 + draws.micros(28),
        drift: 0.004 + 0.021 * vigour * vigour,
        fade: draws.between(0.35, 1.05),
    }
}
