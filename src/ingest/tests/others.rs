//! What other programs write, and what is no data at all: read as it is meant, or told by its row.

use super::*;

const HEADER: &str = "token_address,timestamp,price\n";

#[test]
fn a_line_before_the_header_says_the_delimiter() {
    let fingerprint = |content: &str, reading: ReadOptions| {
        let bench = Bench::new();
        let file = bench.file("a.csv", content);
        bench
            .load_as(reading, &[], &[&file], &[])
            .unwrap()
            .fingerprint
    };
    let rows = "token_address;timestamp;price\nT;1735689600;1\nT;1735689660;2\n";
    let plain = fingerprint(&rows.replace(';', ","), ReadOptions::default());
    let given = |delimiter: &str| ReadOptions {
        delimiter: Some(Delimiter::parse(delimiter).unwrap()),
        ..ReadOptions::default()
    };
    for (content, reading) in [
        (format!("sep=;\n{rows}"), ReadOptions::default()),
        (
            format!("\u{feff}SEP=;\r\n{}", rows.replace('\n', "\r\n")),
            ReadOptions::default(),
        ),
        (
            format!("sep=\t\n{}", rows.replace(';', "\t")),
            ReadOptions::default(),
        ),
        (
            format!("sep=,\n{}", rows.replace(';', ",")),
            ReadOptions::default(),
        ),
        (format!("sep=,\n{rows}"), given(";")),
        // Put together of two of them.
        (format!("sep=;\n{rows}{rows}"), ReadOptions::default()),
        (
            format!("sep=;\n{rows}\u{feff}sep=;\r\n{rows}"),
            ReadOptions::default(),
        ),
        (
            format!("sep=;\n{rows}SEP=;\n{}", rows.replace('T', "\"T\"")),
            ReadOptions::default(),
        ),
    ] {
        assert_eq!(fingerprint(&content, reading), plain, "{content}");
    }
    let bench = Bench::new();
    assert_eq!(
        bench.refusal(
            "prices",
            "sep=;\ntoken_address;timestamp;price\nT;1735689600;1,5\n"
        ),
        "prices.csv: row 1 (line 3), column price: found 1,5, with a decimal comma, expected a price \
         in SOL that is not negative and has at most 18 fractional digits"
    );
    // Lines are counted with it; another delimiter than that of the header is none.
    for (second, expected) in [
        (
            "sep=;\ntoken_address;timestamp;price\nT;1735689720;x\n",
            "row 3 (line 7), column price: found x",
        ),
        (
            "sep=,\ntoken_address,timestamp,price\nT,1735689720,3\n",
            "row 3 (line 5): found 1 field in sep=,",
        ),
    ] {
        let found = bench.refusal("prices", &format!("sep=;\n{rows}{second}"));
        assert!(
            found.starts_with(&format!("prices.csv: {expected}")),
            "{found}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_told_by_their_row() {
    let bench = Bench::new();
    let good = "T,1735689600,1\n";
    let many = good.repeat(400_000);
    for (begin, wrong, expected) in [
        (
            "",
            &b"T,17356\x0089600,1\n"[..],
            "row 1 (line 2), column timestamp: found a byte that is 0",
        ),
        (
            "T,1735689600,1\n\n,,\n",
            b"T,1735689660,\x00",
            "row 2 (line 5), column price: found a byte that is 0",
        ),
        (
            "T,1735689600,1\n",
            &[0; 5000],
            "row 2 (line 3), column token_address: found a byte that is 0",
        ),
        (
            "\"T\",1735689600,1\n\n",
            b"T\xe9,1735689600,1\n",
            "row 2 (line 4), column token_address: found bytes that are not UTF-8",
        ),
        // Within quotes, after a record of several lines.
        (
            "\"a\nb\",1735689600,1\n",
            b"\"c\nd\xff\",1735689600,1\n",
            "row 2 (line 4), column token_address: found bytes that are not UTF-8",
        ),
        // What is wrong before it comes first.
        (
            "T,1735689600,x\n",
            b"T,\x00,1\n",
            "row 1 (line 2), column price: found x",
        ),
        (
            &many,
            b"T,1735689600,1\x00\n",
            "row 400001 (line 400002), column price: found a byte that is 0",
        ),
    ] {
        let content = [HEADER.as_bytes(), begin.as_bytes(), wrong, good.as_bytes()].concat();
        let file = bench.file("a.csv", content);
        let found = bench.refusal_of("prices", &file);
        assert!(found.starts_with(&format!("a.csv: {expected}")), "{found}");
    }
    let line = "{\"token_address\":\"T\",\"timestamp\":1735689600,\"price\":1}\n";
    for (wrong, expected) in [
        (
            &b"{\"token_address\":\"T\x00\"}"[..],
            "row 2: found a byte that is 0",
        ),
        (
            b"{\"token_address\":\"\xe9\"}",
            "row 2: found bytes that are not UTF-8",
        ),
    ] {
        let file = bench.file("a.ndjson", [line.as_bytes(), wrong].concat());
        let found = bench.refusal_of("prices", &file);
        assert!(
            found.starts_with(&format!("a.ndjson: {expected}")),
            "{found}"
        );
    }
}

#[test]
fn what_is_no_row_is_told_by_what_it_seems_to_be() {
    let bench = Bench::new();
    let drawn = " token_address |  timestamp | price \n---------------+------------+-------\n T | 1735689600 | 1\n";
    for (name, content, found, hint) in [
        ("drawn.psv", drawn.to_owned(), "row 1 (line 2): found 1 field in -----", "psql --csv"),
        ("footer.csv", format!("{HEADER}T,1735689600,1\n(1 row)\n"), "row 2 (line 3): found 1 field in (1 row), expected 3", "psql --csv"),
        ("ends.csv", format!("{HEADER}T,1735689600,1,\n"), "row 1 (line 2): found 4 fields in T,1735689600,1,", "end in a delimiter"),
        ("short.csv", format!("{HEADER}T,1735689600\n"), "row 1 (line 2): found 2 fields in T,1735689600, expected 3", ""),
        ("json.csv", "{\"token_address\":\"T\",\"timestamp\":1735689600,\"price\":1}\n".to_owned(), "found what seems to be JSON", ".ndjson"),
        ("csv.json", format!("{HEADER}T,1735689600,1\n"), "row 1: found token_address", "ends in .csv"),
        ("xml.csv", "<?xml version=\"1.0\"?>\n<a/>".to_owned(), "found XML", "as CSV or JSON"),
        ("dump.csv", "--\n-- PostgreSQL database dump\n--\n".to_owned(), "found statements of SQL", "--from"),
        ("dump.sql", String::new(), "found a database", "--from"),
        ("text.parquet", format!("{HEADER}T,1735689600,1\n"), "found what seems to be text", "ends in .csv"),
        ("empty.parquet", String::new(), "found an empty file", "again"),
        ("cut.parquet", format!("PAR1{}", "x".repeat(200)), "found a Parquet file without its end", "cut short"),
        ("all.parquet.gz", String::new(), "found a Parquet file that is compressed as a whole", "gunzip"),
        ("nothing.json", "{}".to_owned(), "row 1, column token_address: found nothing", "no keys"),
        ("index.json", "{\"0\":{\"token_address\":\"T\"},\"1\":{\"token_address\":\"T\"}}".to_owned(), "row 1, column token_address: found nothing", "to_json(orient='records')"),
        ("table.json", "{\"schema\":{\"fields\":[{\"name\":\"price\"}]},\"data\":[{\"token_address\":\"T\",\"price\":1}]}".to_owned(), "found one JSON object with the keys schema, data", "jq -c '.data[]'"),
        ("day.csv", format!("{HEADER}T,2025-02-29T00:00:00Z,1\n"), "row 1 (line 2), column timestamp: found 2025-02-29", "no such day"),
        ("days.csv", format!("{HEADER}T,45658.5,1\n"), "row 1 (line 2), column timestamp: found 45658.5", "a spreadsheet counts"),
    ] {
        let file = bench.file(name, content);
        let said = bench.explained(&bench.load(&[], &[&file], &[]).unwrap_err());
        assert!(said.starts_with(&format!("{name}: {found}")), "{said}");
        let (_, given) = said.split_once('\n').unwrap();
        assert!(given.contains(hint) && given.is_empty() == hint.is_empty(), "{said}");
    }
}

#[test]
fn what_people_write_is_told_how_it_is_written() {
    let bench = Bench::new();
    let hint_of = |table: &str, content: &str| {
        let file = bench.file(&format!("{table}.csv"), content);
        let loaded = match table {
            "signals" => bench.load(&[&file], &[], &[]),
            "trades" => bench.load(&[], &[], &[&file]),
            _ => bench.load(&[], &[&file], &[]),
        };
        let said = bench.explained(&loaded.unwrap_err());
        let (found, hint) = said.split_once('\n').unwrap();
        assert!(found.starts_with(&format!("{table}.csv: ")), "{said}");
        hint.to_owned()
    };
    for (price, expected) in [
        ("1 234.5", "without anything between its digits: 1234.5"),
        (
            "1\u{a0}234.5",
            "without anything between its digits: 1234.5",
        ),
        ("1_234.5", "without anything between its digits: 1234.5"),
        ("1'234.5", "without anything between its digits: 1234.5"),
        ("0.5\u{200b}", "without anything between its digits: 0.5"),
        ("'0.5", "without quotes: 0.5"),
        ("\"=\"\"0.5\"\"\"", "without quotes: 0.5"),
        (
            "#DIV/0!",
            "a spreadsheet shows #DIV/0! where a formula failed",
        ),
        (
            "#NAME?",
            "a spreadsheet shows #NAME? where a formula failed",
        ),
        ("0.0₅12", "a small digit stands for so many zeros"),
        ("1.5D-5", "a number is written as 0.00012 or 1.2e-4"),
        ("1/3", "a number is written as 0.00012 or 1.2e-4"),
        ("<0.1", "a number is written as 0.00012 or 1.2e-4"),
        ("much", ""),
    ] {
        let hint = hint_of("prices", &format!("{HEADER}T,1735689600,{price}\n"));
        assert!(
            hint.contains(expected) && hint.is_empty() == expected.is_empty(),
            "{price}: {hint}"
        );
    }
    for (time, expected) in [
        ("2025-1-2 0:05", "two digits for its month and its day"),
        ("2025/01/02 00:05", "a date has hyphens"),
        ("2025-02-30", "there is no such day"),
        ("Jan 2 2025 00:05", "a month is written in digits"),
        (
            "Wed Jan 01 2025 00:00:00 GMT+0000",
            "a month is written in digits",
        ),
        ("2025-01-02 01:00 PM", "hours are counted to 24"),
        ("2025-01-02 24:00:00", "hours from 00 to 23"),
        ("\"2025-01-02 00:00:00,5\"", "with a point"),
        ("2025-01-02 00:00:00 EST", "EST is not understood"),
        (
            "0000-00-00 00:00:00",
            "seems to stand for nothing: every row",
        ),
        ("0", "epoch numbers count"),
    ] {
        let hint = hint_of("prices", &format!("{HEADER}T,{time},1\n"));
        assert!(hint.contains(expected), "{time}: {hint}");
    }
    let outcomes = "signal_id,entry_timestamp,exit_timestamp,entry_price,realized_pnl_sol\n";
    for (row, expected) in [
        (
            "0,1,",
            "0 seems to stand for nothing: where there is no value, write none",
        ),
        ("2025-01-02,1,(0.05)", "a minus before it: -0.05"),
        ("2025-01-02,1,−0.05", "a minus before it: -0.05"),
        ("2025-01-02,1,0.05-", "a minus before it: -0.05"),
    ] {
        let hint = hint_of("trades", &format!("{outcomes}a,2025-01-01,{row}\n"));
        assert!(hint.contains(expected), "{row}: {hint}");
    }
    let signals = "id,timestamp,token_address,momentum,score_factors\n";
    for (row, expected) in [
        (
            "1.0000000000000002,",
            "a little more than 1 is written as 1",
        ),
        ("80,", "divided by 100"),
        (",\"{'momentum': 0.5}\"", "json.dumps"),
    ] {
        let content = format!("{signals}a,2025-01-01,T,{row}\n");
        let content = match row.starts_with(',') {
            true => content.replace("momentum,", "x,"),
            false => content.replace(",score_factors", ",x"),
        };
        let hint = hint_of("signals", &content);
        assert!(hint.contains(expected), "{row}: {hint}");
    }
    for (content, expected) in [
        (
            format!("Prices of January\n\n{HEADER}T,1735689600,1\n"),
            "line 3 has the names of the columns: tail -n +3 FILE",
        ),
        (
            format!("{}T 1735689600 1\n", HEADER.replace(',', " ")),
            "--delimiter ' ' reads them so",
        ),
        (
            "timestamp,TokA,TokB\n1735689600,1,2\n".into(),
            "if each token has a column of its own, unpivot of DuckDB",
        ),
        (
            "block_time,token_mint_address,price\n".into(),
            "--column timestamp=block_time --column token_address=token_mint_address",
        ),
        (
            format!("{HEADER}T,1735689600,1\n\\.\n"),
            "a dump of PostgreSQL ends its rows so",
        ),
    ] {
        let hint = hint_of("prices", &content);
        assert!(hint.contains(expected), "{content}: {hint}");
    }
    for (name, content, expected) in [
        (
            "nested.ndjson",
            "{\"token_address\":{\"address\":\"T\"},\"timestamp\":1735689600,\"price\":1}",
            "jq -c '.token_address = .KEY.address'",
        ),
        (
            "candle.ndjson",
            "{\"c\":1.5,\"unixTime\":1735689600,\"address\":\"T\"}",
            "--column price=c --column timestamp=unixTime --column token_address=address if",
        ),
        (
            "pointer.parquet",
            "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n",
            "git lfs pull",
        ),
    ] {
        let file = bench.file(name, content);
        let said = bench.explained(&bench.load(&[], &[&file], &[]).unwrap_err());
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn what_cannot_be_read_in_a_directory_is_told() {
    let bench = Bench::new();
    let folder = bench.directory.path().join("prices");
    std::fs::create_dir(&folder).unwrap();
    for name in ["a.csv", "a.csv~", "~$a.csv"] {
        std::fs::write(folder.join(name), format!("{HEADER}T,1735689600,1\n")).unwrap();
    }
    // A pipe that nobody writes to.
    let made = std::process::Command::new("mkfifo")
        .arg(folder.join("b.csv"))
        .status();
    assert!(made.unwrap().success());
    let path = folder.to_str().unwrap();
    let summary = bench.load(&[], &[path], &[]).unwrap();
    assert_eq!(finding(&summary, "files_not_read").unwrap().row_count, 3);
    let link = folder.join("c.csv");
    std::os::unix::fs::symlink("nowhere.csv", &link).unwrap();
    for input in [path, link.to_str().unwrap(), &format!("{path}/c*")] {
        let found = bench.message(&bench.load(&[], &[input], &[]).unwrap_err());
        assert_eq!(
            found,
            "prices/c.csv: found a link to nowhere.csv, which is not there, expected a file"
        );
    }
    let nothing = folder.join("token_address=__HIVE_DEFAULT_PARTITION__");
    std::fs::remove_file(link).unwrap();
    std::fs::create_dir(&nothing).unwrap();
    std::fs::write(nothing.join("a.csv"), "timestamp,price\n1735689600,1\n").unwrap();
    let found = bench.message(&bench.load(&[], &[path], &[]).unwrap_err());
    assert!(
        found.contains("found no column token_address among"),
        "{found}"
    );
}

#[test]
fn what_never_ends_is_refused_by_its_beginning() {
    for (format, expected) in [
        ("csv", "found bytes that are no text"),
        ("ndjson", "found bytes that are no text"),
        ("parquet", "found bytes that no Parquet file begins with"),
    ] {
        let bench = Bench::new();
        let reading = ReadOptions {
            input_format: Some(InputFormat::parse(format).unwrap()),
            ..ReadOptions::default()
        };
        let found = bench
            .load_as(reading, &[], &["/dev/zero"], &[])
            .unwrap_err();
        assert!(
            found
                .to_string()
                .starts_with(&format!("/dev/zero: {expected}")),
            "{found}"
        );
    }
}

#[test]
fn one_price_written_in_several_ways_is_one() {
    let bench = Bench::new();
    let rows = "T,2025-01-01T00:00:00Z,1\nT,2025-01-01T01:00:00+01:00,1.0\nT,1735689600,1e0\n\
                T,1735689600000,1.000000000000000000\n";
    let file = bench.file("a.csv", format!("{HEADER}{rows}"));
    let summary = bench.load(&[], &[&file], &[]).unwrap();
    assert_eq!((summary.prices.added, summary.prices.total), (1, 1));
    assert_eq!(finding(&summary, "duplicate_rows").unwrap().row_count, 3);
}
