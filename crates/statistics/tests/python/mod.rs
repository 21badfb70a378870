//! Python with numpy and scipy: that of `HINDSIGHT_STATISTICS_PYTHON`, else of the folder into which
//! tests/run installs it, else the user's.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The first Python that has them.
pub fn python() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = variable("HINDSIGHT_CLIENTS").or_else(|| {
        let home = || Some(variable("HOME")?.join(".cache"));
        let cache = variable("XDG_CACHE_HOME").or_else(home)?;
        Some(cache.join("hindsight-clients"))
    });
    let candidates = [
        variable("HINDSIGHT_STATISTICS_PYTHON"),
        cache.map(|cache| cache.join("statistics/bin/python")),
        Some(PathBuf::from("python3")),
    ];
    candidates.into_iter().flatten().find(|python| {
        let tried = Command::new(python)
            .args(["-c", "import numpy, scipy"])
            .output();
        tried.is_ok_and(|tried| tried.status.success())
    })
}

/// What a script answers, a line of JSON to each.
pub fn answers(python: &Path, script: &Path, cases: &[Value]) -> Vec<Value> {
    let mut child = Command::new(python)
        .arg(script)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input: String = cases.iter().map(|case| format!("{case}\n")).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{} failed", script.display());
    let text = String::from_utf8(output.stdout).unwrap();
    let answers = text.lines().map(|line| serde_json::from_str(line).unwrap());
    answers.collect()
}
