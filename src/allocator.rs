//! What the allocator of the C library keeps of memory that is not needed any more.
//!
//! Pages that are given back and asked for again cost as much as much of what is computed on them, so
//! some are kept; and what many statements used at once, each thread its part, would be kept for
//! good, so all of it can be given back.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    /// Values below this lie among others, where what one leaves is another's.
    const TOGETHER: i32 = 32 << 20;
    /// How much each thread's part keeps.
    const KEPT: i32 = 128 << 20;

    #[expect(
        unsafe_code,
        reason = "the allocator of the C library has no safe interface"
    )]
    pub fn keep() {
        // SAFETY: both set a limit of the allocator, and may be called at any time.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, TOGETHER);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        }
    }

    #[expect(
        unsafe_code,
        reason = "the allocator of the C library has no safe interface"
    )]
    pub fn give_back() {
        // SAFETY: it may be called at any time from any thread, and touches no memory that is in use.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

/// Keeps the memory of one piece of work for the next, from now on.
pub fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::keep();
}

/// Gives back all that nothing needs.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::give_back();
}
