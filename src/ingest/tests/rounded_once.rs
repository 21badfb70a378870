//! A price with more digits than there is room for is rounded once, from what was written.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

use super::formats::write_parquet;
use super::*;

/// Prices that lie half-way only once they are cut to 64 bits, beside one that leaves fewer digits; and
/// what they are with so many digits.
const PRICES: [(&str, &str, u8, i64); 6] = [
    (
        "691.975558860141040531",
        "2610.72",
        15,
        691_975_558_860_141_041,
    ),
    (
        "691.97555886014104050",
        "2610.72",
        15,
        691_975_558_860_141_040,
    ),
    (
        "691.97555886014104049999",
        "2610.72",
        15,
        691_975_558_860_141_040,
    ),
    (
        "691.97555886014104149999",
        "2610.72",
        15,
        691_975_558_860_141_041,
    ),
    ("0.12345678901234565001", "99.5", 16, 1_234_567_890_123_457),
    ("0.012345678901234565001", "9999.5", 14, 1_234_567_890_123),
];

/// Signal times aside, what a table of prices needs: the fine one first, or last.
fn rows(fine_first: bool) -> Vec<[String; 3]> {
    let pair = |(token, (fine, large, ..)): (usize, &(&str, &str, u8, i64))| {
        let prices = match fine_first {
            true => [fine, large],
            false => [large, fine],
        };
        let row = |(minute, price): (usize, &&&str)| {
            [
                format!("T{token}"),
                (1_735_689_600 + 60 * minute).to_string(),
                (**price).to_string(),
            ]
        };
        prices.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    PRICES.iter().enumerate().flat_map(pair).collect()
}

fn csv(rows: &[[String; 3]]) -> String {
    let lines = rows.iter().map(|row| row.join(",") + "\n");
    "token_address,timestamp,price\n".to_owned() + &lines.collect::<String>()
}

fn json(rows: &[[String; 3]], quote: &str, end: &str) -> String {
    let objects = rows.iter().map(|[token, at, price]| {
        format!(r#"{{"token_address":"{token}","timestamp":{at},"price":{quote}{price}{quote}}}"#)
    });
    objects.collect::<Vec<_>>().join(end)
}

fn batch(rows: &[[String; 3]], prices: DataType) -> RecordBatch {
    let column = |at: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|row| &row[at]),
        ))
    };
    RecordBatch::try_from_iter([
        ("token_address", column(0)),
        ("timestamp", cast(&column(1), &DataType::Int64).unwrap()),
        ("price", cast(&column(2), &prices).unwrap()),
    ])
    .unwrap()
}

#[test]
fn a_price_is_rounded_once_in_every_format() {
    for fine_first in [true, false] {
        let bench = Bench::new();
        let rows = rows(fine_first);
        let files = [
            bench.file("p.csv", csv(&rows)),
            bench.file("p.ndjson", json(&rows, "", "\n")),
            bench.file("q.ndjson", json(&rows, "\"", "\n")),
            bench.file("p.json", format!("[{}]", json(&rows, "", ",\n"))),
            write_parquet(&bench, "t.parquet", &batch(&rows, DataType::Utf8)),
            write_parquet(
                &bench,
                "d.parquet",
                &batch(&rows, DataType::Decimal128(38, 22)),
            ),
            write_parquet(
                &bench,
                "e.parquet",
                &batch(&rows, DataType::Decimal256(60, 25)),
            ),
        ];
        for file in &files {
            let bench = Bench::new();
            bench.load(&[], &[file], &[]).unwrap();
            for (token, (fine, _, digits, expected)) in PRICES.iter().enumerate() {
                let (prices, scale) = prices_of(&bench.open(), &format!("T{token}"));
                let at = usize::from(!fine_first);
                let power = 10_i64.pow(u32::from(digits - scale));
                assert_eq!(prices[at].1 * power, *expected, "{fine} in {file}");
            }
        }
        // Alone, beside what is stored, it is the same again.
        bench.load(&[], &[&files[0]], &[]).unwrap();
        let fine: Vec<_> = rows
            .chunks(2)
            .map(|pair| pair[usize::from(!fine_first)].clone())
            .collect();
        let fine = bench.file("fine.csv", csv(&fine));
        assert_eq!(bench.load(&[], &[&fine], &[]).unwrap().prices.added, 0);
    }
}

#[test]
fn a_float_is_rounded_once_from_its_shortest_decimal() {
    // 0.000012345678901234565 has 18 digits as …235, and beside 9.5, which leaves 17, lies below half-way.
    let floats = [1.2345678901234565e-5, 9.5];
    let bench = Bench::new();
    let rows = [
        ["T".to_owned(), "1735689600".to_owned(), "0".to_owned()],
        ["T".to_owned(), "1735689660".to_owned(), "0".to_owned()],
    ];
    let columns = batch(&rows, DataType::Float64).columns()[..2].to_vec();
    let batch = RecordBatch::try_from_iter([
        ("token_address", columns[0].clone()),
        ("timestamp", columns[1].clone()),
        ("price", Arc::new(Float64Array::from(floats.to_vec()))),
    ]);
    let file = write_parquet(&bench, "f.parquet", &batch.unwrap());
    bench.load(&[], &[&file], &[]).unwrap();
    let (prices, scale) = prices_of(&bench.open(), "T");
    assert_eq!((prices[0].1, scale), (1_234_567_890_123, 17));
}
