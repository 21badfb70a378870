//! The rows of stored runs: Parquet files under `runs/` of the workspace, written once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::hash::Hasher;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use datafusion::parquet::basic::Compression;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use twox_hash::XxHash64;

use crate::error::{Error, Result};

/// One kind of rows that a run leaves.
#[derive(Debug, PartialEq, Eq)]
pub struct RunTable {
    /// The table in SQL, and the stem of the file.
    pub name: &'static str,
    /// The query whose rows they are.
    pub query: &'static str,
}

/// What a run leaves, in the order in which it is made.
pub const RUN_TABLES: [RunTable; 3] = [
    RunTable {
        name: "simulated_trades",
        query: "simulate_trades",
    },
    RunTable {
        name: "trade_comparisons",
        query: "compare_trades",
    },
    RunTable {
        name: "equity_curves",
        query: "equity_curve",
    },
];

/// The file whose lock is held as long as a run is under way.
pub const LOCK_FILE: &str = "lock";

const DIGESTS_FILE: &str = "digests.json";

/// Where the rows of a run are.
pub fn directory(workspace: &Path, id: &str) -> PathBuf {
    workspace.join("runs").join(id)
}

fn path(workspace: &Path, id: &str, table: &RunTable) -> PathBuf {
    directory(workspace, id).join(format!("{}.parquet", table.name))
}

/// Writes one table of a run.
pub struct RunWriter {
    path: PathBuf,
    writer: ArrowWriter<File>,
}

impl RunWriter {
    pub fn create(
        workspace: &Path,
        id: &str,
        table: &RunTable,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let path = path(workspace, id, table);
        let create = || {
            fs::create_dir_all(directory(workspace, id))?;
            let file = File::create(&path)?;
            let properties = WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .build();
            ArrowWriter::try_new(file, Arc::clone(schema), Some(properties))
        };
        match create() {
            Ok(writer) => Ok(Self { path, writer }),
            Err(error) => Err(unwritable(&path, &error)),
        }
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let written = self.writer.write(batch);
        written.map_err(|error| unwritable(&self.path, &error))
    }

    /// Puts everything on the disk.
    pub fn finish(self) -> Result<()> {
        let Self { path, writer } = self;
        let synced = writer.into_inner().and_then(|file| Ok(file.sync_all()?));
        synced.map_err(|error| unwritable(&path, &error))
    }
}

/// What was written of each file of a run, in hexadecimal, by the name of its table.
type Digests = BTreeMap<String, String>;

fn digest(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = XxHash64::with_seed(0);
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(format!("{:016x}", hasher.finish())),
            read => hasher.write(&piece[..read]),
        }
    }
}

/// The files of a completed run that are not as they were written, with what is wrong. Of a run of
/// an earlier version, which noted no digests, only what cannot be read.
pub fn verify(workspace: &Path, id: &str) -> Vec<(PathBuf, String)> {
    let mut damage = Vec::new();
    let notes = directory(workspace, id).join(DIGESTS_FILE);
    let digests: Digests = match fs::read(&notes).map(|text| serde_json::from_slice(&text)) {
        Ok(Ok(digests)) => digests,
        Err(error) if error.kind() == ErrorKind::NotFound => Digests::new(),
        Ok(Err(error)) => {
            damage.push((notes, format!("is damaged: {error}")));
            Digests::new()
        }
        Err(error) => {
            damage.push((notes, format!("cannot be read: {error}")));
            Digests::new()
        }
    };
    for table in &RUN_TABLES {
        let path = path(workspace, id, table);
        match digest(&path) {
            Ok(found) if digests.get(table.name).is_none_or(|noted| *noted == found) => {}
            Ok(_) => damage.push((path, "its bytes are not those that were written".into())),
            Err(error) => damage.push((path, format!("cannot be read: {error}"))),
        }
    }
    damage
}

/// The folders of completed runs with rows for which there is no run among these.
pub fn unknown(workspace: &Path, ids: &[String]) -> Vec<PathBuf> {
    let Ok(folders) = fs::read_dir(workspace.join("runs")) else {
        return Vec::new();
    };
    let folders = folders.filter_map(|folder| {
        let path = folder.ok()?.path();
        let id = path.file_name()?.to_str()?;
        let is_run = uuid::Uuid::parse_str(id).is_ok() && path.join(DIGESTS_FILE).is_file();
        (is_run && !ids.iter().any(|known| known == id)).then_some(path)
    });
    let mut folders: Vec<_> = folders.collect();
    folders.sort();
    folders
}

/// Whether runs have left rows in a workspace.
pub fn are_in(workspace: &Path) -> bool {
    let folders = fs::read_dir(workspace.join("runs"));
    folders.is_ok_and(|mut folders| {
        folders.any(|folder| {
            folder.is_ok_and(|folder| {
                let name = folder.file_name();
                name.to_str()
                    .is_some_and(|name| uuid::Uuid::parse_str(name).is_ok())
            })
        })
    })
}

/// Notes what was written of each file of a run.
fn note_digests(workspace: &Path, id: &str) -> Result<()> {
    let notes = directory(workspace, id).join(DIGESTS_FILE);
    let write = || -> std::io::Result<()> {
        let mut digests = Digests::new();
        for table in &RUN_TABLES {
            let digest = digest(&path(workspace, id, table))?;
            digests.insert(table.name.to_owned(), digest);
        }
        let mut file = File::create_new(&notes)?;
        file.write_all(&serde_json::to_vec(&digests)?)?;
        file.sync_all()
    };
    write().map_err(|error| unwritable(&notes, &error.into()))
}

/// Puts the files of a run, and that there are any, on the disk.
pub fn sync(workspace: &Path, id: &str) -> Result<()> {
    note_digests(workspace, id)?;
    for directory in [
        directory(workspace, id),
        workspace.join("runs"),
        workspace.to_owned(),
    ] {
        let synced = File::open(&directory).and_then(|directory| directory.sync_all());
        synced.map_err(|error| unwritable(&directory, &error.into()))?;
    }
    Ok(())
}

/// Removes what a run that did not complete has written: what bears our names, and its directory if
/// nothing else is left in it.
pub fn remove(workspace: &Path, id: &str) {
    let directory = directory(workspace, id);
    if !fs::symlink_metadata(&directory).is_ok_and(|metadata| metadata.is_dir()) {
        return;
    }
    // The run is over, whatever stays.
    for table in &RUN_TABLES {
        let _ = fs::remove_file(path(workspace, id, table));
    }
    for file in [DIGESTS_FILE, LOCK_FILE] {
        let _ = fs::remove_file(directory.join(file));
    }
    let _ = fs::remove_dir(directory);
}

/// Removes the rows of a run that was deleted, and nothing else that may lie beside them.
pub fn delete(workspace: &Path, id: &str) -> Result<()> {
    let directory = directory(workspace, id);
    // An id names a folder here, never another place.
    if uuid::Uuid::parse_str(id).is_err() || !directory.is_dir() {
        return Ok(());
    }
    let unremovable = |path: &Path, error: std::io::Error| Error::Workspace {
        path: path.to_owned(),
        problem: format!("cannot be removed: {error}"),
    };
    for table in &RUN_TABLES {
        let path = path(workspace, id, table);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(unremovable(&path, error));
            }
            _ => {}
        }
    }
    // Where a run was interrupted, its lock stays.
    for file in [DIGESTS_FILE, LOCK_FILE] {
        let _ = fs::remove_file(directory.join(file));
    }
    fs::remove_dir(&directory).map_err(|error| unremovable(&directory, error))
}

/// Whether the rows of a run are in this workspace.
pub fn are_here(workspace: &Path, id: &str, table: &RunTable) -> bool {
    path(workspace, id, table).exists()
}

/// The rows of one table of a run, with its id before their columns.
pub struct RunRows {
    path: PathBuf,
    id: String,
    reader: ParquetRecordBatchReader,
    /// Of the columns that are wanted.
    origins: Vec<Origin>,
    schema: SchemaRef,
}

/// Where a column comes from.
enum Origin {
    Id,
    /// The position among the columns that are read.
    File(usize),
    /// The version that stored the run did not have it.
    Nowhere,
}

impl RunRows {
    /// Opens a file; only the columns wanted are read, of which 0 is the id. `schema` is theirs.
    pub fn open(
        workspace: &Path,
        id: &str,
        table: &RunTable,
        columns: &[usize],
        schema: &SchemaRef,
        batch_size: usize,
    ) -> Result<Self> {
        let path = path(workspace, id, table);
        let open = || {
            let file = File::open(&path)?;
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
            // By name: a run of an earlier version has fewer columns, and may have them elsewhere.
            let in_file = |name: &str| builder.schema().index_of(name).ok();
            let names = columns.iter().zip(schema.fields());
            let places = names.map(|(column, field)| match column {
                0 => (true, None),
                _ => (false, in_file(field.name())),
            });
            let places: Vec<(bool, Option<usize>)> = places.collect();
            // The reader keeps the order of the file, whatever order is wanted.
            let read: BTreeSet<usize> = places.iter().filter_map(|(_, place)| *place).collect();
            let origins = places.iter().map(|(is_id, place)| match (is_id, place) {
                (true, _) => Origin::Id,
                (false, Some(place)) => Origin::File(read.range(..*place).count()),
                (false, None) => Origin::Nowhere,
            });
            let origins: Vec<Origin> = origins.collect();
            let mask = ProjectionMask::roots(builder.parquet_schema(), read);
            let reader = builder
                .with_projection(mask)
                .with_batch_size(batch_size)
                .build()?;
            Ok::<_, ParquetError>((reader, origins))
        };
        match open() {
            Ok((reader, origins)) => Ok(Self {
                path,
                id: id.to_owned(),
                reader,
                origins,
                schema: Arc::clone(schema),
            }),
            Err(error) => Err(unreadable(&path, error)),
        }
    }

    /// The next rows, if any are left.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.reader.next() else {
            return Ok(None);
        };
        let batch = batch.map_err(|error| unreadable(&self.path, error))?;
        let rows = batch.num_rows();
        let fields = self.schema.fields().iter();
        let columns = self
            .origins
            .iter()
            .zip(fields)
            .map(|(origin, field)| match origin {
                Origin::Id => Arc::new(StringArray::from(vec![self.id.as_str(); rows])) as _,
                Origin::File(position) => Arc::clone(batch.column(*position)),
                Origin::Nowhere => new_null_array(field.data_type(), rows),
            });
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns.collect(),
            &options,
        );
        batch
            .map(Some)
            .map_err(|error| unreadable(&self.path, error))
    }
}

fn unreadable(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Workspace {
        path: path.to_owned(),
        problem: format!("cannot be read: {error}"),
    }
}

fn unwritable(path: &Path, error: &ParquetError) -> Error {
    // What the operating system said is wrapped.
    let problem = match error {
        ParquetError::External(error) => error.to_string(),
        error => error.to_string(),
    };
    Error::Workspace {
        path: path.to_owned(),
        problem: format!("cannot be written: {problem}"),
    }
}
