//! The rules of the house, above all what is deliberately absent, as a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path from the root of the repository, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_under(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }

    /// The lines that are not comments, each with its number.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines
            .map(|(position, line)| (position + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of the repository whose names end so, those that git would track.
fn sources(endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                let is_ours =
                    !name.starts_with('.') && name != "target" && name != "hindsight-data";
                if is_ours {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text = fs::read_to_string(&path);
                let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                found.push(Source {
                    path: from_root(&path),
                    text,
                });
            }
        }
    }
    assert!(!found.is_empty(), "no files that end in {endings:?}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn from_root(path: &Path) -> String {
    let parts = path.strip_prefix(root()).unwrap().components();
    let parts: Vec<_> = parts
        .map(|part| part.as_os_str().to_str().unwrap())
        .collect();
    parts.join("/")
}

/// The names of the files of a folder that end so, without the ending; none without the folder.
fn stems(folder: &str, ending: &str) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else {
        return BTreeSet::new();
    };
    entries
        .filter_map(|entry| {
            let name = entry.unwrap().file_name();
            name.to_str()
                .unwrap()
                .strip_suffix(ending)
                .map(str::to_owned)
        })
        .collect()
}

/// Whether the text has this word, not as a part of another.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: Option<char>| letter.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(start, _)| {
        !is_part(text[..start].chars().next_back())
            && !is_part(text[start + word.len()..].chars().next())
    })
}

/// Fails where code of the product outside of `places` names one of these words.
fn assert_only(places: &[&str], words: &[&str], why: &str) {
    for source in sources(&[".rs"]) {
        if !source.is_under(&["src/", "crates/", "udfs/src/"]) || source.is_under(places) {
            continue;
        }
        for (number, line) in source.code() {
            for word in words {
                let path = &source.path;
                assert!(!has_word(line, word), "{path}:{number} names {word}: {why}");
            }
        }
    }
}

#[test]
fn only_the_server_knows_pgwire() {
    assert_only(
        &["src/server/pg/"],
        &["pgwire", "datafusion_postgres", "datafusion_pg_catalog"],
        "only src/server/pg speaks the wire protocol",
    );
}

#[test]
fn only_the_store_knows_sqlx() {
    assert_only(
        &["src/store/"],
        &["sqlx"],
        "only src/store talks to the state database",
    );
}

#[test]
fn only_the_cluster_knows_its_library() {
    assert_only(
        &["src/cluster/"],
        &["datafusion_distributed", "datafusion_proto", "tonic"],
        "only src/cluster sends plans to other machines",
    );
}

#[test]
fn only_the_command_line_knows_clap() {
    assert_only(
        &["src/cli/", "src/main.rs"],
        &["clap", "indicatif"],
        "only src/cli and src/main.rs talk to a terminal",
    );
}

#[test]
fn only_ingest_reads_input_formats() {
    assert_only(
        &[
            "src/ingest/",
            "src/ingest.rs",
            "src/dataset/",
            "src/dataset.rs",
            // What it has written itself.
            "src/store/run_files.rs",
        ],
        &[
            "ParquetRecordBatchReaderBuilder",
            "ParquetRecordBatchStreamBuilder",
            "GzDecoder",
            "MultiGzDecoder",
            "csv::ReaderBuilder",
            "Mmap",
        ],
        "only src/ingest and src/dataset open input files",
    );
}

#[test]
fn what_answers_queries_opens_no_file() {
    let silent = [
        "crates/",
        "src/engine",
        "src/error.rs",
        "src/parameters",
        "src/schema.rs",
        "src/whatif/",
        "udfs/src/",
    ];
    for source in sources(&[".rs"])
        .iter()
        .filter(|source| source.is_under(&silent))
    {
        for (number, line) in source.code() {
            for word in [
                "File::open",
                "fs::read",
                "fs::read_to_string",
                "OpenOptions",
            ] {
                let path = &source.path;
                assert!(
                    !has_word(line, word),
                    "{path}:{number} opens a file: {word}"
                );
            }
        }
    }
}

#[test]
fn udfs_depend_on_datafusion_alone() {
    for source in sources(&[".rs"])
        .iter()
        .filter(|source| source.is_under(&["udfs/"]))
    {
        for (number, line) in source.code() {
            for word in [
                "std::fs",
                "std::time",
                "std::net",
                "std::env",
                "tokio",
                "rayon",
                "SystemTime",
            ] {
                let path = &source.path;
                assert!(
                    !has_word(line, word),
                    "{path}:{number} names {word}: udfs has no I/O, no clock and no threads"
                );
            }
        }
    }
    let manifest = fs::read_to_string(root().join("udfs/Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let names = section
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let names: Vec<&str> = names
        .map(|line| line.split(['.', ' ', '=']).next().unwrap())
        .collect();
    assert_eq!(names, ["datafusion"], "the dependencies of udfs/Cargo.toml");
}

/// The floors of the house, as the table of the architecture page has them: module and floor.
fn floors() -> Vec<(String, u32)> {
    let page = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut floors = Vec::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["//!", floor, modules, _, ""] = cells[..] else {
            continue;
        };
        let Ok(floor) = floor.parse() else { continue };
        let modules = modules.split('`').skip(1).step_by(2);
        floors.extend(modules.map(|module| {
            let module = module.trim_start_matches("src/").trim_end_matches(".rs");
            (module.to_owned(), floor)
        }));
    }
    floors
}

#[test]
fn no_arrow_points_upwards() {
    let floors = floors();
    let floor_of = |module: &str| {
        let found = floors.iter().find(|(known, _)| known == module);
        found.map(|(_, floor)| *floor)
    };
    let mut arrows = 0;
    for source in sources(&[".rs"]) {
        let Some(path) = source.path.strip_prefix("src/") else {
            continue;
        };
        let module = path.split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let floor = floor_of(module)
            .unwrap_or_else(|| panic!("{}: on no floor of src/lib.rs", source.path));
        for (number, line) in source.code() {
            for (at, root) in line
                .match_indices("crate::")
                .chain(line.match_indices("hindsight::"))
            {
                let rest = &line[at + root.len()..];
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                let name = &rest[..end.unwrap_or(rest.len())];
                // What the library exports under a shorter name has a floor all the same.
                let is_short = name.starts_with(char::is_uppercase) && root == "crate::";
                assert!(
                    !is_short || matches!(name, "Error" | "Result"),
                    "{}:{number}: import {name} from where it is defined",
                    source.path
                );
                let Some(used) = floor_of(name) else {
                    continue;
                };
                arrows += 1;
                assert!(
                    used <= floor,
                    "{}:{number}: floor {floor} imports from floor {used}: {line}",
                    source.path
                );
            }
        }
    }
    assert!(arrows > 100, "only {arrows} imports found");
}

#[test]
fn every_sql_function_has_its_test() {
    let mut functions = 0;
    for folder in ["scoring", "exits", "trades", "metrics", "portfolio"] {
        let mut of_folder = BTreeSet::new();
        for stem in stems(&format!("udfs/src/{folder}"), ".rs") {
            let path = format!("udfs/src/{folder}/{stem}.rs");
            let text = fs::read_to_string(root().join(&path)).unwrap();
            // The rest are kernels that several functions share.
            let is_function = text.contains("impl ScalarUDFImpl for")
                || text.contains("impl AggregateUDFImpl for")
                || text.contains("impl WindowUDFImpl for");
            if is_function {
                assert!(
                    text.contains(&format!("\"{stem}\"")),
                    "{path}: the SQL function is not named as its file"
                );
                of_folder.insert(stem);
            }
        }
        let tests = stems(&format!("tests/sql/{folder}"), ".slt");
        assert_eq!(
            tests, of_folder,
            "tests/sql/{folder} and the SQL functions of udfs/src/{folder}"
        );
        functions += of_folder.len();
    }
    assert!(functions >= 10, "only {functions} SQL functions found");
}

#[test]
fn every_query_is_listed() {
    let queries = stems("queries", ".sql");
    if queries.is_empty() {
        return;
    }
    let pipeline = fs::read_to_string(root().join("src/whatif/pipeline.rs")).unwrap();
    for query in queries {
        let file = format!("queries/{query}.sql");
        assert!(
            pipeline.contains(&file),
            "{file} is not listed in src/whatif/pipeline.rs"
        );
    }
}

#[test]
fn one_version_of_what_crosses_borders() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for package in [
        "arrow",
        "arrow-array",
        "datafusion",
        "datafusion-common",
        "parquet",
        "pgwire",
    ] {
        let count = lock.matches(&format!("name = \"{package}\"\n")).count();
        let least = usize::from(package != "pgwire");
        assert!(
            (least..=1).contains(&count),
            "Cargo.lock has {count} versions of {package}"
        );
    }
}

#[test]
fn nothing_is_left_undone() {
    // In halves, so that this file does not find itself.
    let forbidden = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        concat!("#[ig", "nore"),
        concat!("#[cfg(any", "())]"),
    ];
    for source in sources(&[".rs"]) {
        for (position, line) in source.text.lines().enumerate() {
            for word in forbidden {
                let (path, number) = (&source.path, position + 1);
                assert!(!line.contains(word), "{path}:{number}: {word}");
            }
        }
    }
}

#[test]
fn no_path_of_one_machine() {
    let forbidden = [
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
    ];
    for source in sources(&[
        ".rs", ".toml", ".md", ".sql", ".slt", ".json", ".yml", ".yaml", ".sh",
    ]) {
        for (position, line) in source.text.lines().enumerate() {
            for word in forbidden {
                let (path, number) = (&source.path, position + 1);
                assert!(
                    !line.contains(word),
                    "{path}:{number}: {word} is a path of one machine"
                );
            }
        }
    }
}

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    const LINES: usize = 500;
    for source in sources(&[".rs"]) {
        let lines = source.text.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines", source.path);
    }
}

#[test]
fn every_file_opens_with_its_contract() {
    for source in sources(&[".rs"]) {
        let path = PathBuf::from(&source.path);
        let opens = source.text.starts_with("//! ");
        assert!(
            opens,
            "{}: a file opens with //! and what it is for",
            path.display()
        );
    }
}

#[test]
fn words_are_found_whole() {
    assert!(has_word("use sqlx::Pool;", "sqlx"));
    assert!(!has_word("let mysqlx = 1;", "sqlx"));
    assert!(has_word("std::fs::read(path)", "fs::read"));
    assert!(!has_word("fs::read_dir(path)", "fs::read"));
    assert!(has_word("use std::{clap}", "clap"));
}
