//! Wall time, processor time and peak memory, of this process and of others.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What something took.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    pub wall: Duration,
    /// User and system, of all threads.
    pub processor: Duration,
    /// Of another process, in KiB.
    pub peak: Option<i64>,
}

impl Taken {
    /// The less of each.
    pub fn min(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            processor: self.processor.min(other.processor),
            peak: self.peak.min(other.peak),
        }
    }

    /// How often the other fits into this, by processor time.
    pub fn ratio(&self, other: &Self) -> f64 {
        self.processor.as_secs_f64() / other.processor.as_secs_f64()
    }
}

pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Taken) {
    let (start, processor) = (Instant::now(), processor_time());
    let result = black_box(work());
    let taken = Taken {
        wall: start.elapsed(),
        processor: processor_time() - processor,
        peak: None,
    };
    (result, taken)
}

/// The least of several goes: what is above it is somebody else's work.
pub fn best<T>(goes: usize, mut work: impl FnMut() -> T) -> (T, Taken) {
    let (mut result, mut least) = timed(&mut work);
    for _ in 1..goes {
        let (again, taken) = timed(&mut work);
        result = again;
        least = least.min(taken);
    }
    (result, least)
}

/// The least of several goes of each of two, which take turns: a machine that is slow for a while is
/// so for both, and their ratio holds.
pub fn in_turn(
    goes: usize,
    mut one: impl FnMut() -> Taken,
    mut other: impl FnMut() -> Taken,
) -> [Taken; 2] {
    let mut least = [one(), other()];
    for _ in 1..goes {
        least = [least[0].min(one()), least[1].min(other())];
    }
    least
}

/// A sweep in a process of its own on so many threads: without what it takes to start.
pub fn swept(threads: usize, combinations: usize, workspace: &Path) -> Taken {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--sweep", &combinations.to_string()])
        .arg(workspace)
        .env("RAYON_NUM_THREADS", threads.to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "the sweep failed");
    let said = String::from_utf8(output.stdout).unwrap();
    let mut micros = said.split_whitespace().map(|number| {
        let micros: u64 = number.parse().expect("microseconds");
        Duration::from_micros(micros)
    });
    Taken {
        wall: micros.next().unwrap(),
        processor: micros.next().unwrap(),
        peak: None,
    }
}

/// The least of several runs of the program, on so many threads where that is said.
pub fn program(goes: usize, threads: Option<usize>, arguments: &[&str]) -> Taken {
    let runs = (0..goes).map(|_| child(threads, arguments));
    let least = runs.reduce(Taken::min);
    least.expect("at least one go")
}

#[expect(
    clippy::zombie_processes,
    reason = "wait4 waits for it, and tells what it used"
)]
fn child(threads: Option<usize>, arguments: &[&str]) -> Taken {
    let start = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hindsight"));
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(threads) = threads {
        let threads = threads.to_string();
        command
            .env("RAYON_NUM_THREADS", &threads)
            .env("TOKIO_WORKER_THREADS", &threads);
    }
    let child = command.spawn().unwrap();
    let (status, usage) = wait(child.id());
    let wall = start.elapsed();
    assert_eq!(status, 0, "hindsight {arguments:?}");
    let seconds = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    Taken {
        wall,
        processor: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        peak: Some(usage.ru_maxrss),
    }
}

#[expect(
    unsafe_code,
    reason = "the standard library tells no child's resource usage"
)]
fn wait(process: u32) -> (i32, libc::rusage) {
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zeros are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live variables of the right type.
    let waited = unsafe { libc::wait4(process as i32, &mut status, 0, &mut usage) };
    assert_eq!(waited, process as i32);
    (status, usage)
}

#[expect(
    unsafe_code,
    reason = "the standard library has no clock of processor time"
)]
fn processor_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live variable of the right type.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
