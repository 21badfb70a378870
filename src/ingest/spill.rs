//! The file that prices move to while they are loaded, when they outgrow the memory.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use datafusion::arrow::datatypes::ToByteSlice;

use super::mantissas::Mantissas;
use super::prices::{CollectedToken, Piece};
use super::room::{self, unwritable};
use crate::error::{Error, Result};

/// A temporary file of pieces; it is there only once something was written.
#[derive(Default)]
pub(super) struct Spill {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    bytes: u64,
}

/// Where a piece lies in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    offset: u64,
    pub(super) rows: usize,
    scale: u8,
    /// Whether each price has its own scale.
    mixed: bool,
    with_volumes: bool,
    with_places: bool,
}

impl Spill {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            bytes: 0,
        }
    }

    pub(super) fn write(&mut self, tokens: &mut [CollectedToken]) -> Result<()> {
        let path = self.path.clone();
        let file = self.open().map_err(|error| unwritable(&path, &error))?;
        let bytes = tokens.iter().map(|token| token.piece.bytes() as u64).sum();
        room::ask(file.get_ref(), &path, bytes)?;
        self.try_write(tokens)
            .map_err(|error| unwritable(&path, &error))
    }

    fn open(&mut self) -> io::Result<&mut BufWriter<File>> {
        if self.file.is_none() {
            let file = File::options()
                .create_new(true)
                .read(true)
                .write(true)
                .open(&self.path)?;
            self.file = Some(BufWriter::with_capacity(1 << 20, file));
        }
        self.file
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn try_write(&mut self, tokens: &mut [CollectedToken]) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        for token in tokens
            .iter_mut()
            .filter(|token| !token.piece.timestamps.is_empty())
        {
            // Not cleared: the memory is for the tokens that come next.
            let piece = std::mem::take(&mut token.piece);
            file.write_all(piece.timestamps.to_byte_slice())?;
            file.write_all(piece.mantissas.values.to_byte_slice())?;
            file.write_all(piece.volumes.to_byte_slice())?;
            file.write_all(piece.places.to_byte_slice())?;
            file.write_all(&piece.mantissas.scales)?;
            token.segments.push(Segment {
                offset: self.bytes,
                rows: piece.timestamps.len(),
                scale: piece.mantissas.scale,
                mixed: !piece.mantissas.scales.is_empty(),
                with_volumes: !piece.volumes.is_empty(),
                with_places: !piece.places.is_empty(),
            });
            self.bytes += piece.bytes() as u64;
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.file.is_none()
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        match &mut self.file {
            Some(file) => file.flush().map_err(|error| unwritable(&self.path, &error)),
            None => Ok(()),
        }
    }

    pub(super) fn read(&self, segment: &Segment) -> Result<Piece> {
        self.try_read(segment).map_err(|error| Error::Workspace {
            path: self.path.clone(),
            problem: format!("cannot be read: {error}"),
        })
    }

    fn try_read(&self, segment: &Segment) -> io::Result<Piece> {
        let Some(file) = &self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let volume_width = if segment.with_volumes { 16 } else { 0 };
        let place_width = if segment.with_places { 8 } else { 0 };
        let scale_width = usize::from(segment.mixed);
        let width = 16 + volume_width + place_width + scale_width;
        let mut bytes = vec![0; segment.rows * width];
        file.get_ref().read_exact_at(&mut bytes, segment.offset)?;
        let (timestamps, rest) = bytes.split_at(segment.rows * 8);
        let (mantissas, rest) = rest.split_at(segment.rows * 8);
        let (volumes, rest) = rest.split_at(segment.rows * volume_width);
        let (places, scales) = rest.split_at(segment.rows * place_width);
        let numbers = |bytes: &[u8]| -> Vec<i64> {
            let (numbers, _) = bytes.as_chunks::<8>();
            numbers
                .iter()
                .map(|number| i64::from_ne_bytes(*number))
                .collect()
        };
        let (volumes, _) = volumes.as_chunks::<16>();
        let (places, _) = places.as_chunks::<8>();
        Ok(Piece {
            timestamps: numbers(timestamps).into(),
            mantissas: match segment.mixed {
                true => Mantissas::of_scales(numbers(mantissas), scales.to_vec()),
                false => Mantissas::new(segment.scale, numbers(mantissas).into()),
            },
            volumes: volumes
                .iter()
                .map(|volume| i128::from_ne_bytes(*volume))
                .collect::<Vec<_>>()
                .into(),
            places: places
                .iter()
                .map(|place| u64::from_ne_bytes(*place))
                .collect::<Vec<_>>()
                .into(),
        })
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if self.file.is_some() {
            // If it stays, it is in a directory that the next load clears.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
