//! The two streams, the width of the terminal, and the few colours.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

pub const PLAIN: Style = Style::new();
pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default();
pub const CAUTION: Style = AnsiColor::Yellow.on_default();

/// The width that output is laid out for when nobody watches.
const WIDTH_ELSEWHERE: usize = 200;

/// Standard output for people: colours on a terminal alone.
pub fn stdout() -> BufWriter<AutoStream<Stdout>> {
    BufWriter::new(AutoStream::auto(io::stdout()))
}

/// A remark beside the results. One that cannot be written is dropped.
pub fn remark(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// A remark on what was done and how long it took, dim on a terminal.
pub fn aside(text: impl std::fmt::Display) {
    remark(format_args!("{DIM}{text}{DIM:#}"));
}

/// A duration as a person says it.
pub fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0 if duration.as_millis() < 10 => "under 0.01 s".into(),
        0..60 => format!("{:.2} s", duration.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// The columns of the terminal behind standard output.
pub fn width() -> usize {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return WIDTH_ELSEWHERE;
    }
    let from_variable = || std::env::var("COLUMNS").ok()?.parse().ok();
    asked_width(&stdout).or_else(from_variable).unwrap_or(80)
}

/// What `stty` says of the terminal: it asks the kernel, which without it would need unsafe code.
fn asked_width(stdout: &Stdout) -> Option<usize> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let terminal = stdout.as_fd().try_clone_to_owned().ok()?;
        let said = Command::new("stty")
            .arg("size")
            .stdin(Stdio::from(terminal))
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let said = String::from_utf8(said.stdout).ok()?;
        let width = said.split_whitespace().nth(1)?.parse().ok()?;
        (width > 0).then_some(width)
    }
    #[cfg(not(unix))]
    {
        let _ = stdout;
        None
    }
}
