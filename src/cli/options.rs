//! Where the values of options come from: `hindsight.toml` in the current directory, then in the
//! user's configuration directory, then the environment, then flags; each beats those before it.
//!
//! A key is the name of an option with `_` for `-`, and its variable is `HINDSIGHT_` and the key in
//! capitals, so that the definitions of the options are all there is. What lets people in without a
//! password (`--trust`) only a flag can say.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use hindsight::{Error, Result};
use toml::de::{DeTable, DeValue};

use super::near::nearest;

/// The name of the file.
const FILE: &str = "hindsight.toml";
/// The options that every command has and a file may set.
const GLOBAL: [&str; 3] = ["data", "state", "quiet"];
/// What of the server's options is decided each time that it is started.
const FLAGS_ONLY: [&str; 4] = ["trust", "check", "help", "workers"];
/// The command whose own options have keys too.
const SERVE: &str = "serve";

/// The values of all files.
#[derive(Debug, Default)]
pub struct Files(BTreeMap<String, Entry>);

/// A value of a file.
#[derive(Debug)]
struct Entry {
    value: String,
    file: PathBuf,
}

/// An option with its value and where that is from.
#[derive(Debug)]
pub struct Setting {
    pub key: String,
    pub value: Option<String>,
    pub origin: String,
}

impl Files {
    /// Reads the files that are there.
    pub fn read(command: &Command) -> Result<Self> {
        let keys = keys(command);
        let mut files = Self::default();
        for path in paths() {
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
                {
                    continue;
                }
                Err(source) => {
                    let path = path.display().to_string();
                    return Err(Error::Io { path, source });
                }
            };
            files
                .add(&path, &text, &keys)
                .map_err(|problem| Error::Usage(format!("{}: {problem}", path.display())))?;
        }
        Ok(files)
    }

    fn add(&mut self, path: &Path, text: &str, keys: &[String]) -> std::result::Result<(), String> {
        let table = DeTable::parse(text).map_err(|error| {
            let message = error.message().trim().to_owned();
            match error.span() {
                Some(span) => {
                    let before = text.get(..span.start).unwrap_or(text);
                    format!("line {}: {message}", before.matches('\n').count() + 1)
                }
                None => message,
            }
        })?;
        for (key, value) in table.into_inner() {
            let key = key.into_inner().into_owned();
            if !keys.contains(&key) {
                let names = keys.iter().map(String::as_str);
                let hint = match nearest(&key, names) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("the settings are {}", keys.join(", ")),
                };
                return Err(format!("{key} is no setting; {hint}"));
            }
            let value = match value.into_inner() {
                DeValue::String(text) => in_folder_of(path, &key, text.into_owned()),
                DeValue::Integer(number) => {
                    match i64::from_str_radix(number.as_str(), number.radix()) {
                        Ok(number) => number.to_string(),
                        Err(_) => return Err(format!("{key} is too large")),
                    }
                }
                DeValue::Boolean(flag) => flag.to_string(),
                other => {
                    return Err(format!(
                        "{key} must be a text, a whole number, true or false, found {}",
                        other.type_str()
                    ));
                }
            };
            let file = path.to_owned();
            self.0.insert(key, Entry { value, file });
        }
        Ok(())
    }

    /// The command with these values as its defaults, and with the variables of its options.
    pub fn as_defaults_of(&self, command: Command) -> Command {
        let global = |name: &str| GLOBAL.contains(&name);
        let command = command.mut_args(|arg| match global(arg.get_id().as_str()) {
            true => self.with_default(arg),
            false => arg,
        });
        command.mut_subcommands(|subcommand| match subcommand.get_name() {
            SERVE => subcommand.mut_args(|arg| match has_key(&arg) {
                true => self.with_default(arg),
                false => arg,
            }),
            _ => subcommand,
        })
    }

    fn with_default(&self, arg: Arg) -> Arg {
        let key = key(&arg);
        // Definitions last as long as the process.
        let variable: &'static str = variable(&key).leak();
        let arg = arg.env(variable);
        let arg = match key == "state" {
            // It may hold a password.
            true => arg.hide_env_values(true).hide_default_value(true),
            false => arg,
        };
        match self.0.get(&key) {
            Some(entry) => {
                let value: &'static str = entry.value.clone().leak();
                arg.default_value(value)
            }
            None => arg,
        }
    }

    /// Every setting, for a command line that was parsed by the command with these defaults.
    pub fn settings(&self, command: &Command, matches: &ArgMatches) -> Vec<Setting> {
        let served = command.clone().try_get_matches_from(["hindsight", SERVE]);
        let served = served.ok();
        let served = served.as_ref().and_then(|m| m.subcommand_matches(SERVE));
        keys(command)
            .into_iter()
            .map(|key| match GLOBAL.contains(&key.as_str()) {
                true => self.setting(key, Some(matches)),
                false => self.setting(key, served),
            })
            .collect()
    }

    fn setting(&self, key: String, matches: Option<&ArgMatches>) -> Setting {
        let raw = matches.and_then(|matches| {
            let mut values = matches.get_raw(&key)?;
            Some(values.next()?.to_string_lossy().into_owned())
        });
        let source = matches.and_then(|matches| matches.value_source(&key));
        let (value, origin) = match (source, self.0.get(&key)) {
            (Some(ValueSource::CommandLine), _) => {
                // A flag has no value of its own.
                let value = raw.or_else(|| Some("true".into()));
                (value, format!("--{}", key.replace('_', "-")))
            }
            (Some(ValueSource::EnvVariable), _) => (raw, variable(&key)),
            (_, Some(entry)) => (Some(entry.value.clone()), entry.file.display().to_string()),
            _ => (raw, "default".into()),
        };
        Setting { key, value, origin }
    }

    /// The file that says so, if one does.
    pub fn origin_of(&self, value: &str) -> Option<&Path> {
        let entry = self.0.values().find(|entry| entry.value == value)?;
        Some(&entry.file)
    }
}

/// Where the files may be, in rising precedence.
fn paths() -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(FILE)];
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let configured = folder("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(folder("HOME")?).join(".config"));
    if let Some(folder) = configured.or_else(home) {
        paths.push(folder.join(FILE));
        paths.push(folder.join("hindsight").join(FILE));
    }
    paths
}

/// A path is meant from the folder of the file that names it, `~/` from the user's own.
fn in_folder_of(file: &Path, key: &str, value: String) -> String {
    let is_path = matches!(
        key,
        "data" | "tls_cert" | "tls_key" | "cluster_ca" | "cluster_cert" | "cluster_key"
    );
    if !is_path {
        return value;
    }
    if let Some(rest) = value.strip_prefix("~/")
        && let Some(home) = std::env::var_os("HOME")
    {
        return Path::new(&home).join(rest).to_string_lossy().into_owned();
    }
    match file.parent() {
        Some(folder) if folder != Path::new("") => {
            folder.join(value).to_string_lossy().into_owned()
        }
        _ => value,
    }
}

/// The keys that a file may have.
fn keys(command: &Command) -> Vec<String> {
    let mut keys: Vec<String> = GLOBAL.iter().map(|key| (*key).to_owned()).collect();
    if let Some(serve) = command.find_subcommand(SERVE) {
        let own = serve.get_arguments().filter(|arg| has_key(arg));
        keys.extend(own.map(key).filter(|key| !GLOBAL.contains(&key.as_str())));
    }
    keys
}

fn has_key(arg: &Arg) -> bool {
    arg.get_long()
        .is_some_and(|long| !FLAGS_ONLY.contains(&long) && !GLOBAL.contains(&long))
}

fn key(arg: &Arg) -> String {
    arg.get_long().unwrap_or_default().replace('-', "_")
}

fn variable(key: &str) -> String {
    format!("HINDSIGHT_{}", key.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str) -> std::result::Result<Files, String> {
        let keys = ["data", "state", "listen", "max_connections"].map(str::to_owned);
        let mut files = Files::default();
        files.add(Path::new("there/hindsight.toml"), text, &keys)?;
        Ok(files)
    }

    #[test]
    fn paths_are_those_of_the_file() {
        let files = added("data = 'history'\nmax_connections = 5").unwrap_or_default();
        assert_eq!(files.0["data"].value, "there/history");
        assert_eq!(files.0["max_connections"].value, "5");
        let files = added("data = '/srv/history'").unwrap_or_default();
        assert_eq!(files.0["data"].value, "/srv/history");
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        for (text, expected) in [
            ("dat = 'x'", "dat is no setting; did you mean data?"),
            ("max-connections = 1", "did you mean max_connections?"),
            ("password = 'x'", "the settings are data, state, listen"),
            (
                "data = ['x']",
                "data must be a text, a whole number, true or false, found array",
            ),
            ("data = 'x'\nlisten", "line 2: "),
        ] {
            let refused = added(text).err();
            assert!(
                refused.as_ref().is_some_and(|e| e.contains(expected)),
                "{refused:?}"
            );
        }
    }
}
