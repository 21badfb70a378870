//! The columns of every query and table function, as scripts and dashboards depend on them.

use std::fmt::Write;

use hindsight::whatif::pipeline::QUERIES;
use hindsight::whatif::statistics::STATISTICS;
use hindsight::whatif::table_functions::TABLE_FUNCTIONS;
use hindsight::{Engine, dataset::Dataset};

use crate::engine::block_on;

fn columns(schema: &datafusion::arrow::datatypes::Schema) -> String {
    let mut text = String::new();
    for field in schema.fields() {
        writeln!(text, "  {}: {}", field.name(), field.data_type()).unwrap();
    }
    text
}

fn empty() -> Engine {
    let nowhere = tempfile::tempdir().unwrap();
    block_on(Engine::new(Dataset::open(nowhere.path()).unwrap())).unwrap()
}

#[test]
fn queries() {
    let engine = empty();
    let mut text = String::new();
    for (name, _) in QUERIES {
        let schema = engine.pipeline().schema(name).unwrap();
        writeln!(text, "{name}\n{}", columns(&schema)).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn table_functions() {
    let engine = empty();
    let mut text = String::new();
    let statistics = STATISTICS.into_iter().map(|statistic| statistic.function);
    for function in TABLE_FUNCTIONS.into_iter().chain(statistics) {
        let name = function.name;
        let rows = block_on(engine.sql(&format!("select * from {name}()"))).unwrap();
        writeln!(text, "{name}\n{}", columns(&rows[0].schema())).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_grid_operator_has_the_columns_of_its_query() {
    let engine = empty();
    let query = engine.pipeline().schema("backtest").unwrap();
    assert_eq!(columns(&hindsight::whatif::grid::schema()), columns(&query));
}
