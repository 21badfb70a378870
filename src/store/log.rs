//! The log beside `state.sqlite`, looked at before SQLite applies it.
//!
//! SQLite takes any whole log that bears the right name for the one of this database: one that was
//! left in a folder into which a backup was restored would put old pages over newer ones, or those of
//! another database. So every commit counts one further in the first page of the database, and the
//! first commit of a database gives it a name of its own. A log fits where it is of the same database,
//! begins no more than one commit behind what the database holds, and does not end before it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use super::client::{Statement, Transaction};
use super::{Dialect, STATE_FILE};
use crate::error::{Error, Result};

/// Where the first page has how many commits there were, and whose database it is, as big-endian
/// numbers; SQLite calls them `user_version` and `application_id`.
const COMMITS_AT: usize = 60;
const NAME_AT: usize = 68;
const FIRST_PAGE_BYTES: usize = 100;
const LOG_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// What the first page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    commits: u32,
    name: u32,
}

impl Mark {
    fn of(page: &[u8]) -> Option<Self> {
        Some(Self {
            commits: number(page, COMMITS_AT)?,
            name: number(page, NAME_AT)?,
        })
    }
}

/// Counts the commit that is about to be made.
pub(super) async fn count_commit(transaction: &mut Transaction) -> sqlx::Result<()> {
    if transaction.dialect() != Dialect::Sqlite {
        return Ok(());
    }
    let read = Statement::new(
        "select user_version, application_id from pragma_user_version, pragma_application_id",
    );
    let Some(row) = read.row(transaction).await? else {
        return Ok(());
    };
    let (commits, name) = (row.get::<i64>(0)?, row.get::<i64>(1)?);
    let next = commits.wrapping_add(1).rem_euclid(1 << 31);
    let mut count = format!("pragma user_version = {next}");
    if name == 0 {
        let name = (uuid::Uuid::new_v4().as_u128() >> 97) as u32 | 1;
        count = format!("{count}; pragma application_id = {name}");
    }
    transaction.run(&count).await
}

/// Refuses a log that is not of this database as it is.
pub(super) async fn check(workspace: &Path) -> Result<()> {
    const TRIES: u32 = 20;
    for _ in 0..TRIES {
        match problem(workspace) {
            Ok(None) => return Ok(()),
            // Somebody may be writing both while they are read.
            Ok(Some(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            // SQLite says better what it cannot read.
            Err(_) => return Ok(()),
        }
    }
    let Ok(Some(problem)) = problem(workspace) else {
        return Ok(());
    };
    let path = workspace.join(format!("{STATE_FILE}-wal"));
    let error = Error::Workspace {
        path,
        problem: format!("{problem}; it was not applied, and nothing was changed"),
    };
    Err(error.hinted(format!(
        "move it away, with {STATE_FILE}-shm, to have the state as {STATE_FILE} alone holds it; a \
         backup is restored into an empty folder"
    )))
}

/// Why the log does not fit the database, if it does not.
fn problem(workspace: &Path) -> io::Result<Option<&'static str>> {
    let mut page = [0; FIRST_PAGE_BYTES];
    match File::open(workspace.join(STATE_FILE))?.read_exact(&mut page) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    // After the page: what is committed meanwhile makes the log newer, never older.
    let Some(log) = read_log(&workspace.join(format!("{STATE_FILE}-wal")))? else {
        return Ok(None);
    };
    let (Some(database), Some((first, last))) = (Mark::of(&page), marks(&log)) else {
        return Ok(None);
    };
    // Earlier versions counted nothing.
    if database.name == 0 || database.commits == 0 {
        return Ok(None);
    }
    Ok(if last.name != database.name {
        Some("is the log of another database")
    } else if last.commits < database.commits {
        Some("is older than the database beside it")
    } else if first.commits > database.commits.saturating_add(1) {
        Some("is newer than the database beside it, and what came between is not there")
    } else {
        None
    })
}

fn read_log(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(log) => Ok(Some(log)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the first page says in the first and in the last commit of a log that wrote it.
fn marks(log: &[u8]) -> Option<(Mark, Mark)> {
    let word = |at: usize| number(log, at);
    let is_big = match word(0)? {
        0x377f_0682 => false,
        0x377f_0683 => true,
        _ => return None,
    };
    let page_bytes = usize::try_from(word(8)?).ok().filter(|size| *size >= 512)?;
    let salts = log.get(16..24)?;
    let mut sum = checksum((0, 0), log.get(..24)?, is_big)?;
    if sum != (word(24)?, word(28)?) {
        return None;
    }
    let (mut first, mut last, mut begun) = (None, None, None);
    let frames = log.get(LOG_HEADER_BYTES..)?;
    for frame in frames.chunks_exact(FRAME_HEADER_BYTES + page_bytes) {
        let (header, page) = frame.split_at(FRAME_HEADER_BYTES);
        sum = checksum(checksum(sum, &header[..8], is_big)?, page, is_big)?;
        if header[8..16] != *salts || sum != (number(header, 16)?, number(header, 20)?) {
            break;
        }
        if number(header, 0)? == 1 {
            begun = Mark::of(page);
        }
        // A commit ends with the size of the database.
        if number(header, 4)? > 0
            && let Some(mark) = begun.take()
        {
            first.get_or_insert(mark);
            last = Some(mark);
        }
    }
    first.zip(last)
}

/// The checksum of a log over the next bytes.
fn checksum((mut one, mut other): (u32, u32), bytes: &[u8], is_big: bool) -> Option<(u32, u32)> {
    for pair in bytes.chunks_exact(8) {
        let (a, b) = (number(pair, 0)?, number(pair, 4)?);
        let (a, b) = match is_big {
            true => (a, b),
            false => (a.swap_bytes(), b.swap_bytes()),
        };
        one = one.wrapping_add(a).wrapping_add(other);
        other = other.wrapping_add(b).wrapping_add(one);
    }
    Some((one, other))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}
