//! What is not what its name says, or says one thing twice: each is told by what it seems to be.

use std::io::Write;

use super::*;

/// A row of prices as JSON, over several lines.
fn row(price: &str) -> String {
    format!(
        "  {{\n    \"token_address\": \"T\",\n    \"timestamp\": 1735689600,\n    \"price\": {price}\n  }}"
    )
}

#[test]
fn rows_of_json_say_their_line() {
    let bench = Bench::new();
    let all = (0..3000)
        .map(|second| row("1").replace("1735689600", &(1_735_689_600 + second).to_string()))
        .collect::<Vec<_>>();
    let pretty = format!("[\n{},\n\n{}\n]\n", all.join(",\n"), row("-1"));
    let flat = "[{\"token_address\":\"T\",\"timestamp\":1735689600,\"price\":1},\n\n\
                {\"token_address\":\"T\",\"timestamp\":1735689660,\"price\":1}, \
                {\"token_address\":\"T\",\"timestamp\":1735689720,\"price\":\"x\"}]";
    let contradicting = format!("[{},\n{}\n]", row("1"), row("2"));
    for (name, content, expected) in [
        (
            "pretty.json",
            pretty.as_str(),
            "row 3001 (line 15003), column price: found -1",
        ),
        ("flat.json", flat, "row 3, column price: found x"),
        (
            "two.json",
            "{\"token_address\":\"T\",\n\"timestamp\":1735689600,\n\"price\":1}\n{\"price\":1}",
            "row 2 (line 4), column token_address: found nothing",
        ),
        (
            "contradicting.json",
            contradicting.as_str(),
            "row 2 (line 6), column price: found 2 for token T at 2025-01-01T00:00:00Z, expected 1 \
             as in contradicting.json, row 1:",
        ),
    ] {
        let file = bench.file(name, content);
        let found = bench.refusal_of("prices", &file);
        assert!(found.starts_with(&format!("{name}: {expected}")), "{found}");
    }
}

#[test]
fn one_value_said_twice_is_refused() {
    let bench = Bench::new();
    for (keys, name) in [
        ("\"price\":1,\"price\":2", "price"),
        ("\"price\":1,\"Price\":1", "price"),
        ("\"price\":1,\"timestamp\":1735689660", "timestamp"),
    ] {
        let row = format!("{{\"token_address\":\"T\",\"timestamp\":1735689600,{keys}}}");
        for (file, content) in [
            ("a.ndjson", format!("{row}\n")),
            ("a.json", format!("[{row}]")),
        ] {
            let file = bench.file(file, content);
            assert_eq!(
                bench
                    .refusal_of("prices", &file)
                    .split_once(": ")
                    .unwrap()
                    .1,
                format!("row 1: found two keys for {name}, expected every key once")
            );
        }
    }
    // A key that is not ours may be there as often as it likes.
    let file = bench.file(
        "b.ndjson",
        "{\"token_address\":\"T\",\"x\":1,\"x\":2,\"timestamp\":1735689600,\"price\":1}",
    );
    assert!(bench.load(&[], &[&file], &[]).is_ok());
}

#[test]
fn what_a_file_seems_to_be_is_said() {
    let bench = Bench::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let rows = (0..1000).map(|second| format!("T,{},1.{second}\n", 1_735_689_600 + second));
    let csv = format!(
        "token_address,timestamp,price\n{}",
        rows.collect::<String>()
    );
    gzip.write_all(csv.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    for (name, content, found, hint) in [
        (
            "page.csv",
            &b"\n<!DOCTYPE HTML><html><body>429</body></html>"[..],
            "found a web page",
            "download them again",
        ),
        (
            "page.json",
            b"<html>",
            "found a web page",
            "download them again",
        ),
        (
            "old.csv",
            b"token_address,timestamp,price\rT,1735689600,1\r",
            "found lines that end in a carriage return alone",
            "tr '\\r' '\\n'",
        ),
        (
            "comment.csv",
            b"# prices of T\ntoken_address,timestamp,price\n",
            "found no column token_address",
            "line 2 has the names of the columns: tail -n +2",
        ),
        (
            "plain.csv.gz",
            csv.as_bytes(),
            "found invalid gzip header",
            "not compressed by gzip",
        ),
        (
            "more.csv.gz",
            &[&gzip[..], b"trailing garbage"].concat(),
            "found invalid gzip header",
            "or not to its end",
        ),
        (
            "damaged.csv.gz",
            &[&gzip[..gzip.len() - 8], &[0; 8]].concat(),
            "found corrupt gzip stream does not have a matching checksum",
            "it is damaged",
        ),
        (
            "cut.csv.gz",
            &gzip[..gzip.len() / 2],
            "found",
            "it is cut short",
        ),
        (
            "all.tar.gz",
            &gzip,
            "found an archive, which is not read",
            "unpack it",
        ),
        (
            "all.tar.zst",
            &gzip,
            "found an archive, which is not read",
            "unpack it",
        ),
        (
            "candles.json",
            b"[[1735689600,1,2,0.5,1.5]]",
            "row 1: found an array",
            "jq names the elements",
        ),
        (
            "columns.json",
            b"{\"token_address\":{\"0\":\"T\"},\"timestamp\":{\"0\":1735689600000},\"price\":{\"0\":1}}",
            "row 1, column token_address: found {",
            "orient='records'",
        ),
        (
            "put_together.csv",
            b"token_address,timestamp,price\nT,1735689600,1\ntimestamp,token_address,price\n",
            "row 2 (line 3), column timestamp: found token_address",
            "a header with other columns",
        ),
        (
            "plain.csv.zst",
            csv.as_bytes(),
            "found Unknown frame descriptor",
            "not compressed by zstd",
        ),
        (
            "signals.csv",
            b"id,timestamp,token_address\n",
            "found no column price among",
            "it has the columns of signals: --signals loads them",
        ),
        (
            "null.ndjson",
            b"{\"token_address\":null,\"timestamp\":1735689600,\"price\":1}",
            "row 1, column token_address: found nothing",
            "",
        ),
    ] {
        let file = bench.file(name, content);
        let error = bench.load(&[], &[&file], &[]).unwrap_err();
        let said = bench.explained(&error);
        assert!(said.starts_with(&format!("{name}: {found}")), "{said}");
        let (_, given) = said.split_once('\n').unwrap();
        assert!(
            given.contains(hint) && given.is_empty() == hint.is_empty(),
            "{said}"
        );
    }
}

#[test]
fn files_without_rows_are_said() {
    let bench = Bench::new();
    let header = "token_address,timestamp,price\n";
    let empty = bench.file("empty.csv", header);
    let none = bench.file("none.json", "[]");
    let full = bench.file("full.csv", format!("{header}T,1735689600,1\n"));
    let summary = bench.load(&[], &[&empty, &none], &[]).unwrap();
    let found = finding(&summary, "empty_files").unwrap();
    assert_eq!((found.row_count, found.severity), (2, Severity::Warning));
    let summary = bench.load(&[], &[&empty, &full], &[]).unwrap();
    let found = finding(&summary, "empty_files").unwrap();
    assert_eq!((found.row_count, found.severity), (1, Severity::Info));
    assert!(found.example.ends_with("empty.csv: no rows in it"));
    assert!(finding(&bench.load(&[], &[&full], &[]).unwrap(), "empty_files").is_none());
}
