//! What a file holds is told by its content, or by the options.

use super::formats::gzip;
use super::*;

const PRICES: &str = "token_address,timestamp,price\n";

#[test]
fn what_is_no_text_is_named() {
    let bench = Bench::new();
    let utf16: Vec<u8> = PRICES.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xFF\xFE".to_vec(), utf16.clone()].concat();
    for (name, content, expected) in [
        (
            "a.csv",
            marked,
            "a.csv: found text in UTF-16, expected text in UTF-8\niconv -f UTF-16",
        ),
        (
            "u.csv",
            b"\xFF\xFE\0\0t\0\0\0".to_vec(),
            "u.csv: found text in UTF-32, expected text in UTF-8\niconv -f UTF-32",
        ),
        (
            "b.ndjson",
            utf16,
            "b.ndjson: found text that seems to be in UTF-16",
        ),
        ("c.csv", gzip(PRICES), "c.csv: found a gzip file"),
        (
            "d.csv",
            b"PK\x03\x04xx".to_vec(),
            "d.csv: found a zip file, as those of Excel are",
        ),
        ("e.csv", b"PAR1xxx".to_vec(), "e.csv: found a Parquet file"),
        (
            "f.csv",
            b"\x7fELF\x02\x01\x01\0\0\0\n\n".to_vec(),
            "f.csv: found bytes that are no text",
        ),
        (
            "g.zip",
            Vec::new(),
            "g.zip: found a zip archive, which is not read",
        ),
        (
            "h.xlsx",
            Vec::new(),
            "h.xlsx: found a spreadsheet, which is not read",
        ),
        (
            "i.csv.bz2",
            Vec::new(),
            "i.csv.bz2: found a file compressed in a way that is not read",
        ),
    ] {
        let file = bench.file(name, content);
        let message = bench.explained(&bench.load(&[], &[&file], &[]).unwrap_err());
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn json_that_wraps_its_rows_is_refused_with_the_way_out() {
    let bench = Bench::new();
    let wrapped =
        "{\"success\": true, \"data\": {\"items\": [{\"unixTime\": 1735689600, \"value\": 0.5}]}}";
    let file = bench.file("p.json", wrapped);
    let message = bench.explained(&bench.load(&[], &[&file], &[]).unwrap_err());
    assert_eq!(
        message,
        "p.json: found one JSON object with the keys success, data, expected an object for each row, or an array of them\n\
         jq -c '.data.items[]' p.json | hindsight load --prices - --input-format ndjson takes the rows out of it"
    );
    for (content, expected) in [
        ("[1]", "found 1, expected a JSON object for each row"),
        (
            "[{\"token_address\":\"T\"",
            "found JSON that ends in the middle of the value that begins in line 1",
        ),
        (
            "{\"token_address\":\"T\",\"timestamp\":1735689600,\"price\":NaN}",
            "JSON knows no NaN",
        ),
    ] {
        let file = bench.file("q.json", content);
        let message = bench.explained(&bench.load(&[], &[&file], &[]).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_quote_within_a_field_is_a_character_in_files_of_any_size() {
    for rows in [1000, 120_000] {
        let bench = Bench::new();
        let mut text = "id,timestamp,token_address,label\n".to_owned();
        for row in 0..rows {
            let label = match row {
                0 => "5\" club",
                7 => "\"a, \"\"b\"\"\"",
                _ => "plain label of some length plain label of some length",
            };
            text += &format!("S{row},2025-01-01T00:00:00Z,T,{label}\n");
        }
        let summary = bench.load(&[&bench.file("s.csv", text)], &[], &[]).unwrap();
        assert_eq!(summary.signals.total, rows);
    }
}

#[test]
fn formats_without_a_name_are_given() {
    let bench = Bench::new();
    let text = bench.file("prices.txt", format!("{PRICES}T,1735689600,1\n"));
    let message = bench.explained(&bench.load(&[], &[&text], &[]).unwrap_err());
    assert!(
        message.contains("--input-format says the format"),
        "{message}"
    );
    let given = ReadOptions {
        input_format: Some(InputFormat::parse("csv").unwrap()),
        ..ReadOptions::default()
    };
    bench.load_as(given, &[], &[&text], &[]).unwrap();
    assert!(InputFormat::parse("xml").is_err());
    let error = bench.load(&[], &["-"], &[]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
}
