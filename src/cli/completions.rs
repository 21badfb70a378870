//! `hindsight completions` and `hindsight man`: made from the definitions of the command line, so that
//! they are never behind it.

use clap::{Args, Command};
use clap_complete::Shell;

use super::failure::Failure;
use super::near::nearest;
use super::output::write_text;

/// Print the completions of a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  hindsight completions bash > ~/.local/share/bash-completion/completions/hindsight\n  \
                  hindsight completions zsh > ~/.zfunc/_hindsight\n  \
                  hindsight completions fish > ~/.config/fish/completions/hindsight.fish")]
pub struct CompletionsArgs {
    /// bash, zsh, fish, elvish or powershell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn completions(mut command: Command, arguments: &CompletionsArgs) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "hindsight", &mut text);
    write_text(&String::from_utf8_lossy(&text))
}

/// Print the manual page of hindsight, or of a command
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  hindsight man | man -l -\n  \
                  hindsight man load > hindsight-load.1")]
pub struct ManArgs {
    /// The command, such as load
    command: Option<String>,
}

pub fn man(mut command: Command, arguments: &ManArgs) -> Result<(), Failure> {
    // Gives the subcommands what they inherit.
    command.build();
    let page = match &arguments.command {
        None => command,
        Some(name) => match command.find_subcommand(name) {
            Some(found) => found
                .clone()
                .name(format!("hindsight-{name}").leak() as &str),
            None => {
                let names = command.get_subcommands().map(Command::get_name);
                let hint = match nearest(name, names) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "hindsight --help lists the commands".into(),
                };
                return Err(Failure::usage(format!("there is no command {name}"), hint));
            }
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    write_text(&String::from_utf8_lossy(&text))
}
