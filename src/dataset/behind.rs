//! A file that is written once and may be larger than the memory.
//!
//! The operating system keeps what is written in memory, in place of what others need there. Of a
//! file beyond [`KEPT_BYTES`] it is told to let go again of what has reached the disk. What is written
//! is digested on its way.

use std::fs::File;
use std::io::{self, Write};

use flate2::Crc;

use super::{Checksum, FileDigest, crc32_text};

/// So much of the beginning stays in memory, where the next statement finds it.
const KEPT_BYTES: u64 = 1 << 30;
/// How often it is told.
const STEP_BYTES: u64 = 64 << 20;
/// What was told this long ago has reached the disk.
const BEHIND_BYTES: u64 = 512 << 20;

/// The file; it is only ever appended to.
pub(super) struct WrittenBehind {
    file: File,
    written: u64,
    told: u64,
    checksum: Crc,
}

impl WrittenBehind {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            written: 0,
            told: KEPT_BYTES,
            checksum: Crc::new(),
        }
    }

    /// Puts everything on the disk; what that was.
    pub(super) fn sync(self) -> io::Result<FileDigest> {
        self.file.sync_all()?;
        Ok(FileDigest {
            bytes: self.written,
            checksum: Checksum::Crc32(crc32_text(&self.checksum)),
        })
    }
}

impl Write for WrittenBehind {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.checksum.update(&bytes[..written]);
        self.written += written as u64;
        if self.written >= self.told + STEP_BYTES {
            let from = self.told.saturating_sub(BEHIND_BYTES).max(KEPT_BYTES);
            let_go(&self.file, from, self.written - from);
            self.told = self.written;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Begins to write a part of the file to the disk, and lets go of what is there already.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "the standard library cannot advise the operating system"
)]
fn let_go(file: &File, from: u64, bytes: u64) {
    use std::os::fd::AsRawFd;

    let (Ok(from), Ok(bytes)) = (from.try_into(), bytes.try_into()) else {
        return;
    };
    // SAFETY: the descriptor is open as long as the file. It is advice: that it fails does no harm.
    unsafe {
        libc::posix_fadvise(file.as_raw_fd(), from, bytes, libc::POSIX_FADV_DONTNEED);
    }
}

#[cfg(not(target_os = "linux"))]
fn let_go(_: &File, _: u64, _: u64) {}
