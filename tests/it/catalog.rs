//! The catalog answers what clients ask: `tests/catalog` has their queries as they sent them, each
//! with the columns and types that PostgreSQL 15 describes it with.

mod fixture;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use hindsight::catalog::{Catalog, PG_TYPE};

use fixture::catalog;

fn parse(sql: &str) -> Result<Statement, String> {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(150)
        .try_with_sql(sql)
        .and_then(|mut parser| parser.parse_statements());
    let mut statements = parsed.map_err(|error| error.to_string())?;
    statements.pop().ok_or_else(|| "no statement".into())
}

/// The name of a field's type in PostgreSQL.
fn type_name(field: &Field) -> String {
    if let Some(name) = field.metadata().get(PG_TYPE) {
        return name.clone();
    }
    match field.data_type() {
        DataType::Boolean => "bool".into(),
        DataType::Int16 => "int2".into(),
        DataType::Int32 => "int4".into(),
        DataType::Int64 => "int8".into(),
        DataType::Float32 => "float4".into(),
        DataType::Float64 => "float8".into(),
        DataType::Utf8 => "text".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(_, Some(_)) => "timestamptz".into(),
        DataType::Timestamp(_, None) => "timestamp".into(),
        DataType::Interval(_) => "interval".into(),
        DataType::List(item) => type_name(item) + "[]",
        other => other.to_string(),
    }
}

/// A query of a file in `tests/catalog`: its text and the columns that PostgreSQL gives it.
struct Asked {
    sql: String,
    columns: String,
}

fn asked(file: &Path, catalog: &Catalog) -> Vec<Asked> {
    let text = fs::read_to_string(file).unwrap();
    let queries = text
        .split("\n;;\n")
        .filter(|query| !query.trim().is_empty());
    let queries = queries.map(|query| {
        let (sql, columns) = query.rsplit_once("\n--> ").unwrap();
        let mut sql = sql.to_owned();
        // Oids differ, so they are written as `{oid signals}`.
        while let Some(at) = sql.find("{oid ") {
            let length = sql[at..].find('}').unwrap();
            let oid = catalog
                .oid_of("regclass", &sql[at + 5..at + length])
                .unwrap();
            sql.replace_range(at..=at + length, &oid.to_string());
        }
        Asked {
            sql,
            columns: columns.trim().to_owned(),
        }
    });
    queries.collect()
}

#[test]
fn queries_of_clients_have_the_columns_that_postgresql_gives_them() {
    let catalog = catalog();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalog");
    let (mut count, mut wrong) = (0, Vec::new());
    let mut slow = (Duration::ZERO, String::new());
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.is_dir() {
            continue;
        }
        for query in asked(&file, &catalog) {
            count += 1;
            let sql = &query.sql;
            let statement = match parse(sql) {
                Ok(statement) => statement,
                Err(error) => {
                    wrong.push(format!("{sql}\n    {error}"));
                    continue;
                }
            };
            if !catalog.answers(&statement) {
                wrong.push(format!("{sql}\n    is not the catalog's"));
            }
            let described = match catalog.describe(&statement, &[]) {
                Ok(described) => described,
                Err(error) => {
                    wrong.push(format!("{sql}\n    {error} ({})", error.state));
                    continue;
                }
            };
            let columns = described.schema.fields().iter();
            let columns = columns.map(|field| format!("{} {}", field.name(), type_name(field)));
            let columns = columns.collect::<Vec<_>>().join(", ");
            let parameters = described.parameters.iter().map(|field| type_name(field));
            let mut found = columns;
            for parameter in parameters {
                found = format!("{found} <{parameter}>");
            }
            if found != query.columns {
                wrong.push(format!("{sql}\n    has {found}\n    not {}", query.columns));
            }
            let values = vec![ScalarValue::Null; described.parameters.len()];
            let started = Instant::now();
            match catalog.query(&statement, &values) {
                Ok(batch) => assert_eq!(batch.schema(), described.schema),
                Err(error) => wrong.push(format!("{sql}\n    {error} ({})", error.state)),
            }
            if started.elapsed() > slow.0 {
                slow = (started.elapsed(), sql.clone());
            }
        }
    }
    eprintln!("{count} queries, the slowest {:?}: {}", slow.0, slow.1);
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count >= 200, "{count}");
}

/// What PostgreSQL 15 says of each expression: its value and type, or its error.
#[test]
fn expressions_have_the_values_that_postgresql_gives_them() {
    let catalog = catalog();
    let file = "tests/catalog/values/expressions.txt";
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for case in text.split("\n\n") {
        let (expression, expected) = case.trim_end().split_once('\n').unwrap();
        count += 1;
        // The type as its text, by the catalog itself.
        let found = parse(&format!("select {expression}")).map(|statement| {
            let batch = match catalog.query(&statement, &[]) {
                Ok(batch) => batch,
                Err(error) => return format!("! {} {error}", error.state),
            };
            let of = type_name(batch.schema().field(0));
            let value = one_text(&catalog, expression, &of);
            format!(
                "= {} : {}",
                value.replace('\n', "\\n"),
                sql_name(&catalog, &of)
            )
        });
        let found = found.unwrap_or_else(|error| format!("! 42601 {error}"));
        if found != expected {
            wrong.push(format!("{expression}\n    {found}\n    {expected}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count >= 150, "{count}");
}

/// A type's name as SQL writes it.
fn sql_name(catalog: &Catalog, name: &str) -> String {
    let array = name.strip_suffix("[]").map(|item| format!("_{item}"));
    let name = array.as_deref().unwrap_or(name);
    text(
        catalog,
        &format!("select format_type(oid, null) from pg_type where typname = '{name}'"),
    )
}

/// A value as PostgreSQL shows it.
fn one_text(catalog: &Catalog, expression: &str, of: &str) -> String {
    let sql = format!("select coalesce(x::text, 'null') from (select {expression}) t(x)");
    let value = text(catalog, &sql);
    match (of, value.as_str()) {
        ("bool", "true") => "t".into(),
        ("bool", "false") => "f".into(),
        _ => value,
    }
}

/// The one text of a query.
fn text(catalog: &Catalog, sql: &str) -> String {
    let statement = parse(sql).unwrap();
    let batch = catalog.query(&statement, &[]);
    let batch = batch.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let column = batch.column(0);
    match column.as_string_opt::<i32>() {
        Some(texts) if texts.len() == 1 && texts.is_valid(0) => texts.value(0).to_owned(),
        _ => format!("{column:?}"),
    }
}

#[test]
fn a_statement_is_the_catalogs_where_it_reads_nothing_else() {
    let catalog = catalog();
    for (sql, expected) in [
        ("select relname from pg_class", true),
        (
            "select * from information_schema.tables where table_name = $1",
            true,
        ),
        (
            "with t as (select oid from pg_type) select count(*) from t",
            true,
        ),
        ("select version()", true),
        ("select current_schema", true),
        ("select 'signals'::regclass::oid", true),
        ("select pg_typeof(1)", true),
        ("select generate_series(1, 3)", false),
        ("select name, setting from pg_show_all_settings()", true),
        ("select * from pg_timezone_names() limit 1", true),
        ("select * from generate_series(1, 3)", false),
        ("select * from unnest(array[1])", false),
        ("select 1", false),
        ("select lower('A')", false),
        ("select * from signals", false),
        ("select s.id, version() from signals s", false),
        ("select count(*) from signals, pg_class", false),
        ("select * from information_schema.df_settings", false),
        ("select * from backtest(start_date => '2024-01-01')", false),
        ("select no_such_function(1), version()", false),
        ("with t as (select 1) select * from t", false),
        ("insert into pg_class select * from pg_class", false),
    ] {
        let statement = parse(sql).unwrap();
        assert_eq!(catalog.answers(&statement), expected, "{sql}");
    }
}

#[test]
fn a_table_is_described_whole() {
    let catalog = catalog();
    for (sql, expected) in [
        (
            "select string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), \
             case when attnotnull then 'not null' end), ', ' order by attnum) \
             from pg_attribute where attrelid = 'signals'::regclass and attnum < 6",
            "id text not null, timestamp timestamp with time zone not null, \
             token_address text not null, source_wallet text, score numeric(7,2)",
        ),
        (
            "select obj_description('signals'::regclass, 'pg_class')",
            "One row for each signal",
        ),
        (
            "select col_description('signals'::regclass, 5)",
            "Score, 0-100",
        ),
        (
            "select pg_get_indexdef(indexrelid) from pg_index where indrelid = 'signals'::regclass",
            "CREATE UNIQUE INDEX signals_pkey ON public.signals USING btree (id)",
        ),
        (
            "select pg_get_constraintdef(oid) from pg_constraint \
             where conrelid = 'signals'::regclass",
            "PRIMARY KEY (id)",
        ),
        (
            "select pg_get_viewdef('best_signals'::regclass)",
            " SELECT * FROM signals WHERE score > 50;",
        ),
        (
            "select description from information_schema.routines where routine_name = 'lower'",
            "lower case",
        ),
        (
            "select syntax_example from information_schema.routines where routine_name = 'upper'",
            "upper(str)",
        ),
        (
            "select string_agg(table_name || ' ' || table_type, ', ' order by table_name) \
             from information_schema.tables where table_schema = 'public'",
            "best_signals VIEW, parameters BASE TABLE, signals BASE TABLE, \
             token_prices BASE TABLE, trade_outcomes BASE TABLE",
        ),
        (
            "select concat_ws(' ', data_type, numeric_precision, numeric_scale, is_nullable) \
             from information_schema.columns where table_name = 'signals' \
             and column_name = 'score'",
            "numeric 7 2 YES",
        ),
        (
            "select k.column_name || k.ordinal_position from information_schema.key_column_usage k \
             join information_schema.table_constraints c using (constraint_name, table_name) \
             where c.constraint_type = 'PRIMARY KEY' and table_name = 'signals'",
            "id1",
        ),
        // A row of nulls is there where the view has none, whatever is asked of it.
        (
            "select count(*)::text from pg_namespace n left join information_schema.tables t \
             on t.table_schema = n.nspname and t.table_name = 'signals' where t.table_name is null",
            "2",
        ),
    ] {
        assert_eq!(text(&catalog, sql), expected, "{sql}");
    }
}

#[test]
fn what_the_catalog_refers_to_is_there() {
    let catalog = catalog();
    for (table, column, other) in [
        ("pg_attribute", "attrelid", "pg_class"),
        ("pg_attribute", "atttypid", "pg_type"),
        ("pg_class", "relnamespace", "pg_namespace"),
        ("pg_class", "relowner", "pg_roles"),
        ("pg_index", "indexrelid", "pg_class"),
        ("pg_index", "indrelid", "pg_class"),
        ("pg_constraint", "conindid", "pg_class"),
        ("pg_constraint", "conrelid", "pg_class"),
        ("pg_type", "typnamespace", "pg_namespace"),
        ("pg_type", "typinput", "pg_proc"),
        ("pg_type", "typreceive", "pg_proc"),
        ("pg_type", "typelem", "pg_type"),
        ("pg_type", "typarray", "pg_type"),
        ("pg_cast", "castsource", "pg_type"),
        ("pg_cast", "castfunc", "pg_proc"),
        ("pg_proc", "prorettype", "pg_type"),
        ("pg_proc", "pronamespace", "pg_namespace"),
        ("pg_proc", "prolang", "pg_language"),
        ("pg_range", "rngsubtype", "pg_type"),
        ("pg_opclass", "opcintype", "pg_type"),
        ("pg_opclass", "opcfamily", "pg_opfamily"),
        ("pg_description", "classoid", "pg_class"),
    ] {
        let sql = format!(
            "select string_agg({column}::oid::text, ' ') from {table} where {column} <> 0 \
             and {column}::oid not in (select oid from {other})"
        );
        let missing = text(&catalog, &format!("select coalesce(({sql}), 'none')"));
        assert_eq!(missing, "none", "{table}.{column} -> {other}");
    }
    let one = "select count(*)::text from (select oid from pg_class union all \
               select oid from pg_proc union all select oid from pg_roles) x \
               group by oid having count(*) > 1 limit 1";
    assert_eq!(
        text(&catalog, &format!("select coalesce(({one}), 'none')")),
        "none"
    );
}

#[test]
fn every_relation_can_be_read_whole() {
    let catalog = catalog();
    let names = "select string_agg(schema || '.' || name, ' ' order by 1) from \
                 (select table_schema, table_name from information_schema.tables \
                 where table_schema <> 'public') t (schema, name)";
    let names = text(&catalog, names);
    let mut count = 0;
    for name in names.split(' ') {
        let statement = parse(&format!("select * from {name}")).unwrap();
        let batch = catalog.query(&statement, &[]);
        let batch = batch.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(batch.num_columns() > 0, "{name}");
        count += 1;
    }
    assert!(count > 180, "{count}");
}

#[test]
fn oids_do_not_depend_on_what_else_there_is() {
    let oid = catalog().oid_of("regclass", "signals").unwrap();
    assert_eq!(oid, catalog().oid_of("regclass", "public.signals").unwrap());
    assert_eq!(oid, 48_591_856, "clients may have kept it");
}

#[test]
fn work_has_its_limits() {
    let catalog = catalog();
    let state = |sql: &str| {
        let statement = parse(sql).unwrap();
        match catalog.query(&statement, &[]) {
            Ok(batch) => format!("{} rows", batch.num_rows()),
            Err(error) => error.state.to_owned(),
        }
    };
    let started = Instant::now();
    let three = "select count(*) from pg_attribute a, pg_attribute b, pg_attribute c";
    assert!(["54000", "53200"].contains(&state(three).as_str()));
    let none = "select 1 from pg_attribute a, pg_attribute b, pg_attribute c where a.attnum < -9";
    assert_eq!(state(none), "0 rows");
    let never = "select 1 from pg_attribute a, pg_attribute b, pg_attribute c \
                 where a.attnum + b.attnum + c.attnum < -9";
    assert_eq!(state(never), "54000");
    assert_eq!(
        state("select * from generate_series(1, 1000000000)"),
        "53200"
    );
    let endless = "with recursive t (n) as (select 1 union all select n from t) select * from t";
    assert!(["54000", "53200"].contains(&state(endless).as_str()));
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );

    let sum = |terms: usize| {
        format!(
            "select oid from pg_am where oid > {}",
            vec!["0"; terms].join(" + ")
        )
    };
    assert_eq!(state(&sum(100)), "7 rows");
    assert_eq!(state(&sum(2_000)), "54001");
    let ors = vec!["amname = 'x'"; 2_000].join(" or ");
    assert_eq!(
        state(&format!("select oid from pg_am where {ors}")),
        "0 rows"
    );
}
