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
    let workspace = tempfile::tempdir()?;
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
    let workspace = tempfile::tempdir()?;
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
    let workspace = tempfile::tempdir()?;
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
    let workspace = tempfile::tempdir()?;
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
fn cli_json_is_json_whatever_the_values() -> Outcome {
    let workspace = tempfile::tempdir()?;
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
    let workspace = tempfile::tempdir()?;
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
    let workspace = tempfile::tempdir()?;
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
