//! What is known of the past: signals, prices, and what really happened.

use std::collections::BTreeMap;

use super::exit::Price;
use super::number::Number;

/// Microseconds in a day.
pub const DAY: i64 = 86_400_000_000;

/// A signal, with the five factors in the order of their weights.
#[derive(Debug, Clone)]
pub struct Signal {
    pub id: String,
    pub timestamp: i64,
    pub token_address: String,
    pub source_wallet: Option<String>,
    pub factors: [Option<Number>; 5],
}

/// One actual trade of a signal; several for one signal are partial exits.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub signal_id: String,
    pub entry_timestamp: Option<i64>,
    pub exit_timestamp: Option<i64>,
    pub realized_pnl_sol: Option<Number>,
}

/// A loaded history.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub signals: Vec<Signal>,
    /// By token, ascending by time.
    pub prices: BTreeMap<String, Vec<Price>>,
    pub outcomes: Vec<Outcome>,
}

/// The days since 1970-01-01 of `2025-01-31`.
pub fn day_of(date: &str) -> i64 {
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().unwrap());
    let [year, month, day] = [(); 3].map(|()| parts.next().unwrap());
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut days = day - 1;
    for earlier in 1970..year {
        days += if is_leap(earlier) { 366 } else { 365 };
    }
    for earlier in 1..month {
        days += match earlier {
            2 if is_leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
    }
    days
}

#[test]
fn days_since_1970() {
    for (date, days) in [
        ("1970-01-01", 0),
        ("2000-02-29", 11_016),
        ("2000-03-01", 11_017),
        ("2025-01-01", 20_089),
    ] {
        assert_eq!(day_of(date), days, "{date}");
    }
}
