//! Parquet: row groups become chunks; price columns are converted whole, the small tables by cells.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int64Array,
    RecordBatch, StructArray,
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
use datafusion::parquet::basic::Type as PhysicalType;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, FileMetaData, ParquetMetaData};
use datafusion::parquet::file::statistics::Statistics;
use datafusion::parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use super::builder::{ChunkBuilder, ColumnBuilder};
use super::cells::Source;
use super::chunk::{Cell, Chunk, Mismatch, Rounded, Values, mismatch, note_rounded};
use super::columns::{Column, Kind, Range, Table};
use super::decimal::{Decimal, divide_exactly, power_of_ten, price_mantissa, short_float};

/// Rows of a record batch: as many as most row groups have, so that few tokens are cut in two and
/// copied to be one again.
const BATCH_ROWS: usize = 512 * 1024;

/// A Parquet file whose columns were found to fit a table.
#[derive(Debug, Clone)]
pub(super) struct ParquetFile {
    path: PathBuf,
    table: &'static Table,
    metadata: ArrowReaderMetadata,
    projection: ProjectionMask,
    /// Decimals that are read as bytes: column, precision and scale.
    as_bytes: Arc<[(&'static str, u8, i8)]>,
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
        let mut as_bytes = Vec::new();
        let root = metadata.parquet_schema().root_schema();
        let mut parquet_fields = root.get_fields().to_vec();
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
            // Arrow's own way from the bytes of a decimal to a number takes several times longer.
            if let (Some(column), &DataType::Decimal128(precision, scale), None) =
                (column, field.data_type(), table.factors)
                && let Some(width) = bytes_of_decimal(&parquet_fields[position])
            {
                as_bytes.push((column.name, precision, scale));
                parquet_fields[position] = without_decimal(&parquet_fields[position], width)?;
                let bytes = DataType::FixedSizeBinary(width);
                *field = Arc::new(field.as_ref().clone().with_data_type(bytes));
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
        let metadata = with_fields(metadata.metadata(), parquet_fields)
            .and_then(|read| ArrowReaderMetadata::try_new(read, options.with_schema(schema)))
            .map_err(unusable)?;
        let roots = ours.iter().map(|(position, _)| *position);
        let projection = ProjectionMask::roots(metadata.parquet_schema(), roots);
        Ok(Self {
            path: path.to_owned(),
            table,
            metadata,
            projection,
            as_bytes: as_bytes.into(),
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

    /// No value of the text column in the row group is less than this; `None` where the file does
    /// not say.
    pub(super) fn least(&self, row_group: usize, column: &str) -> Option<Vec<u8>> {
        let column = self.column(row_group, column)?;
        let is_text = column.column_type() == PhysicalType::BYTE_ARRAY;
        let statistics = column.statistics()?;
        // The deprecated ones were compared as signed bytes by some writers.
        let least = statistics.min_bytes_opt().filter(|_| is_text)?;
        (!statistics.is_min_max_deprecated()).then(|| least.to_owned())
    }

    /// Whether the column may have values in the row group; `None` where there is no such column.
    pub(super) fn has_values(&self, row_group: usize, column: &str) -> Option<bool> {
        let column = self.column(row_group, column)?;
        let nulls = column.statistics().and_then(Statistics::null_count_opt);
        Some(nulls.is_none_or(|nulls| i64::try_from(nulls) != Ok(column.num_values())))
    }

    fn column(&self, row_group: usize, column: &str) -> Option<&ColumnChunkMetaData> {
        let columns = self.metadata.metadata().row_group(row_group).columns();
        columns
            .iter()
            .find(|found| found.column_path().parts() == [column])
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

    /// The rows of a record batch that was read, checked.
    pub(super) fn chunk(&self, batch: &RecordBatch) -> Result<Chunk, Mismatch> {
        match self.table.factors {
            Some(_) => chunk_by_rows(batch, self.table),
            None => self.chunk_by_columns(batch),
        }
    }

    fn chunk_by_columns(&self, batch: &RecordBatch) -> Result<Chunk, Mismatch> {
        let mut chunk = Chunk {
            rows: batch.num_rows(),
            columns: Vec::new(),
            rounded: Vec::new(),
        };
        for column in self.table.columns {
            let as_bytes = self.as_bytes.iter().find(|(name, ..)| *name == column.name);
            let (values, rounded) = match (batch.column_by_name(column.name), as_bytes) {
                (Some(array), Some((_, precision, scale))) => {
                    let bytes = array.as_fixed_size_binary();
                    match short_decimals(column, bytes, *scale) {
                        Some(values) => (values, None),
                        None => {
                            let data_type = DataType::Decimal128(*precision, *scale);
                            let decimals = decimals_of_bytes(bytes).with_data_type(data_type);
                            let decimals: ArrayRef = Arc::new(decimals);
                            convert(column, &decimals)?
                        }
                    }
                }
                (Some(array), None) => convert(column, array)?,
                (None, _) => (Values::Absent, None),
            };
            chunk.columns.push(values);
            chunk.rounded.extend(rounded);
        }
        Ok(chunk)
    }
}

/// How many bytes a decimal is written in, where those are 8 to 16.
fn bytes_of_decimal(field: &Type) -> Option<i32> {
    match field {
        Type::PrimitiveType {
            physical_type: PhysicalType::FIXED_LEN_BYTE_ARRAY,
            type_length,
            ..
        } => Some(*type_length).filter(|width| (8..=16).contains(width)),
        _ => None,
    }
}

/// The same field, as bytes that mean nothing.
fn without_decimal(field: &Type, width: i32) -> Result<TypePtr, BadFile> {
    let bytes = Type::primitive_type_builder(field.name(), PhysicalType::FIXED_LEN_BYTE_ARRAY)
        .with_repetition(field.get_basic_info().repetition())
        .with_length(width)
        .build();
    bytes.map(Arc::new).map_err(unusable)
}

fn with_fields(
    metadata: &ParquetMetaData,
    fields: Vec<TypePtr>,
) -> Result<Arc<ParquetMetaData>, ParquetError> {
    let file = metadata.file_metadata();
    let root = Type::group_type_builder(file.schema().name())
        .with_fields(fields)
        .build()?;
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        Arc::new(SchemaDescriptor::new(Arc::new(root))),
        file.column_orders().cloned(),
    );
    let row_groups = metadata.row_groups().to_vec();
    Ok(Arc::new(ParquetMetaData::new(file, row_groups)))
}

/// Numbers of two's complement, most significant byte first; 8 to 16 bytes each.
fn decimals_of_bytes(bytes: &FixedSizeBinaryArray) -> Decimal128Array {
    let values = halves(bytes).map(|(high, low)| i128::from(high) << 64 | i128::from(low));
    Decimal128Array::new(values.collect(), bytes.nulls().cloned())
}

/// The upper and the lower 64 bits of each number.
fn halves(bytes: &FixedSizeBinaryArray) -> impl Iterator<Item = (i64, u64)> {
    let width = bytes.value_length() as usize;
    // The first eight bytes hold the sign and all that is above the last eight.
    let shift = (128 - 8 * width as u32).min(63);
    let eight = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_be_bytes);
    let values = bytes.value_data().chunks_exact(width);
    values.map(move |value| {
        let (first, last) = (eight(&value[..8]), eight(&value[width - 8..]));
        (first >> shift, last as u64)
    })
}

/// Prices and volumes in one go where each is there, is not negative and below `i64::MAX`, as nearly
/// all are.
fn short_decimals(column: &Column, bytes: &FixedSizeBinaryArray, scale: i8) -> Option<Values> {
    let scale = u8::try_from(scale).ok().filter(|scale| *scale <= 18)?;
    let mut beyond = 0;
    let mut short = |(high, low): (i64, u64)| {
        // What is too large has the leading bit, or as `i64::MAX` gets it from one more.
        beyond |= high as u64 | (low | low.wrapping_add(1)) >> 63;
        low
    };
    if bytes.null_count() > 0 {
        return None;
    }
    let values = match column.kind {
        Kind::Price => {
            let mantissas: Vec<_> = halves(bytes).map(|half| short(half) as i64).collect();
            let scales = vec![scale; mantissas.len()];
            Some(price_values(mantissas, scales))
        }
        Kind::Decimal {
            precision,
            scale: to,
            ..
        } if precision == 38 && matches!(column.range, Range::NotNegative) => {
            // 63 bits and 18 digits more are less than 10^38.
            let digits = to.checked_sub(scale)?;
            let factor = i128::try_from(power_of_ten(digits.into())?).ok()?;
            let values = halves(bytes).map(|half| i128::from(short(half)).wrapping_mul(factor));
            Some(Values::Decimal(Decimal128Array::new(
                values.collect(),
                None,
            )))
        }
        _ => None,
    };
    values.filter(|_| beyond == 0)
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

fn price_values(mantissas: Vec<i64>, scales: Vec<u8>) -> Values {
    Values::Price {
        mantissas: mantissas.into(),
        scales,
    }
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
    Ok((price_values(mantissas, scales), None))
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
    Ok((price_values(mantissas, scales), rounded))
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
