//! `hindsight user`: who may log in to the server, and in which role.

use std::io::{self, BufRead, IsTerminal};

use clap::{Args, Subcommand};
use hindsight::{Role, server};

use super::failure::Failure;
use super::output::{OutputArgs, texts};
use super::serve::role;
use super::terminal::remark;
use super::workspace::Workspace;

/// The variable that a password is taken from, where nobody can be asked.
const PASSWORD: &str = "HINDSIGHT_PASSWORD";

/// Add, list and remove the users of the server
#[derive(Debug, Args)]
pub struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a user, or give one another role and password
    Add {
        name: String,
        /// reader reads, analyst also stores runs and scenarios, operator also applies settings
        #[arg(long, value_parser = role)]
        role: Role,
    },
    /// List the users
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Remove a user
    Remove { name: String },
}

pub async fn execute(workspace: &Workspace, arguments: UserArgs) -> Result<(), Failure> {
    let engine = workspace.open_state().await?;
    let store = engine.store();
    match arguments.command {
        UserCommand::Add { name, role } => {
            check_name(&name)?;
            let verifier = server::verifier(&password(&name)?)?;
            let is_new = store.user(&name).await?.is_none();
            store.put_user(&name, role, &verifier).await?;
            let done = if is_new { "added" } else { "changed" };
            remark(format_args!("{done} {name}, {}", role.name()));
        }
        UserCommand::List { output } => {
            let mut output = output.open()?;
            let users = store.users().await?;
            let rows = users.iter().map(|user| {
                let role = user.role.name().to_owned();
                [Some(user.name.clone()), Some(role)]
            });
            output.write_batch(texts(["name", "role"], rows)?).await?;
            if users.is_empty() {
                remark("no users; hindsight user add NAME --role ROLE adds one");
            }
        }
        UserCommand::Remove { name } => match store.remove_user(&name).await? {
            true => remark(format_args!("removed {name}")),
            false => {
                let problem = format!("there is no user {name}");
                return Err(Failure::usage(
                    problem,
                    "hindsight user list shows who there is",
                ));
            }
        },
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Failure> {
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace();
    match !name.is_empty() && name.len() <= 63 && name.chars().all(is_plain) {
        true => Ok(()),
        false => Err(Failure::usage(
            format!("a user's name has 1 to 63 bytes without blanks, found {name:?}"),
            "choose another name",
        )),
    }
}

/// The password: from the variable, typed twice without being shown, or a line of standard input.
fn password(name: &str) -> Result<String, Failure> {
    let given = match std::env::var(PASSWORD) {
        Ok(password) => password,
        Err(_) if io::stdin().is_terminal() => {
            let terminal = console::Term::stderr();
            let ask = |prompt: String| -> io::Result<String> {
                terminal.write_str(&prompt)?;
                terminal.read_secure_line()
            };
            let first = ask(format!("Password for {name}: "))?;
            if ask("Again: ".into())? != first {
                return Err(Failure::usage(
                    "the passwords differ",
                    "type the same twice",
                ));
            }
            first
        }
        Err(_) => {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line)?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    match given.is_empty() {
        false => Ok(given),
        true => Err(Failure::usage(
            "the password is empty",
            format!("type one, or set {PASSWORD}"),
        )),
    }
}
