//! Parquet files that tell which tokens a row group may hold: the same dataset, written on the way.

use std::fs::File;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::DataType;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::*;
use crate::ingest::load_within;

/// Token, minute, price × 10^6 and volume × 10^4.
type Row = (&'static str, i64, i128, Option<i128>);

const START: i64 = 1_735_689_600_000_000;

/// Rows of tokens of different lengths in the order of tokens: some within a row group, some across.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (token, minutes) in [("A", 3_i64), ("B", 700), ("C", 1), ("D", 2_000), ("E", 400)] {
        for minute in 0..minutes {
            let price = i128::from(1_000_001 + (minute * 7_919) % 1_000);
            // No volumes of B, some of D.
            let volume = (token != "B" && (token != "D" || minute % 3 > 0))
                .then_some(i128::from(minute) * 10 + 1);
            rows.push((token, minute, price, volume));
        }
    }
    rows
}

fn batch(rows: &[Row], price: DataType, volume: DataType) -> RecordBatch {
    let tokens: StringArray = rows.iter().map(|row| Some(row.0)).collect();
    let times = rows.iter().map(|row| START + row.1 * 60_000_000);
    let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
    let prices = Decimal128Array::from_iter_values(rows.iter().map(|row| row.2));
    let volumes: Decimal128Array = rows.iter().map(|row| row.3).collect();
    RecordBatch::try_from_iter([
        ("token_address", Arc::new(tokens) as ArrayRef),
        ("timestamp", Arc::new(times)),
        ("price", Arc::new(prices.with_data_type(price))),
        ("volume_24h", Arc::new(volumes.with_data_type(volume))),
    ])
    .unwrap()
}

fn parquet(bench: &Bench, name: &str, batch: &RecordBatch, told: EnabledStatistics) -> String {
    let path = bench.file(name, "");
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(500))
        .set_statistics_enabled(told)
        .build();
    let file = File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    path
}

const PRICE: DataType = DataType::Decimal128(20, 6);
const VOLUME: DataType = DataType::Decimal128(20, 4);

#[test]
fn prices_written_on_the_way_are_the_same() {
    let told = EnabledStatistics::Chunk;
    let mut backwards = rows();
    backwards.reverse();
    let (later, earlier): (Vec<_>, Vec<_>) = rows().into_iter().partition(|row| row.1 % 2 > 0);
    let inputs: [&[(&[Row], EnabledStatistics)]; 5] = [
        // Nothing is known of them, so that all wait for the end.
        &[(&rows(), EnabledStatistics::None)],
        &[(&rows(), told)],
        &[(&backwards, told)],
        &[(&later, told), (&earlier, told)],
        &[(&rows(), told), (&rows(), told)],
    ];
    let mut expected = None;
    for (case, input) in inputs.into_iter().enumerate() {
        for memory in [0, 1 << 30] {
            let bench = Bench::new();
            let files = input.iter().enumerate().map(|(file, (rows, told))| {
                let batch = batch(rows, PRICE, VOLUME);
                parquet(&bench, &format!("{file}.parquet"), &batch, *told)
            });
            let request = LoadRequest {
                prices: files.collect(),
                ..LoadRequest::default()
            };
            let summary = load_within(&bench.workspace(), &request, &NoProgress, memory).unwrap();
            let fingerprint = expected.get_or_insert_with(|| summary.fingerprint.clone());
            assert_eq!(
                summary.fingerprint, *fingerprint,
                "case {case}, memory {memory}"
            );
            assert_eq!(summary.prices.total, rows().len() as u64);
            // What is mapped is what was digested.
            let dataset = bench.open();
            for (position, token) in ["A", "B", "C", "D", "E"].into_iter().enumerate() {
                let of_token = || rows().into_iter().filter(|row| row.0 == token);
                let (prices, scale) = prices_of(&dataset, token);
                let exact: Vec<_> = prices
                    .iter()
                    .map(|(second, mantissa)| {
                        (
                            second / 60,
                            i128::from(*mantissa) * 10_i128.pow(6 - u32::from(scale)),
                        )
                    })
                    .collect();
                assert_eq!(
                    exact,
                    of_token().map(|row| (row.1, row.2)).collect::<Vec<_>>()
                );
                let volumes = dataset.volumes[position].as_ref();
                let volumes = volumes.map(|volumes| volumes.iter().collect::<Vec<_>>());
                let expected = of_token().map(|row| row.3.map(|volume| volume * 100_000));
                let expected = Some(expected.collect::<Vec<_>>()).filter(|_| token != "B");
                assert_eq!(volumes, expected, "token {token}");
            }
        }
    }
}

#[test]
fn prices_written_on_the_way_merge_with_the_stored() {
    let told = EnabledStatistics::Chunk;
    let (later, earlier): (Vec<_>, Vec<_>) = rows()
        .into_iter()
        .filter(|row| row.0 != "C")
        .partition(|row| row.1 > 300);
    let (bench, whole) = (Bench::new(), Bench::new());
    for (name, rows) in [("later.parquet", &later), ("earlier.parquet", &earlier)] {
        let file = parquet(&bench, name, &batch(rows, PRICE, VOLUME), told);
        bench.load(&[], &[&file], &[]).unwrap();
    }
    let all = [later, earlier].concat();
    let file = parquet(&whole, "all.parquet", &batch(&all, PRICE, VOLUME), told);
    let expected = whole.load(&[], &[&file], &[]).unwrap();
    assert_eq!(bench.open().fingerprint, expected.fingerprint);
}

#[test]
fn a_conflict_between_row_groups_is_an_error_and_loads_nothing() {
    let mut rows = rows();
    let again = rows.iter().position(|row| row.0 == "D").unwrap();
    let (token, minute, price, volume) = rows[again];
    rows.insert(again + 1_800, (token, minute, price + 1, volume));
    let bench = Bench::new();
    let batch = batch(&rows, PRICE, VOLUME);
    let file = parquet(&bench, "p.parquet", &batch, EnabledStatistics::Chunk);
    let message = bench.refusal_of("prices", &file);
    assert!(message.contains("one value for each instant"), "{message}");
    assert!(message.contains("for token D at"), "{message}");
    assert_eq!(bench.open().generation, 0);
}

#[test]
fn statistics_that_lie_are_an_error() {
    let bench = Bench::new();
    let batch = batch(&rows(), PRICE, VOLUME);
    let file = parquet(&bench, "p.parquet", &batch, EnabledStatistics::Chunk);
    // The least token of the third row group and those behind it is D; now they say Z.
    let mut bytes = std::fs::read(&file).unwrap();
    let length = bytes.len();
    let footer = u32::from_le_bytes(bytes[length - 8..length - 4].try_into().unwrap()) as usize;
    let told = &mut bytes[length - 8 - footer..];
    let mut changed = 0;
    for at in 0..told.len() - 1 {
        // A text of one letter in the footer: its length, then the letter.
        if told[at] == 1 && told[at + 1] == b'D' {
            told[at + 1] = b'Z';
            changed += 1;
        }
    }
    assert!(changed > 0, "the footer has no statistics of D");
    std::fs::write(&file, bytes).unwrap();
    // One thread reads the row groups in their order, and has written D before it comes again.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let refusal = pool.unwrap().install(|| bench.load(&[], &[&file], &[]));
    let message = refusal.unwrap_err().to_string();
    assert!(
        message.contains("token D in a row group whose statistics"),
        "{message}"
    );
    assert_eq!(bench.open().generation, 0);
}

#[test]
fn decimals_of_any_width_are_exact() {
    let price = |value: i128| vec![("A", 0, value, None), ("A", 1, 1, Some(5))];
    let load = |rows: &[Row], price: DataType, volume: DataType| {
        let bench = Bench::new();
        let batch = batch(rows, price, volume);
        let file = parquet(&bench, "p.parquet", &batch, EnabledStatistics::Chunk);
        let loaded = bench.load(&[], &[&file], &[]);
        loaded
            .map(|_| bench.open())
            .map_err(|error| error.to_string())
    };
    for precision in [19, 20, 25, 30, 38] {
        for value in [0, 1, 255, 256, i128::from(i64::MAX) - 1] {
            let prices = DataType::Decimal128(precision, 9);
            let dataset = load(&price(value), prices, DataType::Decimal128(precision, 2)).unwrap();
            let (found, scale) = prices_of(&dataset, "A");
            let exact = i128::from(found[0].1) * 10_i128.pow(9 - u32::from(scale));
            assert_eq!(exact, value, "{precision} digits");
            let volumes = dataset.volumes[0].as_ref().unwrap();
            assert_eq!(volumes.iter().collect::<Vec<_>>(), [None, Some(50_000_000)]);
        }
        for (value, found) in [
            (-1, "found -0.000000001"),
            // Rounded to 8 digits it would fit, but not beside 1e-9.
            (i128::from(i64::MAX), "prices of token A so large"),
        ] {
            let refused = load(&price(value), DataType::Decimal128(precision, 9), VOLUME).err();
            assert!(refused.unwrap().contains(found), "{precision} digits");
        }
        let volume = [("A", 0, 1, Some(10_i128.pow(u32::from(precision) - 1) - 1))];
        let dataset = load(&volume, PRICE, DataType::Decimal128(precision, 9)).unwrap();
        let volumes = dataset.volumes[0].as_ref().unwrap();
        assert_eq!(volumes.value(0), volume[0].3.unwrap(), "{precision} digits");
        let negative = [("A", 0, 1, Some(-1))];
        assert!(load(&negative, PRICE, DataType::Decimal128(precision, 9)).is_err());
    }
    // Too large for a mantissa as it stands, but not without its zeros.
    let dataset = load(
        &price(3 * 10_i128.pow(20)),
        DataType::Decimal128(38, 18),
        VOLUME,
    );
    assert!(dataset.is_err(), "1e-18 and 300 have no scale in common");
    let alone = [("A", 0, 3 * 10_i128.pow(20), None)];
    let dataset = load(&alone, DataType::Decimal128(38, 18), VOLUME).unwrap();
    assert_eq!(prices_of(&dataset, "A"), (vec![(0, 300)], 0));
}
