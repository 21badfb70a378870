//! README's figures: everything that it shows of the demo is what the program prints, to the last digit.

use std::path::Path;

use crate::cli::{run, text};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The code blocks, each with its language.
fn blocks(readme: &str) -> Vec<(&str, &str)> {
    let blocks = readme.split("\n```").skip(1).step_by(2);
    blocks
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

/// Standard output and standard error.
fn said(workspace: &Path, arguments: &[&str]) -> (String, String) {
    let output = run(workspace, arguments).unwrap();
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    (text(&output.stdout), errors)
}

#[test]
fn readme_shows_what_the_demo_prints() {
    let (readme, directory) = (readme(), tempfile::tempdir().unwrap());
    let workspace = directory.path().join("data");
    let blocks = blocks(&readme);
    let shown: Vec<&str> = blocks
        .iter()
        .filter(|(language, _)| *language == "text")
        .map(|(_, block)| block.trim_end())
        .collect();
    let mut held = Vec::new();
    let place = |output: &str, of: &str| {
        let place = shown.iter().position(|block| *block == output.trim_end());
        place.unwrap_or_else(|| panic!("README shows another output of {of}:\n{output}"))
    };

    // The time that it took is another.
    let (demo, loaded) = said(&workspace, &["demo"]);
    let (took, table) = shown[0].split_once('\n').unwrap();
    let (took, _) = took.rsplit_once(" in ").unwrap();
    assert!(loaded.contains(took), "{loaded}");
    assert!(
        demo.starts_with(table),
        "README shows another demo:\n{demo}"
    );
    let interval = demo.lines().find(|line| line.starts_with("95 % interval"));
    assert!(readme.contains(interval.unwrap()), "{interval:?}");

    let mut queries = 0;
    for pair in blocks.windows(2) {
        if let [("sql", sql), ("text", _)] = pair {
            held.push(place(&said(&workspace, &["query", sql]).0, sql));
            queries += 1;
        }
    }
    assert!(queries >= 4, "{queries} queries with their output");
    let start = ["--set", "start_date=2025-01-01"];
    for report in ["exit_rules", "gaps", "deepest_hole"] {
        let query = ["query", "--report", report];
        held.push(place(
            &said(&workspace, &[&query[..], &start].concat()).0,
            report,
        ));
    }
    held.push(place(
        &said(&workspace, &[&["calibrate"][..], &start].concat()).0,
        "calibrate",
    ));

    let grid = [
        &start[..],
        &["--set", "stop_loss_percent=8,12,15"],
        &["--set", "score_threshold=60:90:5"],
    ];
    let grid = grid.concat();
    let (_, sweep) = said(&workspace, &[&["sweep"][..], &grid].concat());
    let tried = shown.iter().position(|block| block.contains(" tried: "));
    let tried = tried.unwrap();
    for line in shown[tried].lines() {
        assert!(sweep.contains(line), "{line}\n{sweep}");
    }
    held.push(tried);
    let (walked, remarks) = said(&workspace, &[&["walk-forward"][..], &grid].concat());
    let walked = walked + &remarks;
    let earned = walked
        .lines()
        .find(|line| line.starts_with("A day of the tests earned"));
    let earned = earned.unwrap().trim_end_matches('.');
    let earned = earned.strip_prefix("A ").unwrap();
    assert!(readme.contains(earned), "{earned}");

    let scenario = blocks.iter().flat_map(|(_, block)| block.lines());
    let mut scenario = scenario.filter(|line| line.contains("insert into scenarios"));
    let scenario = scenario.next().unwrap().split('"').nth(1).unwrap();
    said(&workspace, &["query", scenario]);
    said(&workspace, &["run", "cautious", "--quiet"]);
    let (history, _) = said(&workspace, &["history", "--format", "csv"]);
    let id = history.lines().nth(1).unwrap().split(',').next().unwrap();
    let groups = "score_threshold,exit_strategy";
    held.push(place(
        &said(&workspace, &["apply", id, "--only", groups, "--dry-run"]).0,
        "apply",
    ));

    let (reports, _) = said(&workspace, &["query", "--report", "--format", "csv"]);
    for report in reports.lines().skip(1) {
        let (name, question) = report.split_once(',').unwrap();
        let row = format!("| `{name}` | {} |", question.trim_matches('"'));
        assert!(readme.contains(&row), "{row}");
    }

    // All but the demo, which has a time in it, and the benchmarks.
    held.push(0);
    for (place, block) in shown.iter().enumerate() {
        let is_benchmark = block.contains("× plain");
        assert!(
            is_benchmark || held.contains(&place),
            "nothing prints\n{block}"
        );
    }
}
