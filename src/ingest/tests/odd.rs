//! Directories, sales that are alike, and findings that save a decision.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::parquet::data_type::{
    ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use datafusion::parquet::file::writer::SerializedFileWriter;
use datafusion::parquet::schema::parser::parse_message_type;

use super::formats::write_parquet;
use super::*;

const SIGNALS: &str = "id,timestamp,token_address,wallet_score,token_metrics,liquidity,holder_distribution,momentum\n";
const PRICES: &str = "token_address,timestamp,price\n";
const OUTCOMES: &str = "signal_id,entry_timestamp,exit_timestamp,entry_price,realized_pnl_sol\n";

fn signal(id: &str, at: &str, token: &str) -> String {
    format!("{id},{at},{token},1,1,1,1,1\n")
}

#[test]
fn folders_hold_values_of_columns() {
    let bench = Bench::new();
    for (folder, seconds) in [("token_address=Tok%41", 0), ("token_address=TokB", 60)] {
        let folder = bench
            .directory
            .path()
            .join("hive")
            .join(folder)
            .join("year=2025");
        std::fs::create_dir_all(&folder).unwrap();
        let micros = [(1_735_689_600 + seconds) * 1_000_000];
        let batch = RecordBatch::try_from_iter([
            (
                "timestamp",
                Arc::new(TimestampMicrosecondArray::from_iter_values(micros)) as ArrayRef,
            ),
            ("price", Arc::new(StringArray::from(vec!["2"]))),
        ]);
        let name = folder.join("part-0.parquet");
        write_parquet(&bench, name.to_str().unwrap(), &batch.unwrap());
        std::fs::write(
            folder.join("part-1.csv"),
            format!("timestamp,price\n{},3\n", 1_735_689_720 + seconds),
        )
        .unwrap();
        std::fs::write(
            folder.join("part-2.ndjson"),
            format!("{{\"timestamp\":{},\"price\":4}}", 1_735_689_840 + seconds),
        )
        .unwrap();
    }
    std::fs::write(bench.directory.path().join("hive/_SUCCESS"), "").unwrap();
    std::fs::write(bench.directory.path().join("hive/.hidden.csv"), "").unwrap();
    let folder = bench.directory.path().join("hive");
    let folder = folder.to_str().unwrap();
    let summary = bench.load(&[], &[folder], &[]).unwrap();
    assert_eq!(
        prices_of(&bench.open(), "TokA"),
        (vec![(0, 2), (120, 3), (240, 4)], 0)
    );
    assert_eq!(
        prices_of(&bench.open(), "TokB"),
        (vec![(60, 2), (180, 3), (300, 4)], 0)
    );
    let not_read = finding(&summary, "files_not_read").unwrap();
    assert_eq!((not_read.row_count, not_read.severity), (2, Severity::Info));
    let pattern = format!("{folder}/*/*/*");
    assert_eq!(
        Bench::new()
            .load(&[], &[&pattern], &[])
            .unwrap()
            .fingerprint,
        summary.fingerprint
    );
    let pattern = format!("{folder}/*");
    let names = bench.load(&[], &[&pattern], &[]).unwrap_err().to_string();
    assert!(
        names.contains("_SUCCESS: found a file of no known format"),
        "{names}"
    );
}

#[test]
fn what_a_file_and_its_folder_both_say_must_be_the_same() {
    let bench = Bench::new();
    let folder = bench
        .directory
        .path()
        .join("hive/token_address=T/Timestamp=2025");
    std::fs::create_dir_all(&folder).unwrap();
    let put = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let object = |token: &str, seconds: u32| {
        format!("{{\"token_address\":\"{token}\",\"timestamp\":{seconds},\"price\":2}}\n")
    };
    let parquet = |name: &str, tokens: Vec<&str>| {
        let micros = (0..tokens.len() as i64).map(|row| 1_735_689_600_000_000 + row);
        let batch = RecordBatch::try_from_iter([
            (
                "token_address",
                Arc::new(StringArray::from(tokens.clone())) as ArrayRef,
            ),
            (
                "timestamp",
                Arc::new(TimestampMicrosecondArray::from_iter_values(micros)),
            ),
            (
                "price",
                Arc::new(StringArray::from(vec!["2"; tokens.len()])),
            ),
        ]);
        write_parquet(&bench, folder.join(name).to_str().unwrap(), &batch.unwrap())
    };
    // The same in both is as well as in one; the time of a row is finer than that of a folder.
    for file in [
        put("a.csv", "Token Address,timestamp,price\nT,1735689600,2\n"),
        put("a.ndjson", &object("T", 1_735_689_660)),
        parquet("a.parquet", vec!["T"]),
    ] {
        let summary = bench.load(&[], &[&file], &[]).unwrap();
        let unused = finding(&summary, "unused_columns").unwrap();
        assert!(
            unused
                .example
                .ends_with("Timestamp in names of folders not used"),
            "{unused:?}"
        );
    }
    let others = [
        (
            put(
                "b.csv",
                &format!("{PRICES}T,1735689600,2\n\nS,1735689660,2\n"),
            ),
            "b.csv: row 2 (line 4)",
        ),
        (
            put(
                "b.ndjson",
                &(object("T", 1_735_689_600) + &object("S", 1_735_689_660)),
            ),
            "b.ndjson: row 2",
        ),
        (parquet("b.parquet", vec!["T", "S"]), "b.parquet: row 2"),
    ];
    for (file, place) in &others {
        let message = bench.explained(&bench.load(&[], &[file], &[]).unwrap_err());
        assert_eq!(
            message,
            format!(
                "hive/token_address=T/Timestamp=2025/{place}, column token_address: found S in a \
                 folder token_address=T, expected the same in the file and in the name of its folder\n\
                 --column token_address=token_address takes what the file says"
            )
        );
        let given = ReadOptions {
            columns: vec![ColumnName::parse("token_address=token_address").unwrap()],
            ..ReadOptions::default()
        };
        let other = Bench::new();
        let summary = other.load_as(given, &[], &[file], &[]).unwrap();
        assert_eq!(summary.prices.total, 2);
        assert_eq!(prices_of(&other.open(), "S").0.len(), 1);
    }
    // Texts of the other tables are compared too.
    let signals = put(
        "s.csv",
        &(SIGNALS.to_owned() + &signal("a", "2025-01-01", "S")),
    );
    let message = bench.explained(&bench.load(&[&signals], &[], &[]).unwrap_err());
    assert!(
        message.contains("found S in a folder token_address=T"),
        "{message}"
    );
}

#[test]
fn what_a_directory_holds_beside_is_refused_or_named() {
    let bench = Bench::new();
    let folder = bench.directory.path().join("prices");
    std::fs::create_dir(&folder).unwrap();
    let put = |name: &str| {
        std::fs::write(folder.join(name), format!("{PRICES}T,1735689600,1\n")).unwrap()
    };
    put("a.csv");
    put("README.md");
    let path = folder.to_str().unwrap();
    let summary = bench.load(&[], &[path], &[]).unwrap();
    let not_read = finding(&summary, "files_not_read").unwrap();
    assert!(
        not_read.example.ends_with("prices/README.md") && not_read.severity == Severity::Warning
    );
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        // Named by somebody who has no UTF-8.
        let name = std::ffi::OsStr::from_bytes(b"\xe9t\xe9.csv");
        std::fs::write(folder.join(name), format!("{PRICES}S,1735689600,1\n")).unwrap();
        let summary = bench.load(&[], &[path], &[]).unwrap();
        assert_eq!(summary.prices.added, 1);
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    put("b.zip");
    let message = bench.explained(&bench.load(&[], &[path], &[]).unwrap_err());
    assert!(
        message.starts_with("prices/b.zip: found a zip archive, which is not read"),
        "{message}"
    );
    std::fs::remove_file(folder.join("b.zip")).unwrap();
    std::fs::create_dir(folder.join("june")).unwrap();
    assert!(bench.load(&[], &[path], &[]).is_ok());
    put("june/c.csv");
    let message = bench.explained(&bench.load(&[], &[path], &[]).unwrap_err());
    assert!(
        message.starts_with("prices/june: found a folder with data files")
            && message.contains("/**/*.csv"),
        "{message}"
    );
    let every = format!("{path}/**/*.csv");
    assert!(bench.load(&[], &[&every], &[]).is_ok());
}

#[test]
fn sales_that_are_alike_in_one_file_are_as_many() {
    let bench = Bench::new();
    let sale = "a,2025-01-01T00:00:00Z,2025-01-01T01:00:00Z,1,0.05\n";
    let one = bench.file("one.csv", format!("{OUTCOMES}{sale}"));
    let two = bench.file(
        "two.csv",
        format!("{OUTCOMES}{sale}{sale}b,2025-01-01,,,\n"),
    );
    let summary = bench.load(&[], &[], &[&one, &two, &one]).unwrap();
    assert_eq!(summary.trade_outcomes.total, 3);
    assert_eq!(finding(&summary, "identical_rows").unwrap().row_count, 1);
    for files in [vec![&two], vec![&one], vec![&two, &one]] {
        let files: Vec<_> = files.into_iter().map(String::as_str).collect();
        let again = bench.load(&[], &[], &files).unwrap();
        assert_eq!(
            (again.trade_outcomes.added, again.trade_outcomes.total),
            (0, 3)
        );
        assert_eq!(again.fingerprint, summary.fingerprint);
    }
    // One that was loaded alone gets its like later.
    let other = Bench::new();
    other.load(&[], &[], &[&one]).unwrap();
    let later = other.load(&[], &[], &[&two]).unwrap();
    assert_eq!(
        (later.trade_outcomes.added, later.fingerprint),
        (2, summary.fingerprint)
    );
}

#[test]
fn findings_save_decisions() {
    let bench = Bench::new();
    let times: Vec<_> = (0..10)
        .map(|minute| format!("2025-01-01T00:{minute:02}:00Z"))
        .collect();
    let mut signals = SIGNALS.to_owned();
    signals += &signal("101", &times[0], "T");
    signals += &signal("102", &times[0], "T");
    signals += &signal("B", &times[0], "t");
    signals += &signal("b", "2025-02-01T00:00:00Z", "T");
    signals += &signal("103", &times[0], "L");
    let mut prices = PRICES.to_owned();
    for (minute, time) in times.iter().enumerate() {
        prices += &format!("T,{time},{}\n", if minute == 4 { 30.0 } else { 0.03 });
        prices += &format!("N,{time},0.{}\n", 1234567890123456_u64 + minute as u64 * 2);
    }
    prices += "L,2025-01-01T01:30:00Z,1\n";
    let mut outcomes = OUTCOMES.to_owned();
    for (id, pnl) in [("101.0", "1"), ("101", "10"), ("102", "2")] {
        outcomes += &format!("{id},{},{},0.0002,{pnl}\n", times[1], times[2]);
    }
    let summary = bench
        .load(
            &[&bench.file("s.csv", signals)],
            &[&bench.file("p.csv", prices)],
            &[&bench.file("o.csv", outcomes)],
        )
        .unwrap();
    let said = |check: &str, rows: u64, expected: &str| {
        let found = finding(&summary, check);
        let found = found.unwrap_or_else(|| panic!("no {check} in {:?}", summary.findings));
        assert_eq!(found.row_count, rows, "{found:?}");
        assert!(found.example.contains(expected), "{found:?}");
    };
    said(
        "price_unit",
        2,
        "about 150 times below the token prices at that time (median over 2 trades): are they in the same unit?",
    );
    said(
        "price_leaps",
        1,
        "token T leaps 1000 times up at 2025-01-01T00:04:00Z and back with the next price",
    );
    said("one_trade_dominates", 1, "signal 101: 10 SOL of 13 SOL");
    said(
        "entry_after_hold_limit",
        1,
        "signal 103: the next price of token L comes 90 minutes after it",
    );
    said("float_noise", 10, "token N: most prices have 16 digits");
    said(
        "range_not_covered",
        1,
        "the prices reach from 2025-01-01T00:00:00Z to 2025-01-01T01:30:00Z",
    );
    said(
        "similar_tokens",
        1,
        "signal B is of token \"t\", prices are of \"T\"",
    );
    let similar: Vec<_> = summary
        .findings
        .iter()
        .filter(|finding| finding.check_name == "similar_ids")
        .map(|finding| finding.example.as_str())
        .collect();
    assert_eq!(
        similar,
        [
            "signals \"B\" and \"b\": the same?",
            "an outcome is of signal \"101.0\", a signal is \"101\": the same?"
        ]
    );
}

#[test]
fn profits_without_exits_are_found() {
    let bench = Bench::new();
    let open = "a,2025-01-01T00:00:00Z,,1,0.05\n";
    let file = bench.file("o.csv", format!("{OUTCOMES}{open}"));
    let summary = bench.load(&[], &[], &[&file]).unwrap();
    assert_eq!(finding(&summary, "pnl_without_exit").unwrap().row_count, 1);
    let closed = "b,2025-01-01T00:00:00Z,2025-01-02T00:00:00Z,1,0.05\n";
    let file = bench.file("q.csv", format!("{OUTCOMES}{closed}"));
    let summary = bench.load(&[], &[], &[&file]).unwrap();
    assert!(finding(&summary, "pnl_without_exit").is_none());
}

#[test]
fn clocks_are_told_apart() {
    let bench = Bench::new();
    let epochs =
        "T,1735603200000,1.0\nT,1735689540000,1.1\nT,1735689600000000,1.2\nT,1735689720,1.4\n";
    let summary = bench
        .load(
            &[],
            &[&bench.file("p.csv", format!("{PRICES}{epochs}"))],
            &[],
        )
        .unwrap();
    let mixed = finding(&summary, "mixed_epoch_units").unwrap();
    assert!(
        mixed
            .example
            .ends_with("the column has 1 seconds, 2 milliseconds, 1 microseconds"),
        "{mixed:?}"
    );
    let (prices, _) = prices_of(&bench.open(), "T");
    assert_eq!(
        prices.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        [-86_400, -60, 0, 120]
    );
    // Without a zone is UTC, and is said louder where others have one.
    let local = "T,2025-11-02 01:00:00,1\nT,2025-11-02 01:00:00,2\n";
    let bench = Bench::new();
    let file = bench.file("p.csv", format!("{PRICES}{local}"));
    let message = bench.explained(&bench.load(&[], &[&file], &[]).unwrap_err());
    assert!(
        message.contains("the timestamps have no zone and were read as UTC"),
        "{message}"
    );
    let naive = bench.file("q.csv", format!("{PRICES}T,2025-11-02 01:00:00,1\n"));
    let zoned = bench.file(
        "s.csv",
        SIGNALS.to_owned() + &signal("a", "2025-11-02T01:00:00Z", "T"),
    );
    let severity = |summary: &LoadSummary| {
        finding(summary, "timestamps_without_zone")
            .unwrap()
            .severity
    };
    assert_eq!(
        severity(&bench.load(&[], &[&naive], &[]).unwrap()),
        Severity::Info
    );
    assert_eq!(
        severity(&bench.load(&[&zoned], &[&naive], &[]).unwrap()),
        Severity::Warning
    );
}

#[test]
fn words_for_nothing_are_refused_or_taken() {
    let bench = Bench::new();
    let header = "id,timestamp,token_address,source_wallet,score\n";
    for (row, column, hint) in [
        (
            "NULL,1735689600,T,W,1",
            "id",
            "every row must have a value here",
        ),
        (
            "a,1735689600,nan,W,1",
            "token_address",
            "every row must have a value here",
        ),
        (
            "a,1735689600,T,None,1",
            "source_wallet",
            "an empty field in CSV",
        ),
        ("a,1735689600,T,W,N/A", "score", "an empty field in CSV"),
        ("a,1735689600,T,W,NaN", "score", "an empty field in CSV"),
    ] {
        let file = bench.file("s.csv", format!("{header}{row}\n"));
        let message = bench.explained(&bench.load(&[&file], &[], &[]).unwrap_err());
        assert!(
            message.starts_with(&format!("s.csv: row 1 (line 2), column {column}: ")),
            "{message}"
        );
        assert!(
            message.contains("seems to stand for nothing") && message.contains(hint),
            "{message}"
        );
    }
    let file = bench.file(
        "s.csv",
        format!("{header}a,1735689600,T,W,\\N\nb,1735689600,T,,null\n"),
    );
    let summary = bench.load(&[&file], &[], &[]).unwrap();
    assert_eq!(finding(&summary, "words_for_nothing").unwrap().row_count, 2);
    assert_eq!(bench.open().signals.column(4).null_count(), 2);
    let file = bench.file(
        "p.csv",
        format!("{PRICES}T,1735689600,1\nNULL,1735689600,1\n"),
    );
    let message = bench.explained(&bench.load(&[], &[&file], &[]).unwrap_err());
    assert!(
        message.starts_with("p.csv: row 2 (line 3), column token_address: found NULL"),
        "{message}"
    );
}

#[test]
fn uuids_are_text() {
    let bench = Bench::new();
    let schema = "message signals {
        required fixed_len_byte_array(16) id (UUID);
        required int64 timestamp;
        required binary token_address;
    }";
    let path = bench.directory.path().join("s.parquet");
    let mut writer = SerializedFileWriter::new(
        std::fs::File::create(&path).unwrap(),
        Arc::new(parse_message_type(schema).unwrap()),
        Arc::default(),
    )
    .unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let uuid: Vec<u8> = (0..16).collect();
    let mut column = rows.next_column().unwrap().unwrap();
    let ids = [FixedLenByteArray::from(uuid)];
    let typed = column.typed::<FixedLenByteArrayType>();
    typed.write_batch(&ids, None, None).unwrap();
    column.close().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    let typed = column.typed::<Int64Type>();
    typed.write_batch(&[1_735_689_600], None, None).unwrap();
    column.close().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    let typed = column.typed::<ByteArrayType>();
    typed.write_batch(&["T".into()], None, None).unwrap();
    column.close().unwrap();
    rows.close().unwrap();
    writer.close().unwrap();
    bench.load(&[path.to_str().unwrap()], &[], &[]).unwrap();
    let signals = bench.open().signals;
    let ids = signals.column(0).as_string::<i32>();
    assert_eq!(ids.value(0), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    assert_eq!(signals.column(2).as_string::<i32>().value(0), "T");
}
