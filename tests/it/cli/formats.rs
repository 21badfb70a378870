//! The formats of results, to the byte.

use super::{Outcome, failure, run, stdout, text};

/// Every kind of value that a format treats in its own way.
const VALUES: &str = "select * from (values \
    (1, 1.50, timestamp '2025-01-01T00:00:00Z', date '2025-01-02', true, 'a,\"b\"|c', [1.5, 2]), \
    (-20, 0.25, timestamp '2025-01-01T10:20:30.000405Z', null, false, '', null), \
    (null, null, null, null, null, null, null)) \
    as t (n, amount, at, day, flag, word, list)";

#[test]
fn cli_formats_are_exact() -> Outcome {
    let workspace = super::workspace()?;
    let shown = |format: &str| stdout(workspace.path(), &["query", VALUES, "--format", format]);
    assert_eq!(
        shown("csv")?,
        "n,amount,at,day,flag,word,list\n\
         1,1.50,2025-01-01T00:00:00Z,2025-01-02,true,\"a,\"\"b\"\"|c\",\"[1.5,2.0]\"\n\
         -20,0.25,2025-01-01T10:20:30.000405Z,,false,\"\",\n\
         ,,,,,,\n"
    );
    let objects = [
        r#"{"n":1,"amount":1.50,"at":"2025-01-01T00:00:00Z","day":"2025-01-02","flag":true,"word":"a,\"b\"|c","list":[1.5,2.0]}"#,
        r#"{"n":-20,"amount":0.25,"at":"2025-01-01T10:20:30.000405Z","day":null,"flag":false,"word":"","list":null}"#,
        r#"{"n":null,"amount":null,"at":null,"day":null,"flag":null,"word":null,"list":null}"#,
    ];
    assert_eq!(shown("ndjson")?, objects.join("\n") + "\n");
    assert_eq!(shown("json")?, format!("[\n{}\n]\n", objects.join(",\n")));
    assert_eq!(
        shown("markdown")?,
        "| n | amount | at | day | flag | word | list |\n\
         | ---: | ---: | --- | --- | --- | --- | --- |\n\
         | 1 | 1.50 | 2025-01-01 00:00:00 UTC | 2025-01-02 | true | a,\"b\"\\|c | [1.5,2.0] |\n\
         | -20 | 0.25 | 2025-01-01 10:20:30.000405 UTC | | false | | |\n\
         | | | | | | | |\n"
    );
    let table = [
        "    n │ amount │ at                             │ day        │ flag  │ word    │ list",
        "──────┼────────┼────────────────────────────────┼────────────┼───────┼─────────┼───────────",
        "    1 │   1.50 │ 2025-01-01 00:00:00 UTC        │ 2025-01-02 │ true  │ a,\"b\"|c │ [1.5,2.0]",
        "  -20 │   0.25 │ 2025-01-01 10:20:30.000405 UTC │ null       │ false │         │ null",
        " null │   null │ null                           │ null       │ null  │ null    │ null",
    ];
    assert_eq!(shown("table")?, table.join("\n") + "\n");
    Ok(())
}

#[test]
fn cli_tables_are_aligned_and_wide_rows_stand_upright() -> Outcome {
    let workspace = super::workspace()?;
    let sql = "select * from (values (1, 10.500, 'a'), (200, 0.250, null)) as t (n, sol, word)";
    let output = run(workspace.path(), &["query", sql])?;
    assert_eq!(
        text(&output.stdout),
        "   n │   sol │ word\n─────┼───────┼──────\n   1 │ 10.50 │ a\n 200 │  0.25 │ null\n"
    );
    assert_eq!(text(&output.stderr), "(2 rows)\n");

    let wide = format!("select 1 as n, '{}' as words, 2.50 as sol", "x".repeat(200));
    assert_eq!(
        stdout(workspace.path(), &["query", &wide])?,
        format!(" n     │ 1\n words │ {}\n sol   │ 2.5\n", "x".repeat(200))
    );
    Ok(())
}

#[test]
fn cli_empty_results_are_still_results() -> Outcome {
    let workspace = super::workspace()?;
    let shown = |format: &str| {
        let sql = "select signal_id from trade_outcomes";
        stdout(workspace.path(), &["query", sql, "--format", format])
    };
    assert_eq!(shown("csv")?, "signal_id\n");
    assert_eq!(shown("json")?, "[]\n");
    assert_eq!(shown("ndjson")?, "");
    assert_eq!(shown("markdown")?, "| signal_id |\n| --- |\n");
    assert_eq!(shown("table")?, " signal_id\n───────────\n");
    Ok(())
}

#[test]
fn cli_binary_formats_can_be_read_back() -> Outcome {
    use datafusion::arrow::ipc::reader::StreamReader;
    use datafusion::parquet::file::reader::{FileReader, SerializedFileReader};
    let workspace = super::workspace()?;
    let bytes = |format| run(workspace.path(), &["query", VALUES, "--format", format]);

    let file = workspace.path().join("result.parquet");
    std::fs::write(&file, bytes("parquet")?.stdout)?;
    let reader = SerializedFileReader::new(std::fs::File::open(&file)?)?;
    assert_eq!(reader.metadata().file_metadata().num_rows(), 3);

    let stream = bytes("arrow")?.stdout;
    let batches = StreamReader::try_new(stream.as_slice(), None)?.collect::<Result<Vec<_>, _>>()?;
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        3
    );

    let twice = [
        "query",
        "select 1 as a; select 2 as a",
        "--format",
        "parquet",
    ];
    let (code, errors) = failure(workspace.path(), &twice)?;
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("--format parquet holds one result"),
        "{errors}"
    );
    Ok(())
}

#[test]
fn cli_binary_formats_have_types_that_others_read() -> Outcome {
    use datafusion::arrow::array::{AsArray, RecordBatch};
    use datafusion::arrow::datatypes::{DataType, Decimal128Type, DecimalType};
    use datafusion::arrow::ipc::reader::StreamReader;
    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let workspace = super::workspace()?;
    let rows =
        "(values (1, 3, interval '1 day 02:00:00'), (-2, 3, null), (null, 1, null)) t (a, b, i)";
    let read = |sql: &str, format: &str| -> Result<RecordBatch, Box<dyn std::error::Error>> {
        let file = workspace.path().join("result");
        let bytes = run(workspace.path(), &["query", sql, "--format", format])?;
        assert!(bytes.status.success(), "{}", text(&bytes.stderr));
        std::fs::write(&file, bytes.stdout)?;
        let file = std::fs::File::open(&file)?;
        let batch = match format {
            "parquet" => ParquetRecordBatchReaderBuilder::try_new(file)?
                .build()?
                .next(),
            _ => StreamReader::try_new(file, None)?.next(),
        };
        Ok(batch.ok_or("no rows")??)
    };
    for format in ["parquet", "arrow"] {
        // What would have 256 bits has 128 where its values fit them, all digits kept.
        for (sql, expected) in [
            ("a::numeric(50, 30) / 4", [Some("0.25"), Some("-0.5"), None]),
            (
                "(a * 1e20::numeric(60, 20))::numeric(60, 20)",
                [
                    Some("100000000000000000000"),
                    Some("-200000000000000000000"),
                    None,
                ],
            ),
        ] {
            let batch = read(&format!("select {sql} as x from {rows}"), format)?;
            let DataType::Decimal128(38, scale) = batch.column(0).data_type() else {
                panic!("{sql}: {}", batch.schema());
            };
            let column = batch.column(0).as_primitive::<Decimal128Type>();
            let found: Vec<_> = column
                .iter()
                .map(|value| Some(Decimal128Type::format_decimal(value?, 38, *scale)))
                .map(|text| {
                    let text = text?;
                    let short = text.trim_end_matches('0').trim_end_matches('.');
                    Some(if text.contains('.') {
                        short.to_owned()
                    } else {
                        text
                    })
                })
                .collect();
            assert_eq!(found, expected.map(|text| text.map(str::to_owned)), "{sql}");
        }
        let sql = "select 1e60::numeric(76, 10) as x";
        let data_type = read(sql, format)?.column(0).data_type().clone();
        assert!(
            matches!(data_type, DataType::Decimal256(76, _)),
            "{data_type}"
        );
    }
    for format in ["parquet", "arrow"] {
        let batch = read(&format!("select i from {rows} where a = 1"), format)?;
        let texts = batch.column(0).as_string::<i32>();
        assert_eq!(texts.value(0), "1 day 02:00:00");
    }
    Ok(())
}

#[test]
fn cli_load_tells_programs_what_it_did() -> Outcome {
    let directory = tempfile::tempdir()?;
    let workspace = directory.path().join("w");
    let prices = directory.path().join("prices.csv");
    let rows = "T,2025-01-01T00:00:00Z,1\nT,2025-01-01T00:01:00Z,2\n";
    std::fs::write(&prices, format!("token_address,timestamp,price\n{rows}"))?;
    let prices = prices.display().to_string();
    let load = ["load", "--prices", &prices, "--format", "csv"];
    let head = "table_name,rows_read,rows_added,rows_contradicting,rows_total,generation,is_new,fingerprint\n";
    let first = stdout(&workspace, &load)?;
    let again = stdout(&workspace, &load)?;
    let fingerprint = first.trim_end().rsplit(',').next().unwrap_or_default();
    let expected = |added, is_new| {
        format!(
            "{head}signals,0,0,0,0,1,{is_new},{fingerprint}\ntoken_prices,2,{added},0,2,1,{is_new},\
             {fingerprint}\ntrade_outcomes,0,0,0,0,1,{is_new},{fingerprint}\n"
        )
    };
    assert_eq!(first, expected(2, true));
    assert_eq!(again, expected(0, false));
    assert_eq!(fingerprint.len(), 32);
    // Without being asked for, nothing is printed as a result.
    assert_eq!(stdout(&workspace, &load[..3])?, "");
    Ok(())
}

#[test]
fn cli_json_is_json_whatever_the_values() -> Outcome {
    let workspace = super::workspace()?;
    let shown = |sql: &str, format: &str| {
        let shown = stdout(workspace.path(), &["query", sql, "--format", format])?;
        Ok::<_, Box<dyn std::error::Error>>(shown.trim_end().to_owned())
    };
    let floats = "select 'NaN'::float8 as a, 'Infinity'::float8 as b, '-Infinity'::float8 as c, \
                  0.5::float8 as d";
    assert_eq!(
        shown(floats, "ndjson")?,
        r#"{"a":null,"b":null,"c":null,"d":0.5}"#
    );
    assert_eq!(shown(floats, "csv")?, "a,b,c,d\nNaN,Infinity,-Infinity,0.5");
    let over_data = "select x / 0.5::float8 as a from (values ('NaN'::float8)) t (x)";
    assert_eq!(shown(over_data, "ndjson")?, r#"{"a":null}"#);

    let twice =
        "select id, id, score as id_2 from signals limit 0; select 1 as a, 2 as a, 3 as a_2";
    assert_eq!(shown(twice, "ndjson")?, r#"{"a":1,"a_3":2,"a_2":3}"#);
    assert_eq!(shown("select 1 as a, 2 as a", "csv")?, "a,a\n1,2");
    let digits = "select 123456789012345678901234567890.12345678 as n";
    assert_eq!(
        shown(digits, "ndjson")?,
        r#"{"n":123456789012345678901234567890.12345678}"#
    );
    assert_eq!(
        shown("select e'\\u0001\\t\"' as a", "ndjson")?,
        r#"{"a":"\u0001\t\""}"#
    );
    Ok(())
}

#[test]
fn cli_parquet_has_no_name_twice() -> Outcome {
    use datafusion::parquet::file::reader::{FileReader, SerializedFileReader};
    let workspace = super::workspace()?;
    let file = workspace.path().join("twice.parquet");
    let path = file.to_string_lossy();
    stdout(
        workspace.path(),
        &["query", "select 1 as a, 2 as a", "-o", &path],
    )?;
    let reader = SerializedFileReader::new(std::fs::File::open(&file)?)?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let columns = (0..schema.num_columns()).map(|at| schema.column(at));
    let names: Vec<String> = columns.map(|column| column.name().to_owned()).collect();
    assert_eq!(names, ["a", "a_2"]);
    Ok(())
}

#[test]
fn cli_intervals_are_as_postgresql_shows_them() -> Outcome {
    let workspace = super::workspace()?;
    for (sql, expected) in [
        ("select interval '90 minutes' as a", "01:30:00"),
        (
            "select interval '1 year 2 months 3 days' as a",
            "1 year 2 mons 3 days",
        ),
        (
            "select interval '-1 day +2 hours' as a",
            "-1 days +02:00:00",
        ),
        (
            "select max(b - a) as a from (values (timestamp '2025-01-01 00:00:00', \
             timestamp '2025-01-01 01:00:00.5')) t (a, b)",
            "01:00:00.5",
        ),
    ] {
        let shown = |format: &str| stdout(workspace.path(), &["query", sql, "--format", format]);
        assert_eq!(shown("csv")?, format!("a\n{expected}\n"), "{sql}");
        assert_eq!(
            shown("ndjson")?,
            format!("{{\"a\":\"{expected}\"}}\n"),
            "{sql}"
        );
        assert!(
            shown("table")?.ends_with(&format!("\n {expected}\n")),
            "{sql}"
        );
    }
    Ok(())
}
