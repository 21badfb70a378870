//! The page's files: what they bring from elsewhere, and what no file of ours may have.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/http/page")
}

fn files(folder: &Path, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn what_is_vendored_is_what_its_list_says() {
    let vendor = folder().join("vendor");
    let list = fs::read_to_string(vendor.join("vendor.json")).unwrap();
    let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
    let mut listed = BTreeSet::new();
    let licences = fs::read_to_string(vendor.join("LICENSES.md")).unwrap();
    for entry in &list {
        let text = |name: &str| {
            entry[name]
                .as_str()
                .unwrap_or_else(|| panic!("{name}: {entry}"))
        };
        let bytes = fs::read(vendor.join(text("file"))).unwrap();
        let digest = Sha256::digest(&bytes);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, text("sha256"), "{}", text("file"));
        assert!(!text("version").is_empty() && !text("path").is_empty());
        for licence in text("license").split(", ") {
            let licence = licence.split(' ').next().unwrap();
            assert!(licences.contains(&format!("({licence})")), "{licence}");
        }
        listed.insert(text("file").to_owned());
    }
    let there: BTreeSet<String> = files(&vendor, &[".js", ".css"])
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(listed, there);
}

#[test]
fn no_file_makes_markup_of_text_or_asks_another_host() {
    for (name, text) in files(&folder(), &[".js", ".css", ".html"]) {
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
        ] {
            assert!(!text.contains(forbidden), "{name} has {forbidden}");
        }
        for (number, line) in text.lines().enumerate() {
            let addresses = line.matches("http://").count() + line.matches("https://").count();
            // A name space, and the form of a link that a person pastes.
            let harmless = line.matches("http://www.w3.org/").count()
                + line.matches("http://127.0.0.1:8433").count();
            assert_eq!(addresses, harmless, "{name}:{}: {line}", number + 1);
        }
    }
}

#[test]
fn the_first_page_has_no_script_or_style_of_its_own() {
    let index = fs::read_to_string(folder().join("index.html")).unwrap();
    for script in index.split("<script").skip(1) {
        let (attributes, rest) = script.split_once('>').unwrap();
        assert!(attributes.contains("src=\"/page/"), "{attributes}");
        assert!(rest.starts_with("</script>"), "{rest}");
    }
    assert!(!index.contains("<style") && !index.contains("style=\"") && !index.contains(" on"));
}
