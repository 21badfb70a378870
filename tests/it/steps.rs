//! A history of round numbers, on which an SQL test works its results out by hand.

use crate::reference::exit::Price;
use crate::reference::history::{DAY, History, day_of};
use crate::reference::number::parse;

/// Tokens with their prices, each at so many seconds after 2025-01-01T00:00:00Z.
const PATHS: &[(&str, &[(i64, &str)])] = &[
    (
        "up then down",
        &[
            (0, "100"),
            (60, "150"),
            (120, "135"),
            (180, "120"),
            (240, "80"),
        ],
    ),
    (
        "slowly down",
        &[(0, "100"), (60, "85.01"), (120, "85"), (180, "50")],
    ),
    ("gap down", &[(0, "100"), (60, "60"), (120, "100")]),
    ("gap up", &[(0, "100"), (60, "170"), (120, "100")]),
    (
        "gap below the trail",
        &[(0, "100"), (60, "200"), (120, "150")],
    ),
    ("peak at the entry", &[(0, "100"), (60, "100"), (120, "90")]),
    (
        "slowly up",
        &[(0, "100"), (240, "101"), (300, "102"), (600, "103")],
    ),
    ("down at the limit", &[(0, "100"), (300, "50")]),
    ("one price", &[(600, "100")]),
    ("first price zero", &[(0, "0"), (60, "100")]),
    ("to zero", &[(0, "100"), (60, "0")]),
    (
        "three of the smallest",
        &[(0, "0.000000000000000003"), (60, "0.000000000000000002")],
    ),
    (
        "five of the smallest",
        &[(0, "0.000000000000000005"), (60, "0.000000000000000001")],
    ),
];

/// These prices and nothing else.
pub fn steps() -> History {
    let start = day_of("2025-01-01") * DAY;
    let price = |(seconds, price): &(i64, &str)| Price {
        timestamp: start + seconds * 1_000_000,
        price: parse(price).unwrap(),
    };
    let path = |(token, path): &(&str, &[(i64, &str)])| {
        let prices = path.iter().map(price).collect();
        ((*token).to_owned(), prices)
    };
    History {
        prices: PATHS.iter().map(path).collect(),
        ..History::default()
    }
}
