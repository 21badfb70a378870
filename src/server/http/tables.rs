//! Rows of tables and table functions: a page of them, with the columns, order and filters asked for.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::call::{self, Call, quoted};
use super::config::{self, Config, literal};
use super::json::{Columns, Object, objects, scalar, type_name};
use super::problem::Problem;
use crate::error::Error;
use crate::parameters::{Parameter, Ranges};
use crate::session::Session;
use crate::whatif::estimate;
use crate::whatif::statistics::STATISTICS;
use crate::whatif::table_functions::TABLE_FUNCTIONS;

/// Rows of a page, unless told otherwise, and at most.
const ROWS: u64 = 1_000;
const ROWS_MAX: u64 = 50_000;
/// Rows to leave out before the page.
const AFTER_MAX: u64 = 1_000_000_000;
const PRICES_MAX: u64 = 5_000;
/// Combinations by whose time that of one is told.
const MANY: usize = 1_000_000;
/// What the query of a page has beside the columns that it filters by.
const OF_PAGE: [&str; 3] = ["after", "limit", "order"];

/// Which rows are wanted.
#[derive(Debug)]
pub struct Wanted {
    after: u64,
    limit: u64,
    /// Columns, each with whether it descends.
    order: Vec<(String, bool)>,
    /// Columns that have a value.
    filters: Vec<(String, String)>,
    columns: Option<Vec<String>>,
}

fn order(text: &str) -> (String, bool) {
    match text.strip_prefix('-') {
        Some(name) => (name.to_owned(), true),
        None => (text.to_owned(), false),
    }
}

impl Wanted {
    /// All that a page can have.
    fn all() -> Self {
        Self {
            after: 0,
            limit: ROWS_MAX,
            order: Vec::new(),
            filters: Vec::new(),
            columns: None,
        }
    }

    /// As the query of a request says it.
    pub fn of_query(call: &Call) -> Result<Self, Problem> {
        let filters = call.query.iter();
        let filters = filters.filter(|(name, _)| !OF_PAGE.contains(&name.as_str()));
        let orders = call.query.get("order");
        let orders = orders.into_iter().flat_map(|text| text.split(','));
        Ok(Self {
            after: call.number("after", 0, AFTER_MAX)?,
            limit: call.number("limit", ROWS, ROWS_MAX)?,
            order: orders.map(order).collect(),
            filters: filters
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            columns: None,
        })
    }

    /// As the body of a request says it.
    fn of_body(object: &mut Object) -> Result<Self, Problem> {
        let number = |number: Option<u64>, name: &str, default: u64, most: u64| {
            let number = number.unwrap_or(default);
            match number <= most {
                true => Ok(number),
                false => Err(Problem::request(format!("{name} must be at most {most}"))),
            }
        };
        let expected = "a whole number";
        let after = number(object.get("after", expected)?, "after", 0, AFTER_MAX)?;
        let limit = number(object.get("limit", expected)?, "limit", ROWS, ROWS_MAX)?;
        let orders: Option<Vec<String>> = object.get("order", "a list of columns")?;
        let mut filters = Vec::new();
        if let Some(mut given) = object.object("filter")? {
            for (name, value) in given.rest() {
                let value = scalar(&format!("filter.{name}"), &value)?;
                filters.push((name, value));
            }
        }
        Ok(Self {
            after,
            limit,
            order: orders
                .unwrap_or_default()
                .iter()
                .map(|text| order(text))
                .collect(),
            filters,
            columns: object.get("columns", "a list of columns")?,
        })
    }

    /// The statement for all the rows that a page is of.
    fn statement(&self, from: &str, schema: &Schema, hidden: &[&str]) -> Result<String, Problem> {
        let known = |name: &str| match schema.field_with_name(name) {
            Ok(_) if !hidden.contains(&name) => Ok(quoted(name).into_owned()),
            _ => {
                let shown: String = name.chars().take(100).collect();
                let fields = schema.fields().iter().map(|field| field.name().as_str());
                let names: Vec<&str> = fields.filter(|name| !hidden.contains(name)).collect();
                let problem = Problem::request(format!("there is no column {shown}"));
                Err(problem.hinted(format!("the columns are {}", names.join(", "))))
            }
        };
        let columns = match &self.columns {
            Some(columns) => columns
                .iter()
                .map(|name| known(name))
                .collect::<Result<Vec<_>, _>>()?,
            None => {
                let fields = schema.fields().iter();
                let fields = fields.filter(|field| !hidden.contains(&field.name().as_str()));
                fields
                    .map(|field| quoted(field.name()).into_owned())
                    .collect()
            }
        };
        if columns.is_empty() {
            return Err(Problem::request("columns is empty"));
        }
        let mut sql = format!("select {} from {from}", columns.join(", "));
        let mut joint = if from.contains(" where ") {
            "and"
        } else {
            "where"
        };
        for (name, value) in &self.filters {
            sql += &format!(" {joint} {} = {}", known(name)?, literal(value));
            joint = "and";
        }
        let mut orders = Vec::with_capacity(self.order.len());
        for (name, descends) in &self.order {
            let direction = if *descends {
                "desc nulls last"
            } else {
                "asc nulls last"
            };
            orders.push(format!("{} {direction}", known(name)?));
        }
        if !orders.is_empty() {
            sql += &format!(" order by {}", orders.join(", "));
        }
        Ok(sql)
    }
}

/// A page of rows, in the order that they have where no other is asked for.
pub async fn answer(
    call: &Call,
    from: &str,
    hidden: &[&str],
    wanted: &Wanted,
) -> Result<Response<Body>, Problem> {
    let session = call.session().await?;
    let schema = schema(&session, &format!("select * from {from}")).await?;
    let sql = wanted.statement(from, &schema, hidden)?;
    let schema = self::schema(&session, &sql).await?;
    let batches = call::rows(&session, &sql).await?;
    let total: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let text = written(&schema, &batches, wanted, total)?;
    Ok(call.json_text(text))
}

/// The columns of a statement.
async fn schema(session: &Session, sql: &str) -> Result<Arc<Schema>, Problem> {
    let statement = session.parse(sql)?.pop();
    let Some(statement) = statement else {
        return Err(Error::session("XX000", "there is no statement").into());
    };
    let prepared = session.prepare(statement, &[]).await?;
    let schema = prepared.schema;
    schema.ok_or_else(|| Error::session("XX000", "the statement has no columns").into())
}

fn written(
    schema: &Schema,
    batches: &[RecordBatch],
    wanted: &Wanted,
    total: usize,
) -> Result<String, Problem> {
    let columns: Vec<Value> = schema
        .fields()
        .iter()
        .map(|field| json!({ "name": field.name(), "type": type_name(field) }))
        .collect();
    let mut text = format!("{{\"columns\":{},\"rows\":[", Value::from(columns));
    let after = usize::try_from(wanted.after).unwrap_or(usize::MAX);
    let end = after.saturating_add(usize::try_from(wanted.limit).unwrap_or(usize::MAX));
    let mut place = 0;
    for batch in batches {
        let cells = Columns::new(batch)?;
        for row in 0..batch.num_rows() {
            if (after..end).contains(&place) {
                if !text.ends_with('[') {
                    text.push(',');
                }
                cells.list(row, &mut text)?;
            }
            place += 1;
        }
    }
    let next = (end < total).then_some(end);
    text += &format!("],\"total\":{total},\"next\":{}}}", json!(next));
    Ok(text)
}

/// The rows of a table function for a configuration that is not stored.
pub async fn function(call: Call) -> Result<Response<Body>, Problem> {
    let name = call.path("function").to_owned();
    let statistics = STATISTICS.iter().map(|statistic| statistic.function.name);
    let known = TABLE_FUNCTIONS.iter().map(|function| function.name);
    let known = known.chain(statistics);
    let Some(function) = known.clone().find(|known| *known == name) else {
        let shown: String = name.chars().take(100).collect();
        let names: Vec<&str> = known.collect();
        return Err(
            Problem::missing(format!("there is no table function {shown}"))
                .hinted(format!("there are {}", names.join(", "))),
        );
    };
    let mut object = Object::parse(&call.body)?;
    let config = match object.object("config")? {
        Some(config) => Config::read(config, call.ranges())?,
        None => Config::default(),
    };
    let mut own = Vec::new();
    if let Some(mut arguments) = object.object("arguments")? {
        for (name, value) in arguments.rest() {
            own.push(format!(
                "{} => {}",
                identifier(&name)?,
                argument(&name, &value)?
            ));
            arguments.take(&name);
        }
        arguments.end()?;
    }
    let grid = match object.object("grid")? {
        Some(grid) => grid_of(grid, call.ranges())?,
        None => Vec::new(),
    };
    let wanted = Wanted::of_body(&mut object)?;
    object.end()?;
    let arguments = config.arguments_with(&grid);
    let arguments = std::iter::once(arguments)
        .filter(|text| !text.is_empty())
        .chain(own);
    let arguments: Vec<String> = arguments.collect();
    let from = format!("{function}({})", arguments.join(", "));
    answer(&call, &from, &[], &wanted).await
}

/// The values of a grid, by parameter.
pub fn grid_of(
    mut grid: Object,
    ranges: &Ranges,
) -> Result<Vec<(&'static Parameter, Vec<String>)>, Problem> {
    let mut arrays: Vec<(&'static Parameter, Vec<String>)> = Vec::new();
    for (name, value) in grid.rest() {
        let parameter = config::named(&name)?;
        let values: Vec<Box<RawValue>> = serde_json::from_str(value.get())
            .map_err(|_| Problem::request(format!("grid.{name} must be a list of values")))?;
        let mut texts = Vec::with_capacity(values.len());
        for value in &values {
            let text = scalar(&format!("grid.{name}"), value)?;
            parameter.value_in(&ScalarValue::Utf8(Some(text.clone())), ranges)?;
            texts.push(text);
        }
        if texts.is_empty() || arrays.iter().any(|(known, _)| known.name == parameter.name) {
            let detail = format!("grid.{name} must have a value, and be there once");
            return Err(Problem::request(detail));
        }
        arrays.push((parameter, texts));
    }
    Ok(arrays)
}

/// A name that needs no quotes in SQL.
fn identifier(name: &str) -> Result<&str, Problem> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    match !name.is_empty() && name.len() <= 63 && name.bytes().all(is_plain) {
        true => Ok(name),
        false => {
            let name: String = name.chars().take(100).collect();
            Err(Problem::request(format!("{name} is no argument")))
        }
    }
}

/// The value of an argument in SQL: a number, a truth value, or a text.
fn argument(name: &str, value: &RawValue) -> Result<String, Problem> {
    let text = scalar(&format!("arguments.{name}"), value)?;
    Ok(match value.get().starts_with('"') {
        true => literal(&text),
        false => text,
    })
}

/// The prices of a token between two times.
pub async fn prices(call: Call) -> Result<Response<Body>, Problem> {
    let Some(token) = call.query.get("token") else {
        return Err(Problem::request("token is missing"));
    };
    let mut from = format!("token_prices where token_address = {}", literal(token));
    for (name, comparison) in [("from", ">="), ("to", "<=")] {
        let Some(text) = call.query.get(name) else {
            continue;
        };
        let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) else {
            let text: String = text.chars().take(100).collect();
            return Err(Problem::request(format!(
                "{name} must be a time such as 2025-01-31T12:00:00Z, found '{text}'"
            )));
        };
        let time = super::json::time(time.timestamp_micros());
        from += &format!(" and timestamp {comparison} timestamptz {}", literal(&time));
    }
    let limit = call.number("limit", PRICES_MAX, PRICES_MAX)?;
    let wanted = Wanted {
        after: 0,
        limit,
        order: vec![("timestamp".into(), false)],
        filters: Vec::new(),
        columns: Some(vec!["timestamp".into(), "price".into()]),
    };
    answer(&call, &from, &[], &wanted).await
}

/// What was really done on a signal.
pub async fn outcomes(call: Call) -> Result<Response<Body>, Problem> {
    let Some(signal) = call.query.get("signal") else {
        return Err(Problem::request("signal is missing"));
    };
    let from = format!("trade_outcomes where signal_id = {}", literal(signal));
    answer(&call, &from, &[], &Wanted::all()).await
}

/// What in the history should worry its reader.
pub async fn quality(call: Call) -> Result<Response<Body>, Problem> {
    answer(&call, "data_quality", &[], &Wanted::all()).await
}

/// Who asks, and of what.
pub async fn status(call: Call) -> Result<Response<Body>, Problem> {
    let session = call.session().await?;
    let sql = "select min(timestamp) as first_signal, max(timestamp) as last_signal, \
               count(*) as signals from signals";
    let mut document = objects(&call::rows(&session, sql).await?)?
        .pop()
        .unwrap_or_default();
    for (name, table) in [("prices", "token_prices"), ("trades", "trade_outcomes")] {
        let sql = format!("select count(*) as n from {table}");
        let row = objects(&call::rows(&session, &sql).await?)?.pop();
        let count = row.and_then(|mut row| row.remove("n"));
        document.insert(name.into(), count.unwrap_or_default());
    }
    for (name, of) in [("first_day", "first_signal"), ("last_day", "last_signal")] {
        let day = document
            .get(of)
            .and_then(Value::as_str)
            .and_then(|text| text.get(..10));
        let day = day.map_or(Value::Null, Value::from);
        document.insert(name.into(), day);
    }
    let signals = document.get("signals").and_then(Value::as_u64);
    let signals = usize::try_from(signals.unwrap_or(0)).unwrap_or(usize::MAX);
    // Of many, since one is too short to be told apart from none.
    let each = estimate::estimate(MANY, signals).as_secs_f64() / MANY as f64;
    let generation = session.generation().await?;
    let fingerprint = session.fingerprint();
    let own: Map<String, Value> = [
        ("user", Value::from(&*call.caller.user)),
        ("role", call.caller.role.name().into()),
        ("engine_version", env!("CARGO_PKG_VERSION").into()),
        ("generation", generation.into()),
        ("dataset", fingerprint.into()),
        ("seconds_per_combination", each.into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect();
    document.extend(own);
    Ok(call.json(&Value::Object(document)))
}
