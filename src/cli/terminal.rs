//! The two streams, the width of the terminal, and the few colours.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

pub const PLAIN: Style = Style::new();
pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default();
pub const CAUTION: Style = AnsiColor::Yellow.on_default();

/// Whether remarks are left out.
static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on nothing but results, questions, warnings and errors.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Standard output for people: colours on a terminal alone.
pub fn stdout() -> BufWriter<AutoStream<Stdout>> {
    BufWriter::new(AutoStream::auto(io::stdout()))
}

/// What has to be said beside the results. Where it cannot be written, it is dropped.
pub fn say(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// A remark beside the results, unless none are wanted.
pub fn remark(text: impl std::fmt::Display) {
    if !is_quiet() {
        say(text);
    }
}

/// What somebody should look at before they rely on a result.
pub fn warn(text: impl std::fmt::Display) {
    say(format_args!("{CAUTION}warning{CAUTION:#}: {text}"));
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

/// The columns of the terminal behind standard output; `None` where that is none.
pub fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let asked = console::Term::stdout().size_checked();
    let asked = asked.map(|(_, columns)| usize::from(columns));
    let from_variable = || std::env::var("COLUMNS").ok()?.parse().ok();
    let known = asked.filter(|columns| *columns > 0).or_else(from_variable);
    Some(known.unwrap_or(80))
}

/// Whether standard output is to be coloured.
pub fn is_coloured() -> bool {
    AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}
