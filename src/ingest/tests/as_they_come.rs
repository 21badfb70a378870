//! Files as people have them get in, or are told how.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::Decimal128Type;

use super::formats::{gzip, write_parquet};
use super::*;

const PRICES: &str = "token_address,timestamp,price\n";
const SIGNALS: &str = "id,timestamp,token_address,wallet_score\n";

fn columns(texts: &[&str]) -> ReadOptions {
    ReadOptions {
        columns: texts
            .iter()
            .map(|text| ColumnName::parse(text).unwrap())
            .collect(),
        ..ReadOptions::default()
    }
}

fn fingerprint(prices: &str) -> String {
    let loaded = Bench::new().load(&[], &[prices], &[]);
    loaded
        .unwrap_or_else(|error| panic!("{prices}: {error}"))
        .fingerprint
}

#[test]
fn floats_are_the_same_prices_in_every_format() {
    let bench = Bench::new();
    let floats = [
        1.2345678901234568e-5,
        0.000463649357219151,
        7.1e-11,
        0.1 + 0.2,
        150.12345678901234,
    ];
    let at = |row: usize| 1_735_689_600 + 60 * row as i64;
    let lines: String = floats
        .iter()
        .enumerate()
        .map(|(row, price)| format!("T,{},{price:e}\n", at(row)))
        .collect();
    let csv = bench.file("p.csv", PRICES.to_owned() + &lines);
    let objects: Vec<_> = floats
        .iter()
        .enumerate()
        .map(|(row, price)| {
            format!(
                "{{\"token_address\":\"T\",\"timestamp\":{},\"price\":{price}}}",
                at(row)
            )
        })
        .collect();
    let ndjson = bench.file("p.ndjson", objects.join("\n"));
    let array = bench.file("p.json", format!("[{}]", objects.join(",\n  ")));
    let pretty = bench.file(
        "q.json",
        objects
            .join("")
            .replace(",\"", ",\n  \"")
            .replace('}', "\n}\n"),
    );
    let micros = (0..floats.len()).map(|row| at(row) * 1_000_000);
    let batch = RecordBatch::try_from_iter([
        (
            "token_address",
            Arc::new(StringArray::from(vec!["T"; floats.len()])) as ArrayRef,
        ),
        (
            "timestamp",
            Arc::new(TimestampMicrosecondArray::from_iter_values(micros)),
        ),
        ("price", Arc::new(Float64Array::from(floats.to_vec()))),
    ]);
    let parquet = write_parquet(&bench, "p.parquet", &batch.unwrap());
    let expected = fingerprint(&csv);
    for file in [&ndjson, &array, &pretty, &parquet] {
        assert_eq!(fingerprint(file), expected, "{file}");
    }
    // One after the other, they say the same again. The largest leaves room for 16 digits.
    let summary = bench.load(&[], &[&csv], &[]).unwrap();
    assert_eq!(finding(&summary, "rounded_values").unwrap().row_count, 1);
    assert_eq!(finding(&summary, "rounded_to_fit").unwrap().row_count, 3);
    for file in [&ndjson, &array, &pretty, &parquet, &csv] {
        let again = bench.load(&[], &[file], &[]).unwrap();
        assert_eq!(
            (again.prices.added, again.fingerprint),
            (0, expected.clone()),
            "{file}"
        );
    }
    let (prices, scale) = prices_of(&bench.open(), "T");
    assert_eq!(scale, 16);
    let mantissas: Vec<_> = prices.iter().map(|(_, mantissa)| *mantissa).collect();
    assert_eq!(
        mantissas,
        [
            123_456_789_012,
            4_636_493_572_192,
            710_000,
            3_000_000_000_000_000,
            1_501_234_567_890_123_500
        ]
    );
}

#[test]
fn prices_too_fine_are_rounded_on_request() {
    let bench = Bench::new();
    let fine = bench.file(
        "p.csv",
        format!("{PRICES}T,1735689600,1.2345678901234567e-12\n"),
    );
    let error = bench.load(&[], &[&fine], &[]).unwrap_err();
    let message = bench.explained(&error);
    assert!(
        message.starts_with("p.csv: row 1 (line 2), column price: found 1.2345678901234567e-12, expected a price in SOL"),
        "{message}"
    );
    assert!(message.contains("--round-prices"), "{message}");
    let rounds = ReadOptions {
        round_prices: true,
        ..ReadOptions::default()
    };
    let summary = bench.load_as(rounds.clone(), &[], &[&fine], &[]).unwrap();
    assert_eq!(finding(&summary, "rounded_values").unwrap().row_count, 1);
    assert_eq!(prices_of(&bench.open(), "T"), (vec![(0, 1_234_568)], 18));
    // The same beside a price that leaves little room.
    let mixed = bench.file(
        "q.csv",
        format!("{PRICES}U,1735689600,0.000000000000000123\nU,1735689660,12.5\n"),
    );
    let message = bench.explained(&bench.load(&[], &[&mixed], &[]).unwrap_err());
    assert!(
        message.contains("prices of token U so large") && message.contains("--round-prices"),
        "{message}"
    );
    let summary = bench.load_as(rounds, &[], &[&mixed], &[]).unwrap();
    assert_eq!(finding(&summary, "rounded_to_fit").unwrap().row_count, 1);
}

#[test]
fn numbers_are_written_in_many_ways() {
    let bench = Bench::new();
    let rows = "A,1735689600,1\nA,1735689660,+1\nA,1735689720,1E0\nA,1735689780,.1e1\nA,1735689840,1.000000000000000000000\n";
    bench
        .load(&[], &[&bench.file("p.csv", PRICES.to_owned() + rows)], &[])
        .unwrap();
    let (prices, scale) = prices_of(&bench.open(), "A");
    assert_eq!(
        (
            prices.iter().map(|(_, price)| *price).collect::<Vec<_>>(),
            scale
        ),
        (vec![1; 5], 0)
    );
    for (value, expected) in [
        (
            "\"0,00012\"",
            "found 0,00012, with a decimal comma, expected a price in SOL that is not negative and has at most 18 fractional digits\nnumbers are written with a point: 0.00012",
        ),
        ("\"1.234,5\"", "numbers are written with a point: 1234.5"),
        ("\"1,234.5\"", "with commas between thousands"),
        ("$0.03", "write the number alone"),
        (
            "N/A",
            "N/A seems to stand for nothing: every row must have a value here",
        ),
        ("NULL", "NULL seems to stand for nothing"),
    ] {
        let file = bench.file("q.csv", format!("{PRICES}B,1735689600,{value}\n"));
        let message = bench.explained(&bench.load(&[], &[&file], &[]).unwrap_err());
        assert!(
            message.starts_with("q.csv: row 1 (line 2), column price: ")
                && message.contains(expected),
            "{message}"
        );
    }
}

#[test]
fn timestamps_that_cannot_be_meant_are_refused() {
    let bench = Bench::new();
    for (value, expected) in [
        (
            "1.73569E+12",
            "found 1.73569E+12, which has lost its last digits",
        ),
        (
            "01/02/2025 00:00",
            "the order of day and month is not guessed",
        ),
        ("13.02.2025", "the order of day and month is not guessed"),
        ("20250101", "a date is written as 2025-01-31"),
        (
            "173568960",
            "found 173568960, which is 1975-07-02T21:36:00Z, expected a time from 2009 to 2099",
        ),
        ("0001-01-01T00:00:00Z", "expected a time from 2009 to 2099"),
        ("2205-01-01", "expected a time from 2009 to 2099"),
        (
            "2025-01-01 00:00:00 Europe/Berlin",
            "Europe/Berlin is not understood",
        ),
        ("\\N", "\\N seems to stand for nothing"),
    ] {
        let file = bench.file("p.csv", format!("{PRICES}T,{value},1\n"));
        let message = bench.explained(&bench.load(&[], &[&file], &[]).unwrap_err());
        assert!(
            message.starts_with("p.csv: row 1 (line 2), column timestamp: ")
                && message.contains(expected),
            "{message}"
        );
    }
}

#[test]
fn header_names_are_found_and_the_rest_is_said() {
    let bench = Bench::new();
    let signals = bench.file(
        "s.csv",
        "ID, Timestamp ,tokenAddress,Wallet_Score,holder_dist,comment\na,1735689600,T,1,1,x\n",
    );
    let summary = bench.load(&[&signals], &[], &[]).unwrap();
    let misnamed = finding(&summary, "misnamed_columns").unwrap();
    assert!(
        misnamed
            .example
            .contains("holder_dist → holder_distribution?"),
        "{misnamed:?}"
    );
    assert_eq!(
        (misnamed.row_count, misnamed.severity),
        (1, Severity::Warning)
    );
    let unused = finding(&summary, "unused_columns").unwrap();
    assert!(
        unused.example.ends_with("s.csv: comment not used"),
        "{unused:?}"
    );
    let factor = bench
        .open()
        .signals
        .column(5)
        .as_primitive::<Decimal128Type>()
        .value(0);
    assert_eq!(factor, 1_000_000);
    // With --column nothing is left; the same of keys, and of factors in an object.
    let given = columns(&["holder_distribution=holder_dist"]);
    let other = Bench::new();
    let summary = other.load_as(given, &[&signals], &[], &[]).unwrap();
    assert!(finding(&summary, "misnamed_columns").is_none());
    let object = "{\"id\":\"a\",\"TimeStamp\":1735689600,\"token_address\":\"T\",\"note\":1,\"score_factors\":{\"Wallet_Score\":1,\"holder_dist\":1}}";
    let other = Bench::new();
    let summary = other
        .load(&[&other.file("s.ndjson", object)], &[], &[])
        .unwrap();
    let misnamed = finding(&summary, "misnamed_columns").unwrap();
    assert!(
        misnamed
            .example
            .contains("score_factors.holder_dist → holder_distribution?"),
        "{misnamed:?}"
    );
    assert!(
        finding(&summary, "unused_columns")
            .unwrap()
            .example
            .ends_with("s.ndjson: note not used")
    );
    assert_eq!(
        other
            .open()
            .signals
            .column(5)
            .as_primitive::<Decimal128Type>()
            .value(0),
        1_000_000
    );
}

#[test]
fn columns_that_are_called_otherwise_are_named() {
    let bench = Bench::new();
    let candles = "mint,time,open,close\nT,1735689600,1,2\n";
    let csv = bench.file("p.csv", candles);
    let message = bench.explained(&bench.load(&[], &[&csv], &[]).unwrap_err());
    assert_eq!(
        message,
        "p.csv: found no column token_address, timestamp, price among mint, time, open, close, \
         expected the columns token_address, timestamp, price\n\
         --column token_address=mint --column timestamp=time --column price=close if that is what it is called"
    );
    let given = columns(&[
        "token_address=mint",
        "token_prices.timestamp=time",
        "price=close",
    ]);
    let tsv = bench.file("p.tsv", candles.replace(',', "\t"));
    let psv = bench.file("p.psv", candles.replace(',', "|"));
    let ndjson = bench.file(
        "p.ndjson",
        "{\"mint\":\"T\",\"time\":1735689600,\"open\":1,\"close\":2}\n",
    );
    for file in [&csv, &tsv, &psv, &ndjson] {
        let bench = Bench::new();
        bench.load_as(given.clone(), &[], &[file], &[]).unwrap();
        assert_eq!(prices_of(&bench.open(), "T"), (vec![(0, 2)], 0), "{file}");
    }
    let message = bench.explained(&bench.load(&[], &[&ndjson], &[]).unwrap_err());
    assert!(
        message.contains(
            "the keys of the row are mint, time, open, close; --column token_address=mint"
        ),
        "{message}"
    );
    let unknown = bench
        .load_as(columns(&["prize=close"]), &[], &[&csv], &[])
        .unwrap_err();
    assert_eq!(unknown.exit_code(), 2);
}

#[test]
fn delimiters_are_told_or_given() {
    let bench = Bench::new();
    let semicolons = bench.file(
        "p.csv",
        "token_address;timestamp;price\nT;2025-01-01 00:00:00;0,00012\n",
    );
    let message = bench.explained(&bench.load(&[], &[&semicolons], &[]).unwrap_err());
    assert_eq!(
        message,
        "p.csv: found columns that seem to be separated by ;, expected columns separated by ,\n\
         --delimiter ';' reads them so"
    );
    let given = ReadOptions {
        delimiter: Some(Delimiter::parse(";").unwrap()),
        ..ReadOptions::default()
    };
    let error = bench
        .load_as(given.clone(), &[], &[&semicolons], &[])
        .unwrap_err();
    assert!(
        bench
            .explained(&error)
            .contains("found 0,00012, with a decimal comma")
    );
    // Another file of the same load may have its own.
    let commas = bench.file("s.csv", format!("{SIGNALS}a,1735689600,T,1\n"));
    let points = bench.file(
        "q.csv",
        "token_address;timestamp;price\nT;2025-01-01 00:00:00;0.00012\n",
    );
    let summary = bench.load_as(given, &[&commas], &[&points], &[]).unwrap();
    assert_eq!((summary.signals.total, summary.prices.total), (1, 1));
    let headless = bench.file("h.csv", "T,2025-01-01T00:00:00Z,0.00012\n");
    let message = bench.explained(&bench.load(&[], &[&headless], &[]).unwrap_err());
    assert!(
        message.contains("the first line seems to be data"),
        "{message}"
    );
}

#[test]
fn marks_blank_rows_and_repeated_headers_are_passed() {
    let bench = Bench::new();
    let plain =
        fingerprint(&bench.file("p.csv", format!("{PRICES}T,1735689600,1\nT,1735689660,2\n")));
    let mark = "\u{feff}";
    for (name, content) in [
        (
            "1.csv",
            format!(
                "{mark}{PRICES}T,1735689600,1\r\n,,\r\n\r\n{mark}{PRICES}T,1735689660,2\n,,\n , ,\n"
            ),
        ),
        (
            "2.csv",
            format!("\n{PRICES}\"T\",1735689600,1\n\"\",,\n{PRICES}T,1735689660,2\n"),
        ),
        (
            "3.ndjson",
            format!(
                "{mark}{{\"token_address\":\"T\",\"timestamp\":1735689600,\"price\":1}}\n\n{{\"token_address\":\"T\",\"timestamp\":1735689660,\"price\":2}}\n"
            ),
        ),
    ] {
        assert_eq!(fingerprint(&bench.file(name, content)), plain, "{name}");
    }
    let mut members = gzip(&format!("{PRICES}T,1735689600,1\n"));
    members.extend(gzip(&format!("{PRICES}T,1735689660,2\n")));
    let joined = bench.file("4.csv.gz", members);
    let summary = bench.load(&[], &[&joined], &[]).unwrap();
    assert_eq!(summary.fingerprint, plain);
    assert_eq!(finding(&summary, "repeated_headers").unwrap().row_count, 1);
    // Lines are counted with all of them.
    let wrong = bench.file(
        "5.csv",
        format!("{PRICES}T,1735689600,1\n,,\n\n{PRICES}T,1735689660,x\n"),
    );
    let message = bench.explained(&bench.load(&[], &[&wrong], &[]).unwrap_err());
    assert!(
        message.starts_with("5.csv: row 2 (line 6), column price: found x"),
        "{message}"
    );
}
