//! Reads a dataset back and holds it to what its manifest says was written.
//!
//! The digests of the files find every byte that has changed; the fingerprint is computed again from
//! the rows, so that it is known to be theirs.

use std::fs::File;
use std::hash::Hasher;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::Crc;
use rayon::prelude::*;
use twox_hash::XxHash64;

use super::fingerprint::{Fingerprint, token_digest};
use super::{
    Checksum, Dataset, FileDigest, GENERATION_FILES, MANIFEST_FILE, Manifest, NO_VOLUME,
    PRICES_FILE, claim, crc32_text, dataset_directory, generation_directory, hexadecimal,
};
use crate::error::{Error, Result};

/// What reading everything back has found.
#[derive(Debug, Default)]
pub struct Verified {
    /// Of the files of the dataset.
    pub bytes: u64,
    /// Files whose bytes were compared; none where an earlier version wrote no digests.
    pub digests: usize,
    pub damage: Vec<Damage>,
}

/// A file that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub path: PathBuf,
    pub problem: String,
}

impl Dataset {
    /// Reads the current generation back; an error says that it could not be read.
    pub fn verify(workspace: &Path, should_stop: &(dyn Fn() -> bool + Sync)) -> Result<Verified> {
        let root = dataset_directory(workspace);
        let mut verified = Verified::default();
        let manifest = match Manifest::read(workspace) {
            Ok(None) => return Ok(verified),
            Ok(Some(manifest)) => manifest,
            Err(error) => {
                verified.note(root.join(MANIFEST_FILE), &error);
                return Ok(verified);
            }
        };
        let directory = generation_directory(workspace, manifest.generation);
        for file in GENERATION_FILES {
            let path = directory.join(file);
            let written = manifest.files.get(file);
            let found = match digest_of(&path, written, should_stop) {
                Ok(found) => found,
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => {
                    verified.note(path, &error);
                    continue;
                }
            };
            verified.bytes += found.bytes;
            if let Some(written) = written {
                verified.digests += 1;
                if found.bytes != written.bytes {
                    let (found, written) = (found.bytes, written.bytes);
                    let problem = format!("has {found} bytes, {written} were written");
                    verified.damage.push(Damage { path, problem });
                } else if found != *written {
                    let problem = "its bytes are not those that were written".into();
                    verified.damage.push(Damage { path, problem });
                }
            }
        }
        if !claim::lock_fits(&root, manifest.generation) {
            let problem = "does not list the current generation".into();
            let path = claim::lock_path(&root);
            verified.damage.push(Damage { path, problem });
        }
        if !verified.damage.is_empty() {
            return Ok(verified);
        }
        let dataset = Self::open_generation(workspace, &manifest)?;
        let fingerprint = dataset.fingerprint_of_rows(should_stop)?;
        if fingerprint != manifest.fingerprint {
            let written = &manifest.fingerprint;
            verified.damage.push(Damage {
                path: directory.join(PRICES_FILE),
                problem: format!(
                    "the rows have the fingerprint {fingerprint}, the manifest says {written}"
                ),
            });
        }
        Ok(verified)
    }

    /// The fingerprint, computed again.
    fn fingerprint_of_rows(&self, should_stop: &(dyn Fn() -> bool + Sync)) -> Result<String> {
        let tokens: Vec<_> = self.price_book.iter().zip(self.volumes.iter()).collect();
        let digests: Vec<u64> = tokens
            .par_iter()
            .map(|((_, prices), volumes)| {
                if should_stop() {
                    return Err(Error::Cancelled);
                }
                let volumes = volumes.as_ref().map_or_else(Vec::new, |volumes| {
                    let values = volumes.iter();
                    values
                        .map(|volume| volume.unwrap_or(NO_VOLUME))
                        .collect::<Vec<_>>()
                });
                let (timestamps, mantissas) = (&prices.timestamps, &prices.mantissas);
                Ok(token_digest(prices.scale, timestamps, mantissas, &volumes))
            })
            .collect::<Result<_>>()?;
        let mut fingerprint = Fingerprint::default();
        for (((address, _), _), digest) in tokens.iter().zip(digests) {
            fingerprint.add_token(address, digest);
        }
        Ok(fingerprint.finish(&self.signals, &self.trade_outcomes))
    }
}

impl Verified {
    fn note(&mut self, path: PathBuf, error: &Error) {
        let problem = match error {
            Error::Workspace { problem, .. } => problem.clone(),
            error => error.to_string(),
        };
        self.damage.push(Damage { path, problem });
    }
}

/// Reads a file through, piece by piece; how many bytes it has.
fn read_through(
    path: &Path,
    should_stop: &dyn Fn() -> bool,
    mut piece_of: impl FnMut(&[u8]),
) -> Result<u64> {
    let mut file = File::open(path).map_err(|error| super::unreadable(path, error))?;
    let mut piece = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        if should_stop() {
            return Err(Error::Cancelled);
        }
        let read = file.read(&mut piece);
        let read = read.map_err(|error| super::unreadable(path, error))?;
        if read == 0 {
            return Ok(bytes);
        }
        piece_of(&piece[..read]);
        bytes += read as u64;
    }
}

/// The digest of a file as it is now, by the checksum that was written.
fn digest_of(
    path: &Path,
    written: Option<&FileDigest>,
    should_stop: &dyn Fn() -> bool,
) -> Result<FileDigest> {
    let (bytes, checksum) = match written.map(|written| &written.checksum) {
        Some(Checksum::Xxh64(_)) => {
            let mut hasher = XxHash64::with_seed(0);
            let bytes = read_through(path, should_stop, |piece| hasher.write(piece))?;
            (bytes, Checksum::Xxh64(hexadecimal(hasher.finish())))
        }
        Some(Checksum::Crc32(_)) | None => {
            let mut crc = Crc::new();
            let bytes = read_through(path, should_stop, |piece| crc.update(piece))?;
            (bytes, Checksum::Crc32(crc32_text(&crc)))
        }
    };
    Ok(FileDigest { bytes, checksum })
}
