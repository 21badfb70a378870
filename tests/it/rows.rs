//! Named values, the common form of what the reference, the published results and SQL say, so that
//! any two of them are compared field by field, by value.

use std::fmt;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, make_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::arrow::util::display::array_value_to_string;
use num_bigint::BigInt;
use num_traits::Signed;
use serde_json::Value;

use crate::reference::number::{Number, decimal, parse, show, whole};

/// One value. Timestamps are microseconds since 1970 UTC, dates are text.
#[derive(Clone, PartialEq, Eq)]
pub enum Cell {
    Null,
    Bool(bool),
    Text(String),
    Number(Number),
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Number(value) => f.write_str(&show(value)),
        }
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Number(whole(value))
    }
}

impl From<&Number> for Cell {
    fn from(value: &Number) -> Self {
        Self::Number(value.clone())
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Cell {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<&Option<Number>> for Cell {
    fn from(value: &Option<Number>) -> Self {
        value.as_ref().map_or(Self::Null, Self::from)
    }
}

impl From<&Option<String>> for Cell {
    fn from(value: &Option<String>) -> Self {
        value.as_ref().map_or(Self::Null, Self::from)
    }
}

/// The fields of one row, in order.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Row(pub Vec<(String, Cell)>);

impl Row {
    /// Adds a field.
    pub fn push(&mut self, name: impl Into<String>, cell: impl Into<Cell>) {
        self.0.push((name.into(), cell.into()));
    }

    /// The value of a field, `None` where the row has no such field.
    pub fn get(&self, name: &str) -> Option<&Cell> {
        let found = self.0.iter().find(|(field, _)| field == name);
        found.map(|(_, cell)| cell)
    }

    /// What says which row it is: its signal, or nothing.
    fn label(&self) -> String {
        self.get("signal_id")
            .map_or_else(String::new, |id| format!(" (signal {id:?})"))
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.iter().map(|(n, c)| (n, c)))
            .finish()
    }
}

/// Holds `found` to `expected`: as many rows, and every field that `expected` has. `case` says
/// what was run.
pub fn assert_same(case: &str, expected: &[Row], found: &[Row]) {
    for (position, (expected, found)) in expected.iter().zip(found).enumerate() {
        if let Some(difference) = difference(expected, found) {
            panic!("{case}: row {position}{}: {difference}", expected.label());
        }
    }
    assert_eq!(found.len(), expected.len(), "{case}: number of rows");
}

/// The first field of `expected` that `found` has not, or has with another value.
pub fn difference(expected: &Row, found: &Row) -> Option<String> {
    expected
        .0
        .iter()
        .find_map(|(name, expected)| match found.get(name) {
            None => Some(format!("no field {name} in {found:?}")),
            Some(found) if is_same(name, expected, found) => None,
            Some(found) => Some(format!("{name}: expected {expected:?}, found {found:?}")),
        })
}

/// Equal by value; an exit price with more than 18 fractional digits within 1e-18.
fn is_same(name: &str, expected: &Cell, found: &Cell) -> bool {
    match (expected, found) {
        (Cell::Number(expected), Cell::Number(found)) if name == "exit_price" => {
            (expected - found).abs() <= decimal(1, 18)
        }
        _ => expected == found,
    }
}

/// A JSON object of published results; its decimals are strings.
pub fn from_json(object: &Value) -> Row {
    let cell = |value: &Value| match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Bool(*value),
        Value::Number(value) => Cell::Number(parse(&value.to_string()).unwrap()),
        Value::String(text) => parse(text).map_or(Cell::Text(text.clone()), Cell::Number),
        _ => panic!("a published result is a single value, found {value}"),
    };
    let fields = object.as_object().unwrap();
    Row(fields.iter().map(|(n, v)| (n.clone(), cell(v))).collect())
}

/// The rows of an SQL result; fields of structs are named `column.field`.
pub fn from_batches(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        let mut of_batch = vec![Row::default(); batch.num_rows()];
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            push_column(&mut of_batch, field.name(), column.as_ref());
        }
        rows.append(&mut of_batch);
    }
    rows
}

fn push_column(rows: &mut [Row], name: &str, column: &dyn Array) {
    if let DataType::Struct(fields) = column.data_type() {
        let parts = column.as_struct();
        for (field, part) in fields.iter().zip(parts.columns()) {
            // A null struct has null fields, whatever its children hold.
            let nulls = datafusion::arrow::compute::is_null(column).unwrap();
            let part = datafusion::arrow::compute::nullif(part, &nulls).unwrap();
            push_column(rows, &format!("{name}.{}", field.name()), &part);
        }
        return;
    }
    let cells = cells(name, column);
    for (row, cell) in rows.iter_mut().zip(cells) {
        row.push(name, cell);
    }
}

/// The values of a column without fields of its own.
pub fn cells(name: &str, column: &dyn Array) -> Vec<Cell> {
    let cast = |to: &DataType| cast(column, to).unwrap();
    let rows = 0..column.len();
    let value: Box<dyn Fn(usize) -> Cell> = match column.data_type() {
        DataType::Null => Box::new(|_| Cell::Null),
        DataType::Boolean => {
            let column = column.as_boolean().clone();
            Box::new(move |row| Cell::Bool(column.value(row)))
        }
        DataType::Decimal128(_, scale) => {
            let digits = u32::try_from(*scale).unwrap();
            let column = column.as_primitive::<Decimal128Type>().clone();
            Box::new(move |row| Cell::Number(decimal(column.value(row), digits)))
        }
        DataType::Decimal256(_, scale) => {
            let digits = u32::try_from(*scale).unwrap();
            let column = column.as_primitive::<Decimal256Type>().clone();
            Box::new(move |row| {
                let mantissa: BigInt = column.value(row).to_string().parse().unwrap();
                Cell::Number(decimal(mantissa, digits))
            })
        }
        DataType::Timestamp(_, _) => {
            let micros = cast(&DataType::Timestamp(
                TimeUnit::Microsecond,
                Some("UTC".into()),
            ));
            let column = micros.as_primitive::<TimestampMicrosecondType>().clone();
            Box::new(move |row| Cell::from(column.value(row)))
        }
        DataType::Date32 => {
            let column = column.as_primitive::<Date32Type>().clone();
            Box::new(move |row| {
                let text = Date32Type::to_naive_date_opt(column.value(row))
                    .unwrap()
                    .to_string();
                Cell::Text(text)
            })
        }
        kind if kind.is_integer() => {
            let column = cast(&DataType::Int64).as_primitive::<Int64Type>().clone();
            Box::new(move |row| Cell::from(column.value(row)))
        }
        DataType::Float64 => {
            let column = column.as_primitive::<Float64Type>().clone();
            Box::new(move |row| Cell::Number(Number::from_float(column.value(row)).unwrap()))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(_, _) => {
            let column = cast(&DataType::Utf8).as_string::<i32>().clone();
            Box::new(move |row| Cell::from(column.value(row)))
        }
        DataType::List(_) => {
            let column = make_array(column.to_data());
            Box::new(move |row| Cell::Text(array_value_to_string(&column, row).unwrap()))
        }
        other => panic!("{name}: no number, text, time or boolean but {other}"),
    };
    rows.map(|row| {
        if column.is_null(row) {
            Cell::Null
        } else {
            value(row)
        }
    })
    .collect()
}
