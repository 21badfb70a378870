//! The page's modules as one: each becomes a function that is called once, and its imports what those
//! before it gave. It knows the few forms that the page's modules are written in, and refuses others.

use std::fmt::Write;

use crate::error::{Error, Result};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../page/", $name)))),*]
    };
}

/// What a report is made of, each after what it imports.
const MODULES: &[(&str, &str)] = files![
    "vendor/preact-htm.js",
    "numbers.js",
    "store.js",
    "words.js",
    "parts.js",
    "overlay.js",
    "results.js",
    "config.js",
    "heat.js",
    "report.js",
];
const STYLES: &[(&str, &str)] = files!["page.css", "views.css", "report.css"];

pub fn style() -> String {
    STYLES.iter().map(|(_, text)| *text).collect()
}

pub fn script() -> Result<String> {
    let mut whole = String::new();
    for (position, (name, text)) in MODULES.iter().enumerate() {
        let module = module(&MODULES[..position], name, text)?;
        // To a string nothing cannot be written.
        let _ = writeln!(
            whole,
            "const {} = (() => {{\n{module}}})();",
            variable(name)
        );
    }
    match whole.contains("</script") {
        false => Ok(whole),
        true => Err(refused("the modules", "contain the end of a script")),
    }
}

fn refused(name: &str, problem: &str) -> Error {
    Error::NotReady(format!("the report cannot be written: {name} {problem}"))
}

fn variable(name: &str) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() {
            character
        } else {
            '_'
        }
    };
    format!("module_{}", name.chars().map(plain).collect::<String>())
}

/// A module without its imports and exports: those become variables, these what it returns.
fn module(before: &[(&str, &str)], name: &str, text: &str) -> Result<String> {
    let mut body = String::new();
    let mut exported = Vec::new();
    // One line at the end, where a program has shortened it.
    let (text, listed) = match text.rsplit_once("export{") {
        Some((text, list)) => (text, list.split_once('}').map(|(list, _)| list)),
        None => (text, None),
    };
    for part in listed.into_iter().flat_map(|list| list.split(',')) {
        let (inside, outside) = part.split_once(" as ").unwrap_or((part, part));
        exported.push(format!("{outside}: {inside}"));
    }
    for line in text.lines() {
        if let Some(import) = line.strip_prefix("import ") {
            let parsed = import
                .split_once(" from './")
                .and_then(|(names, from)| Some((names, from.strip_suffix("';")?)))
                .filter(|(names, _)| names.starts_with('{') && !names.contains(" as "));
            let Some((names, from)) = parsed else {
                return Err(refused(
                    name,
                    &format!("has an import of another form: {line}"),
                ));
            };
            if !before.iter().any(|(known, _)| *known == from) {
                return Err(refused(
                    name,
                    &format!("imports {from}, which is not before it"),
                ));
            }
            let _ = writeln!(body, "const {names} = {};", variable(from));
        } else if let Some(declaration) = line.strip_prefix("export ") {
            let declared = declaration.strip_prefix("async ").unwrap_or(declaration);
            let declared = ["function* ", "function ", "const ", "class "]
                .iter()
                .find_map(|word| declared.strip_prefix(word));
            let Some(declared) = declared else {
                return Err(refused(
                    name,
                    &format!("has an export of another form: {line}"),
                ));
            };
            let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
            let end = declared.find(|c| !is_of_name(c)).unwrap_or(declared.len());
            exported.push(declared[..end].to_owned());
            let _ = writeln!(body, "{declaration}");
        } else {
            let _ = writeln!(body, "{line}");
        }
    }
    let _ = writeln!(body, "return {{ {} }};", exported.join(", "));
    Ok(body)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn every_module_of_a_report_is_bundled_after_what_it_imports() {
        let script = script().unwrap();
        for line in script.lines() {
            assert!(!line.starts_with("import "), "{line}");
            assert!(!line.starts_with("export "), "{line}");
        }
        assert!(script.contains("const module_report_js"));
    }

    #[test]
    fn names_come_from_the_modules_that_export_them() {
        let before = [("a.js", "export const x = 1;\nexport function y() {}\n")];
        let module = module(
            &before,
            "b.js",
            "import { x, y } from './a.js';\nexport const z = x;\n",
        );
        assert_eq!(
            module.unwrap(),
            "const { x, y } = module_a_js;\nconst z = x;\nreturn { z };\n"
        );
        let short = super::module(&[], "v.js", "const a=1;export{a as h,b as html};").unwrap();
        assert_eq!(short, "const a=1;\nreturn { h: a, html: b };\n");
    }

    #[test]
    fn what_it_does_not_know_it_refuses() {
        for text in [
            "import * as all from './a.js';",
            "import { x } from './nowhere.js';",
            "export default 1;",
        ] {
            assert!(module(&[("a.js", "")], "b.js", text).is_err(), "{text}");
        }
    }
}
