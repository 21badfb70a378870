//! Parquet: row groups become chunks; price columns are converted whole, the small tables by cells.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use datafusion::parquet::basic::{LogicalType, Type as PhysicalType};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, FileMetaData, ParquetMetaData};
use datafusion::parquet::file::statistics::Statistics;
use datafusion::parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use super::builder::{ChunkBuilder, ColumnBuilder};
use super::cells::Source;
use super::chunk::{Cell, Chunk, Mismatch, Values};
use super::columns::{Column, Kind, Table};
use super::convert::{Converted, convert, decimals_of_bytes, short_decimals};
use super::decimal::Rounding;
use super::files::InputFile;
use super::folders;
use super::names::{self, BadHeader, Unused};
use super::near;
use super::read::Failure;
use super::text;

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
    rounding: Rounding,
    /// The position of each of our columns in what is read.
    positions: Arc<[Option<usize>]>,
    /// What each of our columns is called in the file.
    names: Arc<[Option<String>]>,
    /// Values that all rows have, with their slots.
    constants: Arc<[(usize, String)]>,
    unused: Arc<[Unused]>,
    /// Decimals that are read as bytes: column, precision and scale.
    as_bytes: Arc<[(&'static str, u8, i8)]>,
}

impl ParquetFile {
    pub(super) fn open(input: &InputFile, table: &'static Table) -> Result<Self, BadHeader> {
        let file = File::open(&input.path).map_err(|error| unusable(error.into()))?;
        // The Arrow schema that writers embed says how they held the values in memory; what counts
        // here is what the file holds.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&file, options.clone())
            .map_err(|error| other(&file).unwrap_or_else(|| unusable(error)))?;
        let mut fields: Vec<Arc<Field>> = metadata.schema().fields().to_vec();
        let in_file: Vec<_> = fields.iter().map(|field| field.name().clone()).collect();
        let folders = input.shape.folders_beside(&in_file);
        let mut all = in_file.clone();
        all.extend(folders.iter().map(|(name, _)| name.clone()));
        let slots = names::resolve(table, &input.shape.options.columns, &all)?;
        let constants = folders.into_iter().zip(&slots[in_file.len()..]);
        let constants: Vec<_> = constants
            .filter_map(|((_, value), slot)| Some(((*slot)?, value)))
            .collect();
        let slots = &slots[..in_file.len()];
        let mut positions = vec![None; table.slots()];
        let mut names = vec![None; table.slots()];
        let mut ours = Vec::new();
        let mut as_bytes = Vec::new();
        let root = metadata.parquet_schema().root_schema();
        let mut parquet_fields = root.get_fields().to_vec();
        for (position, (field, slot)) in fields.iter_mut().zip(slots).enumerate() {
            let Some(slot) = *slot else {
                continue;
            };
            positions[slot] = Some(ours.len());
            names[slot] = Some(field.name().clone());
            ours.push(position);
            let column = table.columns.get(slot);
            if let Some(column) = column {
                check_type(column, field, &parquet_fields[position])?;
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
        let mut unused = names::unused(table, &in_file, slots);
        let has = |slot: usize| slots.contains(&Some(slot));
        unused.extend(folders::passed(&input.shape, table, has));
        for (field, slot) in fields.iter().zip(slots) {
            if *slot == Some(table.score_factors_slot())
                && let DataType::Struct(children) = field.data_type()
            {
                let children = children.iter().map(|child| child.name().as_str());
                let others = children.filter(|name| names::factor(name).is_none());
                unused.extend(others.map(|name| Unused {
                    name: format!("{}.{name}", field.name()),
                    near: near::near_factor(name),
                }));
            }
        }
        let schema = Arc::new(Schema::new(fields));
        let metadata = with_fields(metadata.metadata(), parquet_fields)
            .and_then(|read| ArrowReaderMetadata::try_new(read, options.with_schema(schema)))
            .map_err(unusable)?;
        let projection = ProjectionMask::roots(metadata.parquet_schema(), ours);
        Ok(Self {
            path: input.path.clone(),
            table,
            metadata,
            projection,
            rounding: input.shape.options.rounding(),
            positions: positions.into(),
            names: names.into(),
            constants: constants.into(),
            unused: unused.into(),
            as_bytes: as_bytes.into(),
        })
    }

    /// The columns that are not ours.
    pub(super) fn unused(&self) -> &[Unused] {
        &self.unused
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
        let slot = self.table.slot(column)?;
        if let Some((_, value)) = self.constants.iter().find(|(of, _)| *of == slot) {
            return Some(value.clone().into_bytes());
        }
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
        let name = self.names.get(self.table.slot(column)?)?.as_ref()?;
        let columns = self.metadata.metadata().row_group(row_group).columns();
        columns
            .iter()
            .find(|found| matches!(found.column_path().parts(), [part] if part == name))
    }

    pub(super) fn read(&self, row_group: usize) -> Result<ParquetRecordBatchReader, BadHeader> {
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
            Some(_) => self.chunk_by_rows(batch),
            None => self.chunk_by_columns(batch),
        }
    }

    fn chunk_by_columns(&self, batch: &RecordBatch) -> Result<Chunk, Mismatch> {
        let mut chunk = Chunk {
            rows: batch.num_rows(),
            ..Chunk::default()
        };
        for (slot, column) in self.table.columns.iter().enumerate() {
            let as_bytes = self.as_bytes.iter().find(|(name, ..)| *name == column.name);
            let array = self.positions[slot].map(|position| batch.column(position));
            let (values, notes) = match (array, as_bytes) {
                (Some(array), Some((_, precision, scale))) => {
                    let bytes = array.as_fixed_size_binary();
                    match short_decimals(column, bytes, *scale) {
                        Some(values) => (values, Vec::new()),
                        None => {
                            let data_type = DataType::Decimal128(*precision, *scale);
                            let decimals = decimals_of_bytes(bytes).with_data_type(data_type);
                            let decimals: ArrayRef = Arc::new(decimals);
                            convert(column, &decimals, self.rounding)?
                        }
                    }
                }
                (Some(array), None) => convert(column, array, self.rounding)?,
                (None, _) => self.constant(slot, column, batch.num_rows())?,
            };
            chunk.columns.push(values);
            chunk.notes.extend(notes);
        }
        Ok(chunk)
    }

    /// The values of a column that the file does not have: what its folder says, if anything.
    fn constant(&self, slot: usize, column: &'static Column, rows: usize) -> Converted {
        let Some((_, value)) = self.constants.iter().find(|(of, _)| *of == slot) else {
            return Ok((Values::Absent, Vec::new()));
        };
        let mut builder = ColumnBuilder::new(column, self.rounding);
        for _ in 0..rows {
            builder.append(&Cell::Text(Cow::Borrowed(value)))?;
        }
        Ok(builder.finish())
    }

    fn chunk_by_rows(&self, batch: &RecordBatch) -> Result<Chunk, Mismatch> {
        let table = self.table;
        let mut sources: Vec<Option<Source>> = vec![None; table.slots()];
        let schema = batch.schema();
        for (slot, position) in self.positions.iter().enumerate() {
            let Some(position) = *position else { continue };
            let (field, array) = (schema.field(position), batch.column(position));
            match array.as_any().downcast_ref::<StructArray>() {
                Some(object) => {
                    for (name, child) in object.column_names().iter().zip(object.columns()) {
                        let factor = names::factor(name).zip(table.factors);
                        // Own columns, where there are both, come before.
                        if let Some((factor, first)) = factor
                            && self.positions[first + factor].is_none()
                        {
                            let source = Source::new(name, child, object.nulls())?;
                            sources[first + factor] = Some(source);
                        }
                    }
                }
                None => sources[slot] = Some(Source::new(field.name(), array, None)?),
            }
        }
        let mut chunk = ChunkBuilder::new(table, self.rounding);
        let mut cells = vec![Cell::Null; table.slots()];
        for (slot, value) in self.constants.iter() {
            cells[*slot] = Cell::Text(Cow::Borrowed(value));
        }
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
fn without_decimal(field: &Type, width: i32) -> Result<TypePtr, BadHeader> {
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

/// Refuses a column whose type can hold no value of ours.
fn check_type(column: &Column, field: &Field, parquet: &Type) -> Result<(), BadHeader> {
    let found = field.data_type();
    let is_uuid = parquet.get_basic_info().logical_type_ref() == Some(&LogicalType::Uuid);
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
            // Old writers do not say that their bytes are text.
            Kind::Text | Kind::Token => integer || is_uuid || found == &DataType::Binary,
            Kind::Timestamp => number || time,
            Kind::Price | Kind::Decimal { .. } => number,
        };
    match fits {
        true => Ok(()),
        false => Err(BadHeader::new(
            format!("column {} of type {found}", field.name()),
            column.expected,
        )),
    }
}

fn token_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Refuses a stream that does not begin as a Parquet file does.
pub(super) fn look(head: &[u8]) -> Result<(), Failure> {
    other_by(head, None).map_or(Ok(()), |bad| Err(Failure::of_header(bad)))
}

/// What a file seems to be that has no footer of Parquet.
fn other(mut file: &File) -> Option<BadHeader> {
    let (mut head, mut tail) = ([0; 64], [0; 4]);
    file.rewind().ok()?;
    let read = file.read(&mut head).ok()?;
    let is_long = read == head.len();
    let at_end = is_long && file.seek(SeekFrom::End(-4)).is_ok();
    let tail = (at_end && file.read_exact(&mut tail).is_ok()).then_some(&tail);
    other_by(&head[..read], tail)
}

fn other_by(head: &[u8], tail: Option<&[u8; 4]>) -> Option<BadHeader> {
    const MARK: &[u8; 4] = b"PAR1";
    let bad =
        |found: &str, hint: &str| Some(BadHeader::new(found, "a Parquet file").with_hint(hint));
    if head.is_empty() {
        return bad("an empty file", "download or write it again");
    }
    if head.starts_with(b"PARE") {
        return bad("an encrypted Parquet file", "write it without encryption");
    }
    if head.starts_with(b"version https://git-lfs") {
        return bad(
            "a pointer of Git LFS",
            "git lfs pull brings the file itself",
        );
    }
    if !head.starts_with(MARK) {
        let first = &head[..head.len().min(16)];
        let is_text = !first.contains(&0) && first.is_ascii();
        return match is_text || text::compression_of(head).is_some() {
            true => bad(
                "what seems to be text",
                "the name of a file of text ends in .csv or .ndjson, also with .gz or .zst; of \
                 standard input --input-format says what it is",
            ),
            false => bad(
                "bytes that no Parquet file begins with",
                "download or write it again",
            ),
        };
    }
    match tail {
        Some(MARK) => None,
        None if head.len() >= 64 => None,
        _ => bad(
            "a Parquet file without its end",
            "it is cut short: download or write it again",
        ),
    }
}

fn unusable(error: ParquetError) -> BadHeader {
    BadHeader::new(error.to_string(), "a Parquet file that can be read")
}
