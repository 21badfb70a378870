//! The command `hindsight`: parses the command line, runs it, prints what failed with its way out.
//!
//! Exit code: 0 done, 1 the statement or its data was wrong, 2 usage, 3 the workspace, state or
//! connection failed, 130 interrupted. A reader that closes the pipe has had enough, which is no failure.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
