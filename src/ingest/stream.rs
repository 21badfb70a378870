//! What can be read only once, such as standard input and named pipes: looked at, and copied, since a
//! contradiction is looked for in it again, and Parquet is read from its end.
//!
//! It may never end, so that its beginning decides whether it is copied at all.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use super::columns::Table;
use super::files::{Format, InputFile};
use super::{Progress, parquet, room, text};
use crate::error::{Error, Result};

/// Copies a stream into a file, which is read from now on.
pub(super) fn copy(
    file: &mut InputFile,
    table: &'static Table,
    copy: PathBuf,
    progress: &dyn Progress,
) -> Result<()> {
    let unreadable = |error: io::Error| Error::InputFile {
        file: file.name(),
        found: error.to_string(),
        expected: "an input that can be read".into(),
    };
    let unwritable = |error: io::Error| room::unwritable(&copy, &error);
    let mut input: Box<dyn Read> = match file.is_standard_input() {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(&file.path).map_err(unreadable)?),
    };
    let mut output = File::create_new(&copy).map_err(unwritable)?;
    let mut piece = vec![0; 1 << 20];
    let mut head = Vec::new();
    let mut looked_at = false;
    loop {
        if progress.should_stop() {
            return Err(Error::Cancelled);
        }
        let read = match input.read(&mut piece) {
            Ok(read) => &piece[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error)),
        };
        if !looked_at {
            let missing = text::HEAD_BYTES - head.len();
            head.extend_from_slice(read.get(..missing).unwrap_or(read));
            if read.is_empty() || head.len() == text::HEAD_BYTES {
                look(file, table, &head)?;
                looked_at = true;
            }
        }
        if read.is_empty() {
            break;
        }
        room::ask(&output, &copy, read.len() as u64)?;
        output.write_all(read).map_err(unwritable)?;
    }
    file.move_to(copy, &head);
    Ok(())
}

/// Refuses a stream that does not begin as its format does.
fn look(file: &InputFile, table: &'static Table, head: &[u8]) -> Result<()> {
    let looked = match file.format {
        Format::Parquet => parquet::look(head),
        _ => text::look(file, table, head),
    };
    looked.map_err(|failure| failure.into_error(file.name()))
}
