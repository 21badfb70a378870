//! Portfolio limits: positions asked for one after the other, each admitted or refused.
//!
//! Signals ask by the instant of their entry, then by their id. At an entry, what has ended then or
//! before is over, and nothing that comes later is looked at. A position is open until its last part
//! is sold; the first limit that holds refuses it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::decimal::pow10;

const DAY_MICROS: i64 = 86_400_000_000;
/// A lamport in units of money: sizes have 17 digits, shares 6 more.
const LAMPORT: i128 = pow10(14);
/// A unit of a size in units of money.
const SIZE_UNIT: i128 = pow10(6);

/// Which positions are not entered; times in microseconds, amounts in lamports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Limits {
    pub max_open_positions: Option<i64>,
    pub max_positions_per_token: Option<i64>,
    pub token_cooldown: Option<i64>,
    pub max_trades_per_day: Option<i64>,
    pub max_daily_loss: Option<i128>,
    pub starting_balance: Option<i128>,
}

impl Limits {
    /// Whether every position is admitted.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether one of them looks at what sales brought.
    pub fn are_of_money(&self) -> bool {
        self.max_daily_loss.is_some() || self.starting_balance.is_some()
    }
}

/// The limit that refuses a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    MaxOpenPositions,
    MaxPositionsPerToken,
    TokenCooldown,
    MaxTradesPerDay,
    MaxDailyLoss,
    StartingBalance,
}

impl Refusal {
    /// The `skip_reason` in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxOpenPositions => "max_open_positions",
            Self::MaxPositionsPerToken => "max_positions_per_token",
            Self::TokenCooldown => "token_cooldown",
            Self::MaxTradesPerDay => "max_trades_per_day",
            Self::MaxDailyLoss => "max_daily_loss",
            Self::StartingBalance => "starting_balance",
        }
    }
}

/// A position that is asked for; instants in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub entry: i64,
    /// Of its last sale.
    pub end: i64,
    pub token: u32,
    /// SOL × 10^17.
    pub size: i128,
}

/// A sale of a part of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sale {
    /// Microseconds.
    pub end: i64,
    /// Lamports.
    pub net: i128,
    /// × 10^-6.
    pub share: i64,
}

/// What a sale gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    end: i64,
    net: i128,
    /// In units of money.
    part: i128,
}

/// The positions of one token.
#[derive(Debug, Clone)]
struct Token {
    /// The last end of any.
    end: i64,
    /// The ends of those that may be open.
    open: Vec<i64>,
}

impl Default for Token {
    fn default() -> Self {
        Self {
            end: i64::MIN,
            open: Vec::new(),
        }
    }
}

/// Asked in order, it says who is refused.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    limits: Limits,
    /// The ends of open positions.
    open: BinaryHeap<Reverse<i64>>,
    /// By token.
    tokens: Vec<Token>,
    /// Since 1970: that of the last entry, with its admitted positions.
    entry_day: i64,
    admitted_on_day: i64,
    /// Sales that may not have ended.
    due: BinaryHeap<Reverse<Due>>,
    /// Of the last sale that has ended, with what the sales of that day brought in lamports.
    sale_day: i64,
    earned_on_day: i128,
    /// In units of money.
    free: i128,
}

impl Admission {
    /// Begins without a position.
    pub fn new(limits: Limits) -> Self {
        let mut admission = Self::default();
        admission.restart(limits);
        admission
    }

    /// Begins again, with other limits.
    pub fn restart(&mut self, limits: Limits) {
        self.limits = limits;
        self.open.clear();
        for token in &mut self.tokens {
            token.end = i64::MIN;
            token.open.clear();
        }
        self.due.clear();
        (self.entry_day, self.admitted_on_day) = (i64::MIN, 0);
        (self.sale_day, self.earned_on_day) = (i64::MIN, 0);
        let balance = limits.starting_balance.unwrap_or(0);
        self.free = balance.saturating_mul(LAMPORT);
    }

    /// Takes a position, whose sales are these in any order, or says what refuses it. Each is asked for
    /// at the instant of the one before or later.
    pub fn ask(&mut self, ask: &Ask, sales: impl Iterator<Item = Sale>) -> Option<Refusal> {
        self.end_until(ask.entry);
        let refusal = self.refusal(ask);
        if refusal.is_none() {
            self.admit(ask, sales);
        }
        refusal
    }

    /// Closes what has ended at an instant.
    fn end_until(&mut self, instant: i64) {
        while self.open.peek().is_some_and(|Reverse(end)| *end <= instant) {
            self.open.pop();
        }
        while let Some(Reverse(due)) = self.due.peek().filter(|Reverse(due)| due.end <= instant) {
            let day = day_of(due.end);
            if day != self.sale_day {
                (self.sale_day, self.earned_on_day) = (day, 0);
            }
            self.earned_on_day = self.earned_on_day.saturating_add(due.net);
            let returned = due.net.saturating_mul(LAMPORT).saturating_add(due.part);
            self.free = self.free.saturating_add(returned);
            self.due.pop();
        }
        let day = day_of(instant);
        if day != self.entry_day {
            (self.entry_day, self.admitted_on_day) = (day, 0);
        }
    }

    fn refusal(&mut self, ask: &Ask) -> Option<Refusal> {
        let limits = self.limits;
        let reached = |limit: Option<i64>, count: usize| {
            limit.is_some_and(|most| i64::try_from(count).unwrap_or(i64::MAX) >= most)
        };
        if reached(limits.max_open_positions, self.open.len()) {
            return Some(Refusal::MaxOpenPositions);
        }
        if limits.max_positions_per_token.is_some() || limits.token_cooldown.is_some() {
            let token = self.token(ask.token);
            token.open.retain(|end| *end > ask.entry);
            if reached(limits.max_positions_per_token, token.open.len()) {
                return Some(Refusal::MaxPositionsPerToken);
            }
            let is_hot = |cooldown: i64| token.end > ask.entry.saturating_sub(cooldown);
            if limits.token_cooldown.is_some_and(is_hot) {
                return Some(Refusal::TokenCooldown);
            }
        }
        if limits
            .max_trades_per_day
            .is_some_and(|most| self.admitted_on_day >= most)
        {
            return Some(Refusal::MaxTradesPerDay);
        }
        let earned = match self.sale_day == self.entry_day {
            true => self.earned_on_day,
            false => 0,
        };
        if limits.max_daily_loss.is_some_and(|loss| earned <= -loss) {
            return Some(Refusal::MaxDailyLoss);
        }
        let is_short = ask.size.saturating_mul(SIZE_UNIT) > self.free;
        (limits.starting_balance.is_some() && is_short).then_some(Refusal::StartingBalance)
    }

    fn admit(&mut self, ask: &Ask, sales: impl Iterator<Item = Sale>) {
        self.admitted_on_day += 1;
        if self.limits.max_open_positions.is_some() {
            self.open.push(Reverse(ask.end));
        }
        if self.limits.max_positions_per_token.is_some() || self.limits.token_cooldown.is_some() {
            let counts = self.limits.max_positions_per_token.is_some();
            let token = self.token(ask.token);
            token.end = token.end.max(ask.end);
            if counts {
                token.open.push(ask.end);
            }
        }
        if self.limits.are_of_money() {
            for Sale { end, net, share } in sales {
                let part = ask.size.saturating_mul(share.into());
                self.free = self.free.saturating_sub(part);
                self.due.push(Reverse(Due { end, net, part }));
            }
        }
    }

    fn token(&mut self, token: u32) -> &mut Token {
        let token = token as usize;
        if token >= self.tokens.len() {
            self.tokens.resize(token + 1, Token::default());
        }
        &mut self.tokens[token]
    }
}

fn day_of(instant: i64) -> i64 {
    instant.div_euclid(DAY_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;
    const WHOLE: i64 = 1_000_000;

    fn ask(entry: i64, end: i64, token: u32) -> Ask {
        Ask {
            entry: entry * MINUTE,
            end: end * MINUTE,
            token,
            size: pow10(16),
        }
    }

    /// Asks for positions of 0.1 SOL, each with the net PnL in lamports of its one sale.
    fn refusals(limits: Limits, asks: &[(i64, i64, u32, i128)]) -> Vec<Option<Refusal>> {
        let mut admission = Admission::new(limits);
        let one = |(entry, end, token, net): &(i64, i64, u32, i128)| {
            let ask = ask(*entry, *end, *token);
            let sale = Sale {
                end: ask.end,
                net: *net,
                share: WHOLE,
            };
            admission.ask(&ask, std::iter::once(sale))
        };
        asks.iter().map(one).collect()
    }

    #[test]
    fn what_ends_at_the_entry_is_over() {
        let limits = Limits {
            max_open_positions: Some(1),
            ..Limits::default()
        };
        let full = Some(Refusal::MaxOpenPositions);
        let asks = [
            (0, 10, 0, 0),
            (9, 11, 1, 0),
            (10, 10, 2, 0),
            (10, 12, 3, 0),
            (11, 12, 4, 0),
        ];
        assert_eq!(refusals(limits, &asks), [None, full, None, None, full]);
    }

    #[test]
    fn a_token_cools_down_after_its_last_end() {
        let limits = Limits {
            token_cooldown: Some(5 * MINUTE),
            ..Limits::default()
        };
        let hot = Some(Refusal::TokenCooldown);
        let asks = [
            (0, 10, 7, 0),
            (4, 5, 7, 0),
            (5, 6, 8, 0),
            (14, 15, 7, 0),
            (15, 16, 7, 0),
        ];
        assert_eq!(refusals(limits, &asks), [None, hot, None, hot, None]);
        let limits = Limits {
            max_positions_per_token: Some(2),
            token_cooldown: None,
            ..limits
        };
        let asks = [
            (0, 10, 7, 0),
            (1, 5, 7, 0),
            (2, 5, 7, 0),
            (2, 5, 8, 0),
            (5, 9, 7, 0),
        ];
        let full = Some(Refusal::MaxPositionsPerToken);
        assert_eq!(refusals(limits, &asks), [None, None, full, None, None]);
    }

    #[test]
    fn a_day_ends_at_midnight() {
        let limits = Limits {
            max_trades_per_day: Some(1),
            ..Limits::default()
        };
        let asks = [(0, 1, 0, 0), (1_439, 1_441, 0, 0), (1_440, 1_441, 0, 0)];
        let full = Some(Refusal::MaxTradesPerDay);
        assert_eq!(refusals(limits, &asks), [None, full, None]);
        let limits = Limits {
            max_daily_loss: Some(100),
            ..Limits::default()
        };
        // The loss is met to the lamport when it has ended, on its own day alone.
        let asks = [
            (0, 10, 0, -60),
            (1, 20, 0, -40),
            (19, 1_439, 0, -100),
            (20, 1_440, 0, -100),
            (1_440, 1_450, 0, 0),
        ];
        let lost = Some(Refusal::MaxDailyLoss);
        assert_eq!(refusals(limits, &asks), [None, None, None, lost, None]);
        let asks = [
            (0, 1_440, 0, -100),
            (1_439, 1_441, 0, 0),
            (1_440, 1_441, 0, 0),
        ];
        assert_eq!(refusals(limits, &asks), [None, None, lost]);
    }

    #[test]
    fn a_balance_is_met_to_the_last_unit() {
        let tenth = pow10(8);
        let limits = |starting_balance| Limits {
            starting_balance: Some(starting_balance),
            ..Limits::default()
        };
        let short = Some(Refusal::StartingBalance);
        let asks = [(0, 10, 0, -1), (5, 8, 0, 0), (10, 20, 0, 0)];
        assert_eq!(refusals(limits(tenth), &asks), [None, short, short]);
        assert_eq!(refusals(limits(tenth + 1), &asks), [None, short, None]);
        assert_eq!(refusals(limits(tenth - 1), &asks), [short, short, short]);
        assert_eq!(refusals(limits(2 * tenth), &asks), [None, None, None]);
    }

    #[test]
    fn the_first_limit_that_holds_is_named() {
        let limits = Limits {
            max_open_positions: Some(1),
            max_positions_per_token: Some(1),
            token_cooldown: Some(MINUTE),
            max_trades_per_day: Some(1),
            max_daily_loss: Some(1),
            starting_balance: Some(pow10(8)),
        };
        let asks = [(0, 10, 0, -5), (1, 2, 0, 0), (10, 11, 0, 0), (12, 13, 0, 0)];
        let found = refusals(limits, &asks);
        assert_eq!(
            found,
            [
                None,
                Some(Refusal::MaxOpenPositions),
                Some(Refusal::TokenCooldown),
                Some(Refusal::MaxTradesPerDay),
            ]
        );
    }

    #[test]
    fn parts_come_back_one_by_one() {
        let mut admission = Admission::new(Limits {
            starting_balance: Some(15 * pow10(7)),
            ..Limits::default()
        });
        let position = ask(0, 30, 0);
        let sales = [(10, 400_000), (30, 600_000)].map(|(end, share)| Sale {
            end: end * MINUTE,
            net: 0,
            share,
        });
        assert_eq!(admission.ask(&position, sales.into_iter()), None);
        let short = Some(Refusal::StartingBalance);
        assert_eq!(admission.ask(&ask(9, 10, 1), std::iter::empty()), short);
        // 0.05 and the 0.04 of the first part are less than 0.1.
        assert_eq!(admission.ask(&ask(10, 11, 1), std::iter::empty()), short);
        assert_eq!(admission.ask(&ask(30, 31, 1), std::iter::empty()), None);
    }
}
