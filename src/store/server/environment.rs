//! What the environment adds to a URL, as for every other client of PostgreSQL: the variables `PG…`,
//! a service of the service file, and a password of `~/.pgpass`.

use std::fs;
use std::path::{Path, PathBuf};

use super::url::{Keywords, keyword};
use crate::error::{Error, Result};

/// A variable of the environment; empty is unset.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What the variables say. `PGOPTIONS` is not among them: the driver sends it by itself.
pub(super) fn variables() -> Keywords {
    const VARIABLES: [(&str, &str); 13] = [
        ("PGAPPNAME", "application_name"),
        ("PGCONNECT_TIMEOUT", "connect_timeout"),
        ("PGDATABASE", "dbname"),
        ("PGHOST", "host"),
        ("PGHOSTADDR", "hostaddr"),
        ("PGPASSWORD", "password"),
        ("PGPORT", "port"),
        ("PGSSLCERT", "sslcert"),
        ("PGSSLKEY", "sslkey"),
        ("PGSSLMODE", "sslmode"),
        ("PGSSLROOTCERT", "sslrootcert"),
        ("PGTARGETSESSIONATTRS", "target_session_attrs"),
        ("PGUSER", "user"),
    ];
    let set = VARIABLES
        .into_iter()
        .filter_map(|(name, keyword)| Some((keyword, variable(name)?)));
    set.collect()
}

/// What a service says, in the first of the service files that has it.
pub(super) fn service(name: &str) -> Result<Keywords> {
    let own = variable("PGSERVICEFILE").map(PathBuf::from);
    let own = own.or_else(|| Some(home()?.join(".pg_service.conf")));
    let folders = variable("PGSYSCONFDIR").map(PathBuf::from);
    let folders = folders.or_else(|| Some(PathBuf::from("/etc/postgresql-common")));
    let files: Vec<PathBuf> = own
        .into_iter()
        .chain(folders.map(|folder| folder.join("pg_service.conf")))
        .collect();
    for file in &files {
        let Ok(text) = fs::read_to_string(file) else {
            continue;
        };
        if let Some(found) = section(&text, name) {
            return of_service(file, found);
        }
    }
    let files: Vec<_> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    Err(Error::Usage(format!(
        "there is no service {name} in {}",
        files.join(" nor in ")
    )))
}

/// The lines of a section that say something.
fn section<'t>(text: &'t str, name: &str) -> Option<Vec<&'t str>> {
    let mut lines = text.lines().map(str::trim);
    let is_it = |line: &str| {
        let inner = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'));
        inner == Some(name)
    };
    lines.find(|line| is_it(line))?;
    let lines = lines.take_while(|line| !line.starts_with('['));
    Some(
        lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect(),
    )
}

fn of_service(file: &Path, lines: Vec<&str>) -> Result<Keywords> {
    let mut keywords = Keywords::new();
    for line in lines {
        // The line may hold a password.
        let Some((name, value)) = line.split_once('=') else {
            return Err(Error::Usage(format!(
                "{} has a line without = in a service",
                file.display()
            )));
        };
        if let Some(keyword) = keyword(name.trim())? {
            keywords.insert(keyword, value.trim().to_owned());
        }
    }
    Ok(keywords)
}

/// What a file of passwords knows of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    Password(String),
    /// Others may read the file, and so it is not used.
    Exposed(PathBuf),
    Nothing,
}

/// The password that the file of passwords has.
pub(super) fn password(
    file: Option<&str>,
    host: &str,
    port: u16,
    database: &str,
    user: &str,
) -> Known {
    let file = file.map(PathBuf::from);
    let file = file.or_else(|| variable("PGPASSFILE").map(PathBuf::from));
    let Some(file) = file.or_else(|| Some(home()?.join(".pgpass"))) else {
        return Known::Nothing;
    };
    let Ok(metadata) = fs::metadata(&file) else {
        return Known::Nothing;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
            return Known::Exposed(file);
        }
    }
    let Some(text) = metadata.is_file().then(|| fs::read_to_string(&file)) else {
        return Known::Nothing;
    };
    let port = port.to_string();
    let host = if host.starts_with('/') {
        "localhost"
    } else {
        host
    };
    let wanted = [host, &port, database, user];
    let found = text
        .unwrap_or_default()
        .lines()
        .find_map(|line| of_line(line, &wanted));
    found.map_or(Known::Nothing, Known::Password)
}

/// The password of a line `host:port:database:user:password` that is about this.
fn of_line(line: &str, wanted: &[&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let (mut fields, mut field) = (Vec::with_capacity(5), String::new());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => field.extend(letters.next()),
            ':' if fields.len() < 4 => fields.push(std::mem::take(&mut field)),
            letter => field.push(letter),
        }
    }
    let fits = |(field, wanted): (&String, &&str)| field == "*" || field == wanted;
    (fields.len() == 4 && fields.iter().zip(wanted).all(fits)).then_some(field)
}

/// A file that PostgreSQL's clients look for at home, if it is there.
pub(super) fn at_home(name: &str) -> Option<PathBuf> {
    let path = home()?.join(".postgresql").join(name);
    path.exists().then_some(path)
}

fn home() -> Option<PathBuf> {
    variable("HOME").map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_passwords_is_about_one_server() {
        let wanted = ["db", "5432", "trading", "bot"];
        for (line, password) in [
            ("db:5432:trading:bot:pass", Some("pass")),
            ("*:*:*:bot:p:a:s\\:s\\\\", Some("p:a:s:s\\")),
            ("db:5433:trading:bot:pass", None),
            ("#db:5432:trading:bot:pass", None),
            ("d\\b:*:*:*:", Some("")),
            ("db:5432:trading", None),
        ] {
            assert_eq!(of_line(line, &wanted).as_deref(), password, "{line}");
        }
    }

    #[test]
    fn a_service_is_a_section() {
        let text =
            "# ours\n[other]\nhost=a\n\n[trading]\nhost=b\n # note\n port = 6543\n[last]\nhost=c";
        assert_eq!(
            section(text, "trading"),
            Some(vec!["host=b", "port = 6543"])
        );
        assert_eq!(section(text, "none"), None);
    }
}
