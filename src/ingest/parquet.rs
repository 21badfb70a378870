//! Parquet: row groups become chunks; price columns are converted whole, the small tables by cells.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StructArray,
};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, DecimalType, Field, Int32Type, Schema, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use datafusion::parquet::errors::ParquetError;

use super::builder::{ChunkBuilder, ColumnBuilder};
use super::cells::Source;
use super::chunk::{Cell, Chunk, Mismatch, Rounded, Values, mismatch, note_rounded};
use super::columns::{Column, Kind, Range, Table};
use super::decimal::{Decimal, divide_exactly, power_of_ten, price_mantissa, short_float};

/// Rows of a record batch: enough to amortise its cost, few enough to stay in the cache.
const BATCH_ROWS: usize = 16 * 1024;

/// A Parquet file whose columns were found to fit a table.
#[derive(Debug, Clone)]
pub(super) struct ParquetFile {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    projection: ProjectionMask,
}

/// Why a file cannot be used: what was found, and what was expected.
pub(super) type BadFile = (String, String);

impl ParquetFile {
    pub(super) fn open(path: &Path, table: &'static Table) -> Result<Self, BadFile> {
        let file = File::open(path).map_err(|error| unusable(error.into()))?;
        // The Arrow schema that writers embed says how they held the values in memory; what counts
        // here is what the file holds.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&file, options.clone()).map_err(unusable)?;
        let mut fields: Vec<Arc<Field>> = metadata.schema().fields().to_vec();
        let mut ours = Vec::new();
        for (position, field) in fields.iter_mut().enumerate() {
            let Some(slot) = table.slot(field.name()) else {
                continue;
            };
            ours.push((position, slot));
            let column = table.columns.get(slot);
            if let Some(column) = column {
                check_type(column, field)?;
            }
            // Addresses repeat: as a dictionary they are decoded once, not once for each row.
            if column.is_some_and(|column| column.kind == Kind::Token)
                && field.data_type() == &DataType::Utf8
            {
                *field = Arc::new(field.as_ref().clone().with_data_type(token_type()));
            }
        }
        let missing = table.missing(|slot| ours.iter().any(|(_, found)| *found == slot));
        if !missing.is_empty() {
            let names: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
            return Err((
                format!(
                    "no column {} among {}",
                    missing.join(", "),
                    names.join(", ")
                ),
                format!("the columns {}", table.required_names().join(", ")),
            ));
        }
        let schema = Arc::new(Schema::new(fields));
        let metadata = ArrowReaderMetadata::try_new(
            Arc::clone(metadata.metadata()),
            options.with_schema(schema),
        )
        .map_err(unusable)?;
        let roots = ours.iter().map(|(position, _)| *position);
        let projection = ProjectionMask::roots(metadata.parquet_schema(), roots);
        Ok(Self {
            path: path.to_owned(),
            metadata,
            projection,
        })
    }

    pub(super) fn row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// The compressed size of a row group, for progress.
    pub(super) fn row_group_bytes(&self, row_group: usize) -> u64 {
        let bytes = self
            .metadata
            .metadata()
            .row_group(row_group)
            .compressed_size();
        bytes.try_into().unwrap_or_default()
    }

    pub(super) fn read(&self, row_group: usize) -> Result<ParquetRecordBatchReader, BadFile> {
        // Opened again: threads that share one open file share its position too.
        let file = File::open(&self.path).map_err(|error| unusable(error.into()))?;
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![row_group])
            .with_projection(self.projection.clone())
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(unusable)
    }
}

/// The rows of a record batch, checked.
pub(super) fn chunk_of(batch: &RecordBatch, table: &'static Table) -> Result<Chunk, Mismatch> {
    match table.factors {
        Some(_) => chunk_by_rows(batch, table),
        None => chunk_by_columns(batch, table),
    }
}

fn chunk_by_columns(batch: &RecordBatch, table: &'static Table) -> Result<Chunk, Mismatch> {
    let mut chunk = Chunk {
        rows: batch.num_rows(),
        columns: Vec::new(),
        rounded: Vec::new(),
    };
    for column in table.columns {
        let (values, rounded) = match batch.column_by_name(column.name) {
            Some(array) => convert(column, array)?,
            None => (Values::Absent, None),
        };
        chunk.columns.push(values);
        chunk.rounded.extend(rounded);
    }
    Ok(chunk)
}

fn chunk_by_rows(batch: &RecordBatch, table: &'static Table) -> Result<Chunk, Mismatch> {
    let mut sources: Vec<Option<Source>> = vec![None; table.slots()];
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let Some(slot) = table.slot(field.name()) else {
            continue;
        };
        match array.as_any().downcast_ref::<StructArray>() {
            // Own columns, where there are both, are found by their names too.
            Some(object) => {
                for (name, child) in object.column_names().iter().zip(object.columns()) {
                    let slot = table.slot(name).filter(|slot| Some(*slot) >= table.factors);
                    if let Some(slot) = slot
                        && batch.column_by_name(name).is_none()
                    {
                        sources[slot] = Some(Source::new(name, child, object.nulls())?);
                    }
                }
            }
            None => sources[slot] = Some(Source::new(field.name(), array, None)?),
        }
    }
    let mut chunk = ChunkBuilder::new(table);
    let mut cells = vec![Cell::Null; table.slots()];
    for row in 0..batch.num_rows() {
        for (cell, source) in cells.iter_mut().zip(&sources) {
            if let Some(source) = source {
                *cell = source.cell(row);
            }
        }
        chunk.append(&cells)?;
    }
    Ok(chunk.finish())
}

type Converted = Result<(Values, Option<Rounded>), Mismatch>;

fn convert(column: &'static Column, array: &ArrayRef) -> Converted {
    let no_nulls = array.null_count() == 0;
    match (column.kind, array.data_type()) {
        (Kind::Token, DataType::Dictionary(..)) if no_nulls => {
            let tokens = array.as_dictionary::<Int32Type>();
            Ok((Values::Token(tokens.clone()), None))
        }
        (Kind::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, _)) if no_nulls => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().values();
            Ok((
                Values::Timestamp(Int64Array::new(micros.clone(), None)),
                None,
            ))
        }
        (Kind::Price, DataType::Decimal128(_, scale)) if no_nulls && *scale >= 0 => {
            decimal_prices(column, array.as_primitive(), *scale)
        }
        (Kind::Price, DataType::Float64) if no_nulls => float_prices(column, array.as_primitive()),
        (
            Kind::Decimal {
                precision, scale, ..
            },
            DataType::Decimal128(_, from),
        ) if (0..=scale as i8).contains(from) => {
            match widen(column, array.as_primitive(), precision, scale - *from as u8) {
                Some(values) => Ok((Values::Decimal(values), None)),
                None => convert_by_cells(column, array),
            }
        }
        _ => convert_by_cells(column, array),
    }
}

fn convert_by_cells(column: &'static Column, array: &ArrayRef) -> Converted {
    let source = Source::new(column.name, array, None)?;
    let mut builder = ColumnBuilder::new(column);
    for row in 0..array.len() {
        builder.append(&source.cell(row))?;
    }
    Ok(builder.finish())
}

fn decimal_prices(column: &'static Column, prices: &Decimal128Array, scale: i8) -> Converted {
    let mut mantissas = Vec::with_capacity(prices.len());
    let mut scales = Vec::with_capacity(prices.len());
    for (row, &value) in prices.values().iter().enumerate() {
        let price = match u128::try_from(value).ok().and_then(price_mantissa) {
            Some(mantissa) if scale <= 18 => Some((mantissa, scale as u8)),
            _ => shorten(value, scale),
        };
        let Some((mantissa, scale)) = price else {
            let found = Decimal128Type::format_decimal(value, 38, scale);
            return Err(mismatch(column, row as u64, found));
        };
        mantissas.push(mantissa);
        scales.push(scale);
    }
    Ok((Values::Price { mantissas, scales }, None))
}

/// Cuts zeros at the end of a decimal until it fits a mantissa.
fn shorten(value: i128, scale: i8) -> Option<(i64, u8)> {
    let value = u128::try_from(value).ok()?;
    (1..=scale).find_map(|cut| {
        let left = u8::try_from(scale - cut).ok().filter(|left| *left <= 18)?;
        let mantissa = divide_exactly(value, u32::from(cut.unsigned_abs()))?;
        Some((price_mantissa(mantissa)?, left))
    })
}

fn float_prices(column: &'static Column, prices: &Float64Array) -> Converted {
    let mut mantissas = Vec::with_capacity(prices.len());
    let mut scales = Vec::with_capacity(prices.len());
    let mut rounded = None;
    let mut scratch = String::new();
    // Neighbours mostly have as many digits as each other.
    let mut likely_scale = 0;
    for (row, &value) in prices.values().iter().enumerate() {
        if value >= 0.0
            && let Some(mantissa) = short_float(value, likely_scale)
        {
            mantissas.push(mantissa);
            scales.push(likely_scale);
            continue;
        }
        let price = Decimal::from_float(value, &mut scratch)
            .and_then(|decimal| decimal.rounded_price().ok());
        let Some((mantissa, scale, lost)) = price else {
            return Err(mismatch(column, row as u64, value.to_string()));
        };
        if lost {
            note_rounded(&mut rounded, column.name, row as u64, || value.to_string());
        }
        if short_float(value, scale).is_some() {
            likely_scale = scale;
        }
        mantissas.push(mantissa);
        scales.push(scale);
    }
    Ok((Values::Price { mantissas, scales }, rounded))
}

/// The values with so many more fractional digits; `None` where one does not fit or must be looked
/// at.
fn widen(
    column: &Column,
    values: &Decimal128Array,
    precision: u8,
    digits: u8,
) -> Option<Decimal128Array> {
    let factor = i128::try_from(power_of_ten(u32::from(digits))?).ok()?;
    let limit = i128::try_from(power_of_ten(u32::from(precision))?).ok()? / factor;
    let least = if matches!(column.range, Range::Any) {
        -limit + 1
    } else {
        0
    };
    // What lies under a null may be anything; the slow way looks at it row by row.
    let fits = values
        .values()
        .iter()
        .all(|value| *value >= least && *value < limit);
    fits.then(|| values.unary::<_, Decimal128Type>(|value| value.wrapping_mul(factor)))
}

/// Refuses a column whose type can hold no value of ours.
fn check_type(column: &Column, field: &Field) -> Result<(), BadFile> {
    let found = field.data_type();
    let text = matches!(
        found,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    );
    let integer = found.is_integer();
    let number = integer || found.is_floating() || found.is_decimal();
    let time = matches!(
        found,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64
    );
    let fits = text
        || found.is_null()
        || match column.kind {
            Kind::Text | Kind::Token => integer,
            Kind::Timestamp => number || time,
            Kind::Price | Kind::Decimal { .. } => number,
        };
    if fits {
        return Ok(());
    }
    Err((
        format!("column {} of type {found}", column.name),
        column.expected.to_owned(),
    ))
}

fn token_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn unusable(error: ParquetError) -> BadFile {
    (error.to_string(), "a Parquet file that can be read".into())
}
