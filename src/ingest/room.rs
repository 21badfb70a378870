//! Room on the disk: what a load puts aside while it reads must leave some to everybody else.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// Beyond so much more is not asked for.
const ROOM_BYTES: u64 = 1 << 30;
/// Of a smaller disk, this part.
const PART: u64 = 20;

/// Refuses to write so many bytes more into a file, where that would leave a disk that is nearly full.
pub(super) fn ask(file: &File, path: &Path, bytes: u64) -> Result<()> {
    let Some((free, all)) = room(file) else {
        return Ok(());
    };
    let left = (all / PART).min(ROOM_BYTES);
    if bytes.saturating_add(left) <= free {
        return Ok(());
    }
    let mebibytes = |bytes: u64| bytes >> 20;
    let error = Error::Workspace {
        path: path.to_owned(),
        problem: format!(
            "cannot be written: what the load puts aside would fill the disk: {} MiB are free, and {} \
             MiB stay so",
            mebibytes(free),
            mebibytes(left)
        ),
    };
    Err(error.hinted(
        "free some of it, or load into a larger one with --data; prices in Parquet files sorted by \
         token_address are loaded without putting any aside",
    ))
}

/// Why a file cannot be written.
pub(super) fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::Workspace {
        path: path.to_owned(),
        problem: format!("cannot be written: {error}"),
    }
}

/// How many bytes are free for us on the disk of a file, and how many it has.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "the standard library does not tell the room on a disk"
)]
fn room(file: &File) -> Option<(u64, u64)> {
    use std::mem::MaybeUninit;
    use std::os::fd::AsRawFd;

    let mut told = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the descriptor is open as long as the file, and the structure is written where 0 is said.
    let told = unsafe {
        if libc::fstatvfs(file.as_raw_fd(), told.as_mut_ptr()) != 0 {
            return None;
        }
        told.assume_init()
    };
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Some((bytes(told.f_bavail), bytes(told.f_blocks)))
}

#[cfg(not(target_os = "linux"))]
fn room(_: &File) -> Option<(u64, u64)> {
    None
}
