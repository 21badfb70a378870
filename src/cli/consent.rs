//! Asks before something is done that others feel.

use std::io::{self, BufRead, IsTerminal, Write};

use super::failure::Failure;
use super::terminal::{BOLD, remark};

/// Whether whoever sits at the terminal agrees; where nobody does, they must have said so before.
pub async fn ask(question: &str, has_agreed: bool) -> Result<bool, Failure> {
    if has_agreed {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "nobody is there to be asked",
            "--yes does it without asking, --dry-run only shows it",
        ));
    }
    let mut stderr = anstream::stderr();
    write!(stderr, "{BOLD}{question}{BOLD:#} [y/N] ")?;
    stderr.flush()?;
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await.map_err(|error| Failure::crashed(&error))??;
    let is_yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    if !is_yes {
        remark("Nothing was changed.");
    }
    Ok(is_yes)
}
