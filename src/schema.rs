//! Arrow schemas of the data tables, and the types every number has.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
pub use hindsight_udfs::scoring::rescore::FACTORS;

/// SOL amounts: one unit in the last place is a lamport.
pub const SOL: DataType = DataType::Decimal128(20, 9);
/// Scores and thresholds, 0–100.
pub const SCORE: DataType = DataType::Decimal128(7, 2);
/// Factors, 0–1.
pub const FACTOR: DataType = DataType::Decimal128(7, 6);
/// Weights, 0–1.
pub const WEIGHT: DataType = DataType::Decimal128(5, 4);
/// Percentages: 15 means 15 %.
pub const PERCENT: DataType = DataType::Decimal128(9, 4);
/// Prices, SOL per token.
pub const PRICE: DataType = DataType::Decimal128(38, 18);
/// Traded volume of a token in the last 24 hours, as the source gave it.
pub const VOLUME: DataType = DataType::Decimal128(38, 9);

/// Microseconds, UTC.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Signals: one row for each, ordered by timestamp, then id.
pub static SIGNALS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("timestamp", timestamp(), false),
        Field::new("token_address", DataType::Utf8, false),
        Field::new("source_wallet", DataType::Utf8, true),
        Field::new("score", SCORE, true),
    ];
    fields.extend(FACTORS.map(|factor| Field::new(factor, FACTOR, true)));
    Arc::new(Schema::new(fields))
});

/// Token prices: unique on token and timestamp, ordered by both.
pub static TOKEN_PRICES: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new(
            "token_address",
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            false,
        ),
        Field::new("timestamp", timestamp(), false),
        Field::new("price", PRICE, false),
        Field::new("volume_24h", VOLUME, true),
    ]))
});

/// Trade outcomes: what really happened; several for one signal are partial exits.
pub static TRADE_OUTCOMES: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("signal_id", DataType::Utf8, false),
        Field::new("token_address", DataType::Utf8, true),
        Field::new("entry_timestamp", timestamp(), true),
        Field::new("exit_timestamp", timestamp(), true),
        Field::new("entry_price", PRICE, true),
        Field::new("exit_price", PRICE, true),
        Field::new("realized_pnl_sol", SOL, true),
    ]))
});

/// Data quality: one row for each finding of the last load.
pub static DATA_QUALITY: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("table_name", DataType::Utf8, false),
        Field::new("check_name", DataType::Utf8, false),
        Field::new("severity", DataType::Utf8, false),
        Field::new("row_count", DataType::Int64, false),
        Field::new("example", DataType::Utf8, true),
    ]))
});
