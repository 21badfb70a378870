//! The first hour of a user: what README says of getting a history in, run as it is written. What it
//! uses of PyPI is what tests/run installs, else what the user has.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::cli::{hindsight, text};
use crate::numpy::python::python;
use crate::postgres::Postgres;

/// The code of a passage of README, each block with its language.
fn passage(title: &str) -> Vec<(String, String)> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, section) = readme.split_once("\n## Getting your history in\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let (_, passage) = section.split_once(&format!("\n### {title}\n")).unwrap();
    let passage = passage.split("\n### ").next().unwrap();
    let blocks = passage.split("\n```").skip(1).step_by(2);
    let blocks = blocks.map(|block| block.split_once('\n').unwrap());
    let blocks: Vec<_> = blocks
        .map(|(language, code)| (language.to_owned(), code.to_owned()))
        .collect();
    assert!(!blocks.is_empty(), "{title}");
    blocks
}

/// A folder in which the passages are followed, and its workspace.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn put(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn workspace(&self) -> std::path::PathBuf {
        self.folder.path().join("workspace")
    }

    /// Follows a passage.
    fn follow(&self, title: &str, environment: &[(&str, String)]) {
        for (language, code) in passage(title) {
            let (interpreter, flags) = match language.as_str() {
                "python" => ("python3", "-c"),
                _ => ("sh", "-ec"),
            };
            let output = Command::new(interpreter)
                .args([flags, &code])
                .current_dir(self.folder.path())
                .env("PATH", path())
                .env("HINDSIGHT_DATA", self.workspace())
                .env_remove("HINDSIGHT_STATE")
                .envs(environment.iter().map(|(name, value)| (*name, value)))
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let errors = text(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{title}: {code}\n{errors}");
        }
    }

    fn answers(&self, sql: &str, expected: &str) {
        let output = hindsight(&self.workspace())
            .args(["query", sql, "--format", "csv"])
            .output()
            .unwrap();
        let errors = text(&output.stderr);
        assert_eq!(text(&output.stdout), expected, "{errors}");
    }
}

/// Where programs are looked for: ours, those of PyPI, and the user's.
fn path() -> OsString {
    let ours = Path::new(env!("CARGO_BIN_EXE_hindsight")).parent();
    let python = python();
    let of_python = python.as_deref().and_then(Path::parent);
    let of_python = of_python.filter(|folder| folder.is_absolute());
    let users = std::env::var_os("PATH").unwrap_or_default();
    let folders = ours.into_iter().chain(of_python).map(Path::to_owned);
    std::env::join_paths(folders.chain(std::env::split_paths(&users))).unwrap()
}

/// Whether a tool is there; says so where it is not.
fn has(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let command = command.args(arguments).env("PATH", path());
    let command = command.stdin(Stdio::null());
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let is_there = quiet.status().is_ok_and(|status| status.success());
    if !is_there {
        eprintln!(
            "SKIPPED: {program} {} does not run here",
            arguments.join(" ")
        );
    }
    is_there
}

#[test]
fn first_hour_with_pandas() {
    if !has("python3", &["-c", "import pandas"]) {
        return;
    }
    let desk = Desk::new();
    desk.follow("A pandas frame", &[]);
    desk.answers(
        "select * from token_prices order by timestamp",
        "token_address,timestamp,price,volume_24h\n\
         TokA,2025-01-01T00:00:00Z,0.300000000000000040,\n\
         TokA,2025-01-01T00:01:00Z,0.000012345678901235,\n",
    );
}

#[test]
fn first_hour_with_duckdb() {
    if !has("duckdb", &["-c", "select 1"]) {
        return;
    }
    let desk = Desk::new();
    desk.follow("A DuckDB export", &[]);
    desk.answers(
        "select count(*) as n, min(timestamp) as first, max(price) as most from token_prices",
        "n,first,most\n60,2025-01-01T00:00:00Z,0.558999999999999900\n",
    );
}

#[test]
fn first_hour_with_supabase() {
    let desk = Desk::new();
    desk.put(
        "signals_rows.csv",
        "id,created_at,timestamp,token_address,source_wallet,score,score_factors\n\
         0a1b2c3d-0000-4000-8000-000000000001,2025-01-01 00:00:05.123456+00,2025-01-01 00:00:00+00,\
         TokA,W1,75.50,\"{\"\"momentum\"\": 0.5, \"\"liquidity\"\": 0.25}\"\n",
    );
    desk.follow("A CSV from the Supabase dashboard", &[]);
    desk.answers(
        "select id, timestamp, score, liquidity, momentum from signals",
        "id,timestamp,score,liquidity,momentum\n\
         0a1b2c3d-0000-4000-8000-000000000001,2025-01-01T00:00:00Z,75.50,0.250000,0.500000\n",
    );
    desk.answers(
        "select check_name, row_count from data_quality where check_name = 'unused_columns'",
        "check_name,row_count\nunused_columns,1\n",
    );
}

#[test]
fn first_hour_with_psql() {
    if !has("psql", &["--version"]) {
        return;
    }
    let database = Postgres::shared().database("first_hour");
    database.execute(
        "create table token_prices (token_address text, timestamp timestamptz, price numeric, \
            source text); \
         insert into token_prices values ('TokA', '2025-01-01', 0.000012, 'a, \"b\"'), \
            ('TokA', '2025-01-02', 0.000013, null)",
    );
    let desk = Desk::new();
    let title = "A table of PostgreSQL, through psql";
    desk.follow(title, &[("DATABASE_URL", database.url())]);
    desk.answers(
        "select * from token_prices order by timestamp",
        "token_address,timestamp,price,volume_24h\n\
         TokA,2025-01-01T00:00:00Z,0.000012000000000000,\n\
         TokA,2025-01-02T00:00:00Z,0.000013000000000000,\n",
    );
}

#[test]
fn first_hour_with_birdeye() {
    if !has("jq", &["--version"]) {
        return;
    }
    let desk = Desk::new();
    desk.put(
        "birdeye.json",
        "{\"success\":true,\"data\":{\"items\":[{\"unixTime\":1735689600,\"value\":1.5e-05},\
         {\"unixTime\":1735689660,\"value\":0.000016}]}}",
    );
    desk.follow("An answer of Birdeye, through jq", &[]);
    desk.answers(
        "select * from token_prices order by timestamp",
        "token_address,timestamp,price,volume_24h\n\
         TokA,2025-01-01T00:00:00Z,0.000015000000000000,\n\
         TokA,2025-01-01T00:01:00Z,0.000016000000000000,\n",
    );
    // The answer itself is refused, with the way that was just gone.
    let file = desk.folder.path().join("birdeye.json");
    let output = hindsight(&desk.workspace())
        .args(["load", "--prices", file.to_str().unwrap()])
        .output()
        .unwrap();
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("one JSON object with the keys success, data"),
        "{errors}"
    );
    assert!(errors.contains("jq -c '.data.items[]'"), "{errors}");
}

#[test]
fn first_hour_with_standard_input() {
    let prices = |rows: &str| format!("token_address,timestamp,price\n{rows}");
    let load = |desk: &Desk, arguments: &[&str], input: &str| {
        desk.put("input", input);
        let input = std::fs::File::open(desk.folder.path().join("input")).unwrap();
        let output = hindsight(&desk.workspace())
            .arg("load")
            .args(arguments)
            .stdin(input)
            .output()
            .unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let desk = Desk::new();
    let csv = ["--prices", "-", "--input-format", "csv"];
    let (code, errors) = load(&desk, &csv, &prices("T,1735689600,1\n"));
    assert_eq!(code, Some(0), "{errors}");
    // What is wrong is found in it again, by its row and line.
    let (code, errors) = load(&desk, &csv, &prices("T,1735689660,1\nT,1735689600,2\n"));
    assert_eq!(code, Some(1), "{errors}");
    assert!(
        errors.contains("standard input: row 2 (line 3), column price: found 2"),
        "{errors}"
    );
    let (code, errors) = load(&desk, &["--prices", "-"], "");
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("--input-format"), "{errors}");
    let twice = ["--prices", "-", "--signals", "-", "--input-format", "csv"];
    let (code, errors) = load(&desk, &twice, "");
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("- can be given once"), "{errors}");
    // Nothing of it is left beside the dataset.
    let left = std::fs::read_dir(desk.workspace().join("dataset")).unwrap();
    let left = left
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    let left: Vec<_> = left
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .collect();
    let name = |entry: &std::io::Result<std::fs::DirEntry>| entry.as_ref().unwrap().file_name();
    assert!(
        left.iter()
            .all(|entry| !name(entry).to_string_lossy().contains("tmp"))
    );
}

#[test]
fn first_hour_ends_with_the_warnings_of_the_history() {
    let desk = Desk::new();
    desk.put(
        "signals.csv",
        "id,timestamp,token_address,Wallet_Score,token_metrics,liquidity,holder_dist,momentum\n\
         S1,2025-01-01T00:00:00Z,TokA,1,1,1,1,1\n",
    );
    desk.put(
        "prices.csv",
        "token_address,timestamp,price\nTokA,2025-01-01T00:00:00Z,1\n",
    );
    for arguments in [
        &["load", "--signals", "signals.csv", "--prices", "prices.csv"][..],
        &["run", "--no-store"],
    ] {
        let output = hindsight(&desk.workspace())
            .args(arguments)
            .current_dir(desk.folder.path())
            .output()
            .unwrap();
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{errors}");
        assert!(
            errors.contains("holder_dist → holder_distribution?"),
            "{errors}"
        );
    }
}
