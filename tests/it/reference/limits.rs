//! Portfolio limits, each looked up afresh for every position that is asked for.

use num_traits::Zero;

use super::exit::MINUTE;
use super::history::DAY;
use super::number::{Number, parse};

/// Which positions are not entered; `None` where a limit is not set.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    pub max_open_positions: Option<usize>,
    pub max_positions_per_token: Option<usize>,
    pub token_cooldown_minutes: Option<i64>,
    pub max_trades_per_day: Option<usize>,
    pub max_daily_loss_sol: Option<Number>,
    pub starting_balance_sol: Option<Number>,
}

/// A position that is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    pub signal_id: String,
    pub token_address: String,
    pub entry: i64,
    /// SOL, exact.
    pub size: Number,
    pub sales: Vec<Sold>,
}

/// A sale of a part of it.
#[derive(Debug, Clone)]
pub struct Sold {
    pub end: i64,
    pub net: Number,
    /// SOL, exact.
    pub part: Number,
}

impl Asked {
    fn end(&self) -> i64 {
        self.sales.iter().map(|sale| sale.end).max().unwrap()
    }
}

impl Limits {
    /// Sets a limit by its name; whether there is such a limit.
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        let count = || Some(value.parse().unwrap());
        let number = || Some(parse(value).unwrap());
        match name {
            "max_open_positions" => self.max_open_positions = count(),
            "max_positions_per_token" => self.max_positions_per_token = count(),
            "token_cooldown_minutes" => self.token_cooldown_minutes = Some(value.parse().unwrap()),
            "max_trades_per_day" => self.max_trades_per_day = count(),
            "max_daily_loss_sol" => self.max_daily_loss_sol = number(),
            "starting_balance_sol" => self.starting_balance_sol = number(),
            _ => return false,
        }
        true
    }

    /// What refuses each of these, which ask one after the other by their entry, then their signal;
    /// `None` for those that are admitted.
    pub fn refusals(&self, asked: &[Asked]) -> Vec<Option<&'static str>> {
        let mut admitted: Vec<&Asked> = Vec::new();
        let mut refusals = Vec::new();
        for position in asked {
            let refusal = self.refusal(position, &admitted);
            if refusal.is_none() {
                admitted.push(position);
            }
            refusals.push(refusal);
        }
        refusals
    }

    fn refusal(&self, asked: &Asked, admitted: &[&Asked]) -> Option<&'static str> {
        let entry = asked.entry;
        let day = entry.div_euclid(DAY);
        // What has ended at the entry or before is over.
        let is_open = |position: &&&Asked| position.end() > entry;
        let in_token = |position: &&&Asked| position.token_address == asked.token_address;
        let sales = || admitted.iter().flat_map(|position| &position.sales);
        if let Some(most) = self.max_open_positions
            && admitted.iter().filter(is_open).count() >= most
        {
            return Some("max_open_positions");
        }
        if let Some(most) = self.max_positions_per_token
            && admitted.iter().filter(in_token).filter(is_open).count() >= most
        {
            return Some("max_positions_per_token");
        }
        if let Some(minutes) = self.token_cooldown_minutes {
            let is_hot = |position: &&Asked| {
                position.end() > entry || entry - position.end() < minutes * MINUTE
            };
            if admitted.iter().filter(in_token).any(is_hot) {
                return Some("token_cooldown");
            }
        }
        if let Some(most) = self.max_trades_per_day {
            let is_today = |position: &&&Asked| position.entry.div_euclid(DAY) == day;
            if admitted.iter().filter(is_today).count() >= most {
                return Some("max_trades_per_day");
            }
        }
        if let Some(loss) = &self.max_daily_loss_sol {
            let ended = sales().filter(|sale| sale.end <= entry && sale.end.div_euclid(DAY) == day);
            if ended.map(|sale| &sale.net).sum::<Number>() <= -loss.clone() {
                return Some("max_daily_loss");
            }
        }
        if let Some(balance) = &self.starting_balance_sol {
            let mut free = balance.clone();
            for sale in sales() {
                match sale.end <= entry {
                    true => free += &sale.net,
                    false => free -= &sale.part,
                }
            }
            if asked.size > free {
                return Some("starting_balance");
            }
        }
        None
    }
}

#[test]
fn nothing_is_refused_without_limits() {
    let asked = Asked {
        signal_id: "s".into(),
        token_address: "t".into(),
        entry: 0,
        size: Number::zero(),
        sales: vec![],
    };
    assert_eq!(Limits::default().refusals(&[asked]), [None]);
}
