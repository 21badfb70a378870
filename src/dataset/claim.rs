//! What in a dataset directory is ours, and so may be replaced and removed.
//!
//! The lock begins with our words and lists the generations that were begun; the manifest names the
//! current one. A directory with things in it and neither of the two is somebody else's, and is
//! refused before anything is touched. Of a listed generation the files go that bear our names, then
//! its directory if nothing is left in it; links are not followed.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{
    GENERATION_FILES, MANIFEST_FILE, Manifest, dataset_directory, generation_directory, unreadable,
    unwritable,
};
use crate::error::{Error, Result};

const LOCK_FILE: &str = "lock";
/// How a lock of ours begins; one that is empty is of a load that was killed as it began, or of an
/// earlier version.
const WORDS: &str = "hindsight dataset; generations:\n";
/// More than any list of ours takes.
const LOCK_BYTES_MAX: u64 = 1 << 16;

/// The right to write the dataset of a workspace, as long as it is held.
#[derive(Debug)]
pub(super) struct Claim {
    workspace: PathBuf,
    /// Begun by us and not seen to be gone.
    generations: Vec<u64>,
    lock: File,
}

impl Claim {
    /// Makes the directory if it is not there, and takes the lock; nothing of others is touched.
    pub(super) fn take(workspace: &Path) -> Result<Self> {
        let root = dataset_directory(workspace);
        make_directories(workspace, &root).map_err(|error| unwritable(&root, error))?;
        check(&root)?;
        let path = lock_path(&root);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path)
            .map_err(|error| unwritable(&path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Workspace {
                    path: workspace.to_owned(),
                    problem: "another process is loading into it; try again when it has finished"
                        .into(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(unwritable(&path, error)),
        }
        Ok(Self {
            workspace: workspace.to_owned(),
            // What another has written since is seen only under the lock.
            generations: check(&root)?,
            lock,
        })
    }

    /// Removes what loads before left, but not the current generation.
    pub(super) fn clear(&mut self, current: u64) {
        let workspace = &self.workspace;
        self.generations.retain(|generation| {
            *generation == current || !remove_generation(workspace, *generation)
        });
    }

    /// Makes the directory of the next generation: the number after the current one that nobody has
    /// taken. It is listed before it is there, so that it can be told from another's.
    pub(super) fn next(&mut self, current: u64) -> Result<(u64, PathBuf)> {
        if current > 0 && !self.generations.contains(&current) {
            self.generations.push(current);
        }
        let mut generation = current;
        loop {
            generation += 1;
            let directory = generation_directory(&self.workspace, generation);
            if fs::symlink_metadata(&directory).is_ok() {
                continue;
            }
            self.generations.push(generation);
            self.write()?;
            fs::create_dir(&directory).map_err(|error| unwritable(&directory, error))?;
            return Ok((generation, directory));
        }
    }

    fn write(&self) -> Result<()> {
        let lines = self.generations.iter().map(|number| format!("{number}\n"));
        let text = WORDS.to_owned() + &lines.collect::<String>();
        let written = self.lock.write_all_at(text.as_bytes(), 0);
        written
            .and_then(|()| self.lock.set_len(text.len() as u64))
            .and_then(|()| self.lock.sync_all())
            .map_err(|error| unwritable(&lock_path(&dataset_directory(&self.workspace)), error))
    }
}

/// The generations that the lock lists, in a directory that is ours or empty.
pub(super) fn check(root: &Path) -> Result<Vec<u64>> {
    let mut others = Vec::new();
    for entry in fs::read_dir(root).map_err(|error| unreadable(root, error))? {
        let name = entry.map_err(|error| unreadable(root, error))?.file_name();
        if name != LOCK_FILE {
            others.push(name);
        }
    }
    // After the listing: whoever makes more here has written the lock before.
    let path = lock_path(root);
    let lock = match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(unreadable(&path, error)),
        Ok(metadata) if !metadata.is_file() || metadata.len() > LOCK_BYTES_MAX => {
            return Err(not_ours(&path, "it is not a lock of hindsight's"));
        }
        Ok(_) => read_text(&path).map_err(|error| unreadable(&path, error))?,
    };
    if !lock.is_empty() {
        return listed(&lock).ok_or_else(|| {
            not_ours(
                &path,
                "it holds something else than a lock of hindsight's; where the dataset is yours, \
                 remove this file",
            )
        });
    }
    let first = others.iter().min_by_key(|name| name.as_os_str());
    match first {
        Some(first) if !Manifest::is_ours(root) => Err(not_ours(
            root,
            &format!(
                "it holds {}, and nothing that hindsight wrote",
                Path::new(first).display()
            ),
        )),
        _ => Ok(Vec::new()),
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LOCK_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The generations in the text of a lock of ours.
fn listed(lock: &str) -> Option<Vec<u64>> {
    let lines = lock.strip_prefix(WORDS)?;
    // A line that was cut off lists nothing.
    let whole = lines.rfind('\n').map_or("", |end| &lines[..end]);
    whole.lines().map(|line| line.parse().ok()).collect()
}

pub(super) fn lock_path(root: &Path) -> PathBuf {
    root.join(LOCK_FILE)
}

/// Whether the lock of a dataset says what it should; one of an earlier version says nothing.
pub(super) fn lock_fits(root: &Path, current: u64) -> bool {
    let Ok(lock) = read_text(&lock_path(root)) else {
        return true;
    };
    let lines = || lock.strip_prefix(WORDS).filter(|rest| rest.ends_with('\n'));
    lock.is_empty() || lines().is_some() && listed(&lock).is_some_and(|all| all.contains(&current))
}

fn not_ours(path: &Path, why: &str) -> Error {
    Error::Workspace {
        path: path.to_owned(),
        problem: format!(
            "is not hindsight's: {why}. Nothing in it was touched; name another workspace with \
             --data, such as --data ./hindsight-data"
        ),
    }
}

/// Removes all that is ours, as far as that can be.
pub(super) fn remove(workspace: &Path) {
    let root = dataset_directory(workspace);
    let Ok(generations) = check(&root) else {
        return;
    };
    if Manifest::is_ours(&root) {
        let _ = fs::remove_file(root.join(MANIFEST_FILE));
    }
    for generation in generations {
        remove_generation(workspace, generation);
    }
    let _ = fs::remove_file(lock_path(&root));
    let _ = fs::remove_dir(root);
}

/// Removes our files of a generation, and its directory if it is empty then; whether it is gone.
pub(super) fn remove_generation(workspace: &Path, generation: u64) -> bool {
    let directory = generation_directory(workspace, generation);
    match fs::symlink_metadata(&directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return false,
        Err(error) => return error.kind() == ErrorKind::NotFound,
    }
    for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
        if is_our_name(&entry.file_name()) {
            // What stays keeps the directory, which is tried again by the next load.
            let _ = fs::remove_file(entry.path());
        }
    }
    fs::remove_dir(&directory).is_ok()
}

fn is_our_name(name: &OsStr) -> bool {
    // What a load keeps there while it reads.
    let is_temporary = |name: &str| {
        let number = ["prices-", "input-"]
            .iter()
            .find_map(|kind| name.strip_prefix(kind)?.strip_suffix(".tmp"));
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    name.to_str().is_some_and(|name| {
        GENERATION_FILES.contains(&name) || name == MANIFEST_FILE || is_temporary(name)
    })
}

/// Makes a directory and those above it; what is made lasts once the one above it is synced. A
/// workspace is for nobody but its user.
fn make_directories(workspace: &Path, root: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut directory = root;
    while !directory.as_os_str().is_empty() && !directory.is_dir() {
        missing.push(directory);
        let Some(parent) = directory.parent() else {
            break;
        };
        directory = parent;
    }
    if missing == [root] {
        // Who made the workspace may not have synced it; and may be the only one who can.
        let _ = File::open(above(workspace)).and_then(|above| above.sync_all());
    }
    for directory in missing.into_iter().rev() {
        let mode = if directory == workspace { 0o700 } else { 0o777 };
        match DirBuilder::new().mode(mode).create(directory) {
            // Another process was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => {}
            made => made?,
        }
        File::open(above(directory))?.sync_all()?;
    }
    Ok(())
}

fn above(directory: &Path) -> &Path {
    match directory.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    }
}
