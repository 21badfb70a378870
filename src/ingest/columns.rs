//! The declared columns of the input tables: what each holds and what is refused.

use super::decimal::Decimal;
use super::explain::FACTOR_EXPECTED;
use crate::schema::FACTORS;

/// One column that a file may or must have.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) presence: Presence,
    pub(super) range: Range,
    /// What errors say was expected.
    pub(super) expected: &'static str,
}

/// How values are read and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Text with long runs of the same value.
    Token,
    Timestamp,
    /// An exact price: a mantissa and a scale for each row.
    Price,
    Decimal {
        precision: u8,
        scale: u8,
        /// Whether digits beyond the scale may be rounded only as those of prices are.
        exact: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// The column is there and has no null.
    NotNull,
    /// The column is there; a null means something.
    Column,
    Optional,
}

/// The values a number may have, in units of its column's scale.
#[derive(Debug, Clone, Copy)]
pub(super) enum Range {
    Any,
    NotNegative,
    UpTo(i128),
}

impl Range {
    /// Whether a number, which is `value` once rounded to `scale`, was inside before rounding too.
    pub(super) fn contains(self, value: i128, scale: u8, number: &Decimal) -> bool {
        match self {
            Self::Any => true,
            Self::NotNegative => !number.is_negative(),
            Self::UpTo(maximum) => {
                !number.is_negative()
                    && (value < maximum
                        || (value == maximum && !number.is_above(maximum.unsigned_abs(), scale)))
            }
        }
    }
}

/// An input table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
    /// Where the factors stand among the columns, for a table that may have them as one JSON object
    /// in the column [`SCORE_FACTORS`].
    pub(super) factors: Option<usize>,
}

/// The JSON object of all factors.
pub(super) const SCORE_FACTORS: &str = "score_factors";

impl Table {
    /// The cells of a row: one for each column and one for [`SCORE_FACTORS`].
    pub(super) fn slots(&self) -> usize {
        self.columns.len() + 1
    }

    /// The slot of the JSON object of all factors.
    pub(super) fn score_factors_slot(&self) -> usize {
        self.columns.len()
    }

    /// The slot of a file's column; `None` for one that is not ours.
    pub(super) fn slot(&self, name: &str) -> Option<usize> {
        if self.factors.is_some() && name == SCORE_FACTORS {
            return Some(self.score_factors_slot());
        }
        self.columns.iter().position(|column| column.name == name)
    }

    /// The columns a file with these slots lacks.
    pub(super) fn missing(&self, present: impl Fn(usize) -> bool) -> Vec<&'static str> {
        let columns = self.columns.iter().enumerate();
        columns
            .filter(|(slot, column)| column.presence != Presence::Optional && !present(*slot))
            .map(|(_, column)| column.name)
            .collect()
    }

    pub(super) fn required_names(&self) -> Vec<&'static str> {
        self.missing(|_| false)
    }
}

pub(super) static SIGNALS: Table = Table {
    name: "signals",
    columns: &[
        text("id", Presence::NotNull),
        timestamp("timestamp", Presence::NotNull),
        text("token_address", Presence::NotNull),
        text("source_wallet", Presence::Optional),
        Column {
            name: "score",
            kind: decimal(7, 2),
            presence: Presence::Optional,
            range: Range::UpTo(10_000),
            expected: "a score from 0 to 100",
        },
        factor(FACTORS[0]),
        factor(FACTORS[1]),
        factor(FACTORS[2]),
        factor(FACTORS[3]),
        factor(FACTORS[4]),
    ],
    factors: Some(5),
};

pub(super) static TOKEN_PRICES: Table = Table {
    name: "token_prices",
    columns: &[
        Column {
            kind: Kind::Token,
            ..text("token_address", Presence::NotNull)
        },
        timestamp("timestamp", Presence::NotNull),
        Column {
            name: "price",
            kind: Kind::Price,
            presence: Presence::NotNull,
            range: Range::NotNegative,
            expected: PRICE_EXPECTED,
        },
        Column {
            name: "volume_24h",
            kind: decimal(38, 9),
            presence: Presence::Optional,
            range: Range::NotNegative,
            expected: "a volume that is not negative",
        },
    ],
    factors: None,
};

pub(super) static TRADE_OUTCOMES: Table = Table {
    name: "trade_outcomes",
    columns: &[
        text("signal_id", Presence::NotNull),
        text("token_address", Presence::Optional),
        timestamp("entry_timestamp", Presence::Column),
        timestamp("exit_timestamp", Presence::Optional),
        outcome_price("entry_price"),
        outcome_price("exit_price"),
        Column {
            name: "realized_pnl_sol",
            kind: decimal(20, 9),
            presence: Presence::Column,
            range: Range::Any,
            expected: "an amount of SOL",
        },
    ],
    factors: None,
};

/// The way out for a price with more digits than there is room for.
pub(super) const TOO_FINE: &str = "kept are 18 fractional digits, or as many as the largest price of \
    the token leaves room for, and rounding to them would move this price by more than 1e-9 of \
    itself; --round-prices rounds it nevertheless";

const PRICE_EXPECTED: &str =
    "a price in SOL that is not negative and has at most 18 fractional digits";

const fn text(name: &'static str, presence: Presence) -> Column {
    Column {
        name,
        kind: Kind::Text,
        presence,
        range: Range::Any,
        expected: "a text that is not empty",
    }
}

const fn timestamp(name: &'static str, presence: Presence) -> Column {
    Column {
        name,
        kind: Kind::Timestamp,
        presence,
        range: Range::Any,
        expected: "a timestamp such as 2025-01-31T12:00:00Z or an epoch number since 1973",
    }
}

const fn factor(name: &'static str) -> Column {
    Column {
        name,
        kind: decimal(7, 6),
        presence: Presence::Optional,
        range: Range::UpTo(1_000_000),
        expected: FACTOR_EXPECTED,
    }
}

const fn outcome_price(name: &'static str) -> Column {
    Column {
        name,
        kind: Kind::Decimal {
            precision: 38,
            scale: 18,
            exact: true,
        },
        presence: Presence::Optional,
        range: Range::NotNegative,
        expected: PRICE_EXPECTED,
    }
}

const fn decimal(precision: u8, scale: u8) -> Kind {
    Kind::Decimal {
        precision,
        scale,
        exact: false,
    }
}
