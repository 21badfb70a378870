//! The same rows in every format are the same dataset.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, StructArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, TimeUnit, TimestampMicrosecondType};
use datafusion::parquet::arrow::ArrowWriter;

use super::*;
use crate::schema::FACTORS;

const SIGNALS: &str = "\
id,timestamp,token_address,source_wallet,score,wallet_score,token_metrics,liquidity,holder_distribution,momentum
b,2025-01-01T00:00:10Z,TokenA,W1,71.25,0.5,0.25,,1,0
a,2025-01-01T00:00:10Z,TokenB,,,0.123456,0.9,0.8,0.7,0.6
c,2025-01-01T00:00:00.000001Z,TokenA,W2,100,1,1,1,1,1
";
const PRICES: &str = "\
token_address,timestamp,price,volume_24h
TokenB,2025-01-01T00:00:00Z,0.000001,10.5
TokenA,2025-01-01T00:01:00Z,1.50,
TokenA,2025-01-01T00:00:30Z,0.125,
TokenB,2025-01-01T00:02:00Z,1000,
";
const OUTCOMES: &str = "\
signal_id,token_address,entry_timestamp,exit_timestamp,entry_price,exit_price,realized_pnl_sol
a,TokenB,2025-01-01T00:00:11Z,2025-01-01T00:00:20Z,0.000001,0.0000015,-0.012345678
b,TokenA,2025-01-01T00:00:11Z,,0.125,,
";

fn fingerprint(signals: &str, prices: &str, outcomes: &str, bench: &Bench) -> String {
    let other = Bench::new();
    let summary = other.load(&[signals], &[prices], &[outcomes]).unwrap();
    let _ = bench;
    summary.fingerprint
}

fn as_ndjson(csv: &str, quoted: bool) -> String {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let row = |fields: Vec<&str>| {
        let members = header
            .iter()
            .zip(fields)
            .filter(|(_, field)| !field.is_empty());
        let members: Vec<_> = members
            .map(|(name, field)| {
                let number = !quoted && field.parse::<f64>().is_ok();
                format!(
                    "\"{name}\": {}",
                    if number {
                        field.into()
                    } else {
                        format!("{field:?}")
                    }
                )
            })
            .collect();
        format!("{{{}}}\n", members.join(", "))
    };
    lines.map(row).collect()
}

pub(super) fn gzip(text: &str) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap()
}

#[test]
fn text_formats_agree() {
    let bench = Bench::new();
    let files = |extension: &str, convert: &dyn Fn(&str) -> Vec<u8>| {
        [
            ("signals", SIGNALS),
            ("prices", PRICES),
            ("outcomes", OUTCOMES),
        ]
        .map(|(name, text)| bench.file(&format!("{name}.{extension}"), convert(text)))
    };
    let [s, p, o] = files("csv", &|text| text.into());
    let expected = fingerprint(&s, &p, &o, &bench);
    let crlf = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n")).into_bytes();
    let quoted = |text: &str| {
        let line = |line: &str| format!("\"{}\"\n", line.replace(',', "\",\""));
        text.lines().map(line).collect::<String>().into_bytes()
    };
    for [s, p, o] in [
        files("2.csv", &crlf),
        files("3.csv", &quoted),
        files("csv.gz", &gzip),
        files("csv.zst", &|text| {
            zstd::encode_all(text.as_bytes(), 1).unwrap()
        }),
        files("ndjson", &|text| as_ndjson(text, false).into()),
        files("json", &|text| as_ndjson(text, true).into()),
        files("jsonl.gz", &|text| gzip(&as_ndjson(text, false))),
        files("ndjson.zst", &|text| {
            zstd::encode_all(as_ndjson(text, false).as_bytes(), 1).unwrap()
        }),
    ] {
        assert_eq!(fingerprint(&s, &p, &o, &bench), expected, "{s}");
    }
}

#[test]
fn rows_are_sorted_and_exact() {
    let bench = Bench::new();
    let (s, p, o) = (
        bench.file("s.csv", SIGNALS),
        bench.file("p.csv", PRICES),
        bench.file("o.csv", OUTCOMES),
    );
    let summary = bench.load(&[&s], &[&p], &[&o]).unwrap();
    let dataset = bench.open();
    assert_eq!(dataset.fingerprint, summary.fingerprint);
    assert_eq!((dataset.generation, summary.generation), (1, 1));
    let ids: Vec<_> = dataset
        .signals
        .column(0)
        .as_string::<i32>()
        .iter()
        .flatten()
        .collect();
    assert_eq!(ids, ["c", "a", "b"]);
    assert_eq!(
        prices_of(&dataset, "TokenA"),
        (vec![(30, 125), (60, 1500)], 3)
    );
    assert_eq!(
        prices_of(&dataset, "TokenB"),
        (vec![(0, 1), (120, 1_000_000_000)], 6)
    );
    let volumes = dataset.volumes[dataset.price_book.position("TokenB").unwrap()]
        .clone()
        .unwrap();
    let volumes: Vec<_> = volumes.iter().collect();
    assert_eq!(volumes, [Some(10_500_000_000), None]);
    assert!(dataset.volumes[dataset.price_book.position("TokenA").unwrap()].is_none());
    let pnl = dataset
        .trade_outcomes
        .column(6)
        .as_primitive::<Decimal128Type>();
    assert_eq!(pnl.iter().collect::<Vec<_>>(), [Some(-12_345_678), None]);
    assert_eq!(finding(&summary, "missing_factors").unwrap().row_count, 1);
    assert_eq!(finding(&summary, "not_closed").unwrap().row_count, 1);
    assert_eq!(dataset.data_quality.num_rows(), summary.findings.len());
}

/// The price rows as a Parquet file with its columns in other types.
fn prices_parquet(bench: &Bench, name: &str, types: [DataType; 3]) -> String {
    let texts = |column: usize| -> ArrayRef {
        let values = PRICES
            .lines()
            .skip(1)
            .map(|line| line.split(',').nth(column));
        Arc::new(
            values
                .map(|value| value.filter(|v| !v.is_empty()))
                .collect::<StringArray>(),
        )
    };
    let [token, time, price] = types;
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let times = cast(&texts(1), &micros).unwrap();
    let times = match time {
        DataType::Int64 => {
            let values = times.as_primitive::<TimestampMicrosecondType>();
            let seconds: Int64Array = values.unary(|value| value / 1_000_000);
            Arc::new(seconds) as ArrayRef
        }
        DataType::Utf8 => texts(1),
        other => cast(&times, &other).unwrap(),
    };
    let exact = cast(&texts(2), &DataType::Decimal128(38, 18)).unwrap();
    let prices = match price {
        DataType::Utf8 => texts(2),
        DataType::Float64 | DataType::Float32 => {
            let floats: Float64Array = texts(2)
                .as_string::<i32>()
                .iter()
                .map(|v| v.map(|v| v.parse().unwrap()))
                .collect();
            cast(&floats, &price).unwrap()
        }
        other => cast(&exact, &other).unwrap(),
    };
    let volumes = cast(&texts(3), &DataType::Decimal128(20, 4)).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("extra", Arc::new(Int64Array::from(vec![1; 4])) as ArrayRef),
        ("price", prices),
        ("token_address", cast(&texts(0), &token).unwrap()),
        ("timestamp", times),
        ("volume_24h", volumes),
    ])
    .unwrap();
    write_parquet(bench, name, &batch)
}

pub(super) fn write_parquet(bench: &Bench, name: &str, batch: &RecordBatch) -> String {
    let path = bench.directory.path().join(name);
    let mut writer =
        ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn parquet_types_agree() {
    let bench = Bench::new();
    let csv = bench.file("p.csv", PRICES);
    let of = |prices: &str| Bench::new().load(&[], &[prices], &[]).unwrap().fingerprint;
    let expected = of(&csv);
    let utc = |unit| DataType::Timestamp(unit, Some("UTC".into()));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int16), Box::new(DataType::Utf8));
    use DataType::{Decimal128, Decimal256, Float32, Float64, Int64, LargeUtf8, Utf8, Utf8View};
    for (number, types) in [
        [Utf8, utc(TimeUnit::Microsecond), Decimal128(20, 10)],
        [LargeUtf8, utc(TimeUnit::Nanosecond), Decimal128(38, 18)],
        [dictionary, utc(TimeUnit::Second), Decimal256(60, 20)],
        [
            Utf8View,
            DataType::Timestamp(TimeUnit::Millisecond, None),
            Float64,
        ],
        [
            Utf8,
            DataType::Timestamp(TimeUnit::Microsecond, Some("+02:00".into())),
            Float32,
        ],
        [Utf8, Int64, Utf8],
        [Utf8, Utf8, Decimal128(30, 25)],
    ]
    .into_iter()
    .enumerate()
    {
        let shown = format!("{types:?}");
        let file = prices_parquet(&bench, &format!("{number}.parquet"), types);
        assert_eq!(of(&file), expected, "{shown}");
    }
}

#[test]
fn factors_come_in_columns_or_as_an_object() {
    let bench = Bench::new();
    let of = |signals: &str| Bench::new().load(&[signals], &[], &[]).unwrap().fingerprint;
    let expected = of(&bench.file("s.csv", SIGNALS));
    let mut json_csv = "id,timestamp,token_address,source_wallet,score,score_factors\n".to_owned();
    let mut ndjson = String::new();
    for line in SIGNALS.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        let members = FACTORS
            .iter()
            .zip(&fields[5..])
            .filter(|(_, value)| !value.is_empty());
        let members: Vec<_> = members
            .map(|(name, value)| format!("\"{name}\": {value}"))
            .collect();
        let object = format!("{{\"other\": [1], {}}}", members.join(", "));
        let quoted = object.replace('"', "\"\"");
        json_csv += &format!("{},\"{quoted}\"\n", fields[..5].join(","));
        let text = |value: &str| match value {
            "" => "null".to_owned(),
            value => format!("{value:?}"),
        };
        ndjson += &format!(
            "{{\"id\":{},\"timestamp\":{},\"token_address\":{},\"source_wallet\":{},\"score\":{},\"score_factors\":{object}}}\n",
            text(fields[0]),
            text(fields[1]),
            text(fields[2]),
            text(fields[3]),
            text(fields[4]),
        );
    }
    assert_eq!(of(&bench.file("json.csv", json_csv)), expected);
    assert_eq!(of(&bench.file("s.ndjson", ndjson)), expected);

    // A Parquet struct, of the rows as they were loaded.
    let loaded = Bench::new();
    loaded
        .load(&[&bench.file("s.csv", SIGNALS)], &[], &[])
        .unwrap();
    let signals = loaded.open().signals;
    let factors: Vec<_> = FACTORS
        .iter()
        .map(|f| signals.column_by_name(f).unwrap().clone())
        .collect();
    let object = StructArray::from(
        signals.schema().fields()[5..]
            .iter()
            .cloned()
            .zip(factors)
            .collect::<Vec<_>>(),
    );
    let schema = signals.schema();
    let columns = schema.fields()[..5].iter().map(|f| f.name().clone());
    let mut columns: Vec<_> = columns.zip(signals.columns().iter().cloned()).collect();
    columns.push(("score_factors".into(), Arc::new(object)));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    assert_eq!(of(&write_parquet(&bench, "s.parquet", &batch)), expected);
}

#[test]
fn order_and_files_do_not_matter() {
    let bench = Bench::new();
    let mut rows = Vec::new();
    for token in 0..40 {
        for minute in 0..500_i64 {
            let price = (minute * 7919 + token * 104_729) % 100_000;
            let seconds = 1_735_689_600 + minute * 60;
            rows.push(format!("Token{token},{seconds},0.0{price}\n"));
        }
    }
    let header = "token_address,timestamp,price\n";
    let whole = bench.file("whole.csv", header.to_owned() + &rows.concat());
    let expected = Bench::new().load(&[], &[&whole], &[]).unwrap();
    assert_eq!(expected.prices.total, 20_000);
    // A fixed shuffle: the multiplier has no factor in common with the number of rows.
    let shuffled: Vec<_> = (0..rows.len())
        .map(|i| rows[i * 7919 % rows.len()].as_str())
        .collect();
    let parts: Vec<_> = shuffled
        .chunks(3000)
        .enumerate()
        .map(|(i, part)| bench.file(&format!("part-{i}.csv"), header.to_owned() + &part.concat()))
        .collect();
    let pattern = parts[0].replace("part-0", "part-*");
    let other = Bench::new();
    let summary = other.load(&[], &[&pattern], &[]).unwrap();
    assert_eq!(summary.fingerprint, expected.fingerprint);
    assert_eq!(summary.prices, expected.prices);
    // The same file twice under two patterns is read once.
    let again = Bench::new().load(&[], &[&pattern, &parts[0]], &[]).unwrap();
    assert_eq!(again.prices.read, 20_000);
}
