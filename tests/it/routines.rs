//! Every function is documented where clients look, with an example that runs.

use datafusion::arrow::array::AsArray;
use hindsight::Engine;
use tempfile::TempDir;

use crate::engine::block_on;
use crate::files;

/// An engine over the tiny history, and where that is.
fn engine() -> (Engine, TempDir) {
    let workspace = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = files::test_data().join("tiny").join(name);
        vec![path.to_str().unwrap().to_owned()]
    };
    let request = hindsight::ingest::LoadRequest {
        signals: file("signals.parquet"),
        prices: file("token_prices.parquet"),
        trades: file("trade_outcomes.parquet"),
        ..hindsight::ingest::LoadRequest::default()
    };
    hindsight::ingest::load(workspace.path(), &request, &hindsight::ingest::NoProgress).unwrap();
    let engine = block_on(Engine::open(workspace.path())).unwrap();
    (engine, workspace)
}

#[test]
fn every_function_is_documented_with_an_example_that_runs() {
    let (engine, _workspace) = engine();
    let book = &engine.dataset().price_book;
    let scalar = hindsight_udfs::scalar_functions(book);
    let aggregate = hindsight_udfs::aggregate_functions();
    let window = hindsight_udfs::window_functions();
    let names = scalar.iter().map(|function| function.name().to_owned());
    let names: Vec<String> = names
        .chain(aggregate.iter().map(|function| function.name().to_owned()))
        .chain(window.iter().map(|function| function.name().to_owned()))
        .collect();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        let sql = format!(
            "select distinct description from information_schema.routines \
             where routine_name = '{name}'"
        );
        let rows = block_on(engine.sql(&sql)).unwrap();
        assert_eq!(rows[0].num_rows(), 1, "{name}");
        let description = rows[0].column(0).as_string::<i32>().value(0).to_owned();
        for word in ["Unit", "Nulls: ", "Errors: ", " Example: "] {
            assert!(
                description.contains(word),
                "{name} says nothing of {word}: {description}"
            );
        }
        let (_, example) = description.split_once(" Example: ").unwrap();
        let result = block_on(engine.sql(example));
        let result = result.unwrap_or_else(|error| panic!("{name}: {example}: {error}"));
        assert!(
            result.iter().any(|batch| batch.num_rows() > 0),
            "{name}: {example}"
        );
    }
}

#[test]
fn functions_of_postgresql_have_its_arguments_and_results() {
    let (engine, _workspace) = engine();
    for (signature, result) in [
        ("upper(text)", "text"),
        ("lower(text)", "text"),
        ("repeat(text, integer)", "text"),
        ("md5(text)", "text"),
        ("to_char(timestamp with time zone, text)", "text"),
        ("to_date(text, text)", "date"),
        ("make_date(integer, integer, integer)", "date"),
        (
            "age(timestamp with time zone, timestamp with time zone)",
            "interval",
        ),
        ("now()", "timestamp with time zone"),
    ] {
        let sql = format!(
            "select oid::regprocedure::text || ' is ' || pg_get_function_result(oid) \
             from pg_proc where oid = 'pg_catalog.{signature}'::regprocedure"
        );
        let rows = block_on(engine.sql(&sql));
        let rows = rows.unwrap_or_else(|error| panic!("{signature}: {error}"));
        let shown = rows[0].column(0).as_string::<i32>().value(0).to_owned();
        let expected = format!("{} is {result}", signature.replace(", ", ","));
        assert_eq!(shown, expected);
    }
}
