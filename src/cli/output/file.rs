//! A file that results are written to: there whole under its name, or not at all. What is no plain
//! file, such as a named pipe or `/dev/stdout`, is written as it is.

use std::fs::File;
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};

use hindsight::Error;

use super::Target;
use crate::cli::failure::Failure;

/// A file that is being written.
pub struct FileTarget {
    path: PathBuf,
    file: File,
    /// Under which it is written until it is whole.
    part: Option<Part>,
}

impl FileTarget {
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let unwritable = |source| Self::unwritable(path, source);
        if is_device(path) {
            let file = File::options().write(true).open(path).map_err(unwritable)?;
            return Ok(Self {
                path: path.to_owned(),
                file,
                part: None,
            });
        }
        if path.is_dir() {
            return Err(unwritable(ErrorKind::IsADirectory.into()));
        }
        let mut part = path.to_owned().into_os_string();
        part.push(format!(".part-{}", std::process::id()));
        let part = PathBuf::from(part);
        let file = File::create_new(&part).map_err(unwritable)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            part: Some(Part(part)),
        })
    }

    /// Where one more result goes; behind those before it.
    pub fn target(&self) -> Result<Target, Failure> {
        let file = self.file.try_clone();
        let file = file.map_err(|source| Self::unwritable(&self.path, source))?;
        Ok(Box::new(BufWriter::with_capacity(1 << 16, file)))
    }

    /// Gives the whole file its name.
    pub fn finish(self) -> Result<(), Failure> {
        let Some(part) = self.part else {
            return Ok(());
        };
        // A disk may say only now that it is full.
        let named = self.file.sync_all();
        let named = named.and_then(|()| std::fs::rename(&part.0, &self.path));
        named.map_err(|source| Self::unwritable(&self.path, source))
    }

    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn unwritable(path: &Path, source: std::io::Error) -> Failure {
        Error::Io {
            path: path.display().to_string(),
            source,
        }
        .into()
    }
}

/// Whether there is something that a file must not take the place of.
fn is_device(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// A file that is removed unless it has got its name.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
