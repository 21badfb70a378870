//! `hindsight shell`: statements typed one after the other, in one session.
//!
//! A statement ends with a semicolon and may span lines. Ctrl-C takes back what is being typed, or
//! stops what is running, and the session goes on; Ctrl-D or `\q` ends it. What is not typed but
//! piped in ends at the first error, with its exit code.

mod commands;
mod editor;

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use hindsight::{Engine, Error};
use rustyline::error::ReadlineError;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::copy;
use super::failure::Failure;
use super::load::short_fingerprint;
use super::near::nearest;
use super::output::{Format, Output, OutputArgs, texts};
use super::serve::bytes;
use super::statements;
use super::terminal::{aside, remark, say, seconds};
use super::values::{Form, write_value};
use super::variables::Variables;
use super::workspace::{Workspace, begin_statement};
use commands::Asked;
use editor::{Names, is_complete};

const PROMPT: &str = "hindsight> ";
/// How deep files may run files.
const INCLUDES_MAX: usize = 16;

/// Type statements and see their results
#[derive(Debug, Args)]
#[command(
    long_about = "Type statements and see their results; \\? lists the commands beside them.\n\n\
                  Statements that are piped in end at the first error, with its exit code.",
    after_help = "Examples:\n  \
                  hindsight shell\n  \
                  hindsight --data ./demo shell --format csv"
)]
pub struct ShellArgs {
    /// How results are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Memory that statements may use, such as 512MB or 4GB [default: as much as they need]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory_limit: Option<usize>,
}

pub async fn execute(workspace: &Workspace, arguments: ShellArgs) -> Result<(), Failure> {
    // Refuses at once what no result could be written in.
    Output::new(arguments.format)?;
    let engine = workspace.open_within(arguments.memory_limit).await?;
    // Statements have threads of their own, which they may keep busy while Ctrl-C is listened for.
    let threads = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(hindsight::server::STACK)
        .enable_all()
        .build()?;
    let mut shell = Shell {
        workspace,
        engine,
        threads: threads.handle().clone(),
        format: arguments.format,
        is_timed: io::stdin().is_terminal(),
        is_upright: false,
        file: None,
        variables: Variables::default(),
        includes: 0,
    };
    let ended = match io::stdin().is_terminal() {
        true => shell.converse().await,
        false => shell.follow_input().await,
    };
    let closed = shell.close_file().await;
    threads.shutdown_background();
    ended.and(closed)
}

/// A session, and how it shows what it finds.
struct Shell<'a> {
    workspace: &'a Workspace,
    engine: Engine,
    threads: Handle,
    format: Format,
    is_timed: bool,
    is_upright: bool,
    /// Where results go, if not to standard output.
    file: Option<Arc<Mutex<Output>>>,
    variables: Variables,
    includes: usize,
}

/// Whether the session goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    On,
    End,
}

impl Shell<'_> {
    /// With somebody at a terminal.
    async fn converse(&mut self) -> Result<(), Failure> {
        let mut editor = editor::editor(Names::of(&self.engine).await?)?;
        let dataset = self.engine.dataset();
        aside(format_args!(
            "{} signals, dataset {}; \\? helps, \\q ends",
            dataset.signals.num_rows(),
            short_fingerprint(&dataset.fingerprint),
        ));
        loop {
            let typed;
            // The editor blocks its thread while it waits for keys.
            (editor, typed) = tokio::task::spawn_blocking(move || {
                let typed = editor.readline(PROMPT);
                (editor, typed)
            })
            .await
            .map_err(|error| Failure::crashed(&error))?;
            let typed = match typed {
                Ok(typed) => typed,
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(editor::unreadable(error)),
            };
            if typed.trim().is_empty() {
                continue;
            }
            let _ = editor.add_history_entry(typed.trim());
            match self.take(&typed).await {
                Ok(Next::On) => {}
                Ok(Next::End) => break,
                Err(failure) => {
                    failure.report();
                }
            }
        }
        editor::save(&mut editor);
        Ok(())
    }

    /// With lines that nobody types.
    async fn follow_input(&mut self) -> Result<(), Failure> {
        let mut script = Script::default();
        loop {
            let line = tokio::task::spawn_blocking(|| {
                let mut line = String::new();
                let read = io::stdin().lock().read_line(&mut line);
                read.map(|bytes| (bytes > 0).then_some(line))
            });
            let line = line.await.map_err(|error| Failure::crashed(&error))?;
            let line = line.map_err(|source| Error::Io {
                path: "standard input".into(),
                source,
            })?;
            let is_end = line.is_none();
            if self.feed(&mut script, line.as_deref()).await? == Next::End || is_end {
                return Ok(());
            }
        }
    }

    /// Runs the statements and commands of a file, until one fails.
    async fn include(&mut self, file: &str) -> Result<Next, Failure> {
        if self.includes == INCLUDES_MAX {
            return Err(Failure::usage(
                format!("{file} is run by a file that is run by a file, {INCLUDES_MAX} times"),
                "a file must not run itself",
            ));
        }
        let text = std::fs::read_to_string(file).map_err(|source| Error::Io {
            path: file.to_owned(),
            source,
        })?;
        self.includes += 1;
        let mut script = Script::default();
        let lines = text.split_inclusive('\n').map(Some).chain([None]);
        let mut ended = Ok(Next::On);
        for line in lines {
            ended = Box::pin(self.feed(&mut script, line)).await;
            if !matches!(ended, Ok(Next::On)) {
                break;
            }
        }
        self.includes -= 1;
        ended.map_err(|failure| failure.at(format!("{file}, line {}", script.line)))
    }

    /// Takes the next line of a script, and runs what it completes; at the end what is left.
    async fn feed(&mut self, script: &mut Script, line: Option<&str>) -> Result<Next, Failure> {
        match line {
            Some(line) => script.push(line),
            None if script.open.trim().is_empty() => return Ok(Next::On),
            None => {}
        }
        if line.is_some() && !is_complete(&script.open) {
            return Ok(Next::On);
        }
        let typed = std::mem::take(&mut script.open);
        self.take(&typed).await
    }

    /// Does what was typed: a command, or statements.
    async fn take(&mut self, typed: &str) -> Result<Next, Failure> {
        let typed = typed.trim();
        if matches!(typed.trim_end_matches(';'), "quit" | "exit") {
            return Ok(Next::End);
        }
        if typed.starts_with('\\') {
            return self.obey(commands::read(typed)?).await;
        }
        let (script, unset) = self.variables.put_into(typed);
        let ran = self.run(&script).await;
        ran.map(|()| Next::On).map_err(|failure| match unset {
            Some(name) => failure.or_hint(format!("nobody has set :{name}; \\set {name} … does")),
            None => failure,
        })
    }

    async fn obey(&mut self, asked: Asked) -> Result<Next, Failure> {
        let state = |is_on: bool| if is_on { "on" } else { "off" };
        match asked {
            Asked::Help => say(commands::help()),
            Asked::Quit => return Ok(Next::End),
            Asked::Statement(sql) => self.run(&sql).await?,
            Asked::Table(name) => {
                self.run_known(&name, "table", "table_name", commands::columns_of(&name))
                    .await?;
            }
            Asked::Function(name) => {
                self.run_known(&name, "routine", "routine_name", commands::usage_of(&name))
                    .await?;
            }
            Asked::Connection => self.show_connection().await?,
            Asked::Timing(wanted) => {
                self.is_timed = wanted.unwrap_or(!self.is_timed);
                remark(format_args!("Timing is {}.", state(self.is_timed)));
            }
            Asked::Upright(wanted) => {
                self.is_upright = wanted.unwrap_or(!self.is_upright);
                let state = state(self.is_upright);
                remark(format_args!("Each column on a line of its own: {state}."));
            }
            Asked::Format(wanted) => {
                if let Some(wanted) = wanted {
                    let known = Format::from_str(&wanted, true).map_err(|_| {
                        let problem = format!("there is no format {wanted}");
                        Failure::usage(problem, "table, csv, json, ndjson, markdown")
                    })?;
                    Output::new(known)?;
                    self.format = known;
                }
                remark(format_args!(
                    "Results are written as {}.",
                    self.format.name()
                ));
            }
            Asked::Include(file) => return self.include(&file).await,
            Asked::Output(file) => {
                self.close_file().await?;
                if let Some(file) = file {
                    self.open_file(PathBuf::from(file))?;
                }
            }
            Asked::Copy(statement) => self.run(&statement).await?,
            Asked::Set(None) => {
                for (name, value) in self.variables.iter() {
                    say(format_args!("{name} = {value}"));
                }
            }
            Asked::Set(Some((name, value))) => self.variables.set(&name, value)?,
            Asked::Unset(name) => self.variables.unset(&name),
        }
        Ok(Next::On)
    }

    /// Runs statements, until they are done or Ctrl-C.
    async fn run(&self, script: &str) -> Result<(), Failure> {
        for statement in statements::split(script)? {
            begin_statement();
            let started = Instant::now();
            let output = match &self.file {
                Some(file) => Arc::clone(file),
                // Each result stands alone, whatever its format.
                None => Arc::new(Mutex::new(
                    Output::new(self.format)?.upright(self.is_upright),
                )),
            };
            let stands_alone = self.file.is_none();
            let (engine, sql) = (self.engine.clone(), statement.sql.to_owned());
            let mut task = self.threads.spawn(async move {
                if let Some(copy) = copy::read(&sql)? {
                    return copy::execute(&engine, &copy).await;
                }
                let outcome = engine.run(&sql).await?;
                output.lock().await.write(outcome, stands_alone).await
            });
            tokio::select! {
                joined = &mut task => joined.map_err(|error| Failure::crashed(&error))??,
                _ = tokio::signal::ctrl_c() => {
                    task.abort();
                    return Err(Error::Cancelled.into());
                }
            }
            if self.is_timed {
                aside(seconds(started.elapsed()));
            }
        }
        Ok(())
    }

    /// Runs what shows something that there must be.
    async fn run_known(
        &self,
        name: &str,
        kind: &str,
        column: &str,
        sql: String,
    ) -> Result<(), Failure> {
        let known = format!("select distinct {column} from information_schema.{kind}s");
        let known = self.engine.sql(&known).await?;
        let mut names = Vec::new();
        for batch in &known {
            for row in 0..batch.num_rows() {
                let mut name = String::new();
                let column = batch.column(0);
                write_value(&mut name, column, row, Form::Text)?;
                names.push(name);
            }
        }
        if names.iter().any(|known| known == name) {
            return self.run(&sql).await;
        }
        let hint = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None if kind == "table" => "\\d lists the tables".into(),
            None => "\\df lists the functions".into(),
        };
        let kind = if kind == "table" { "table" } else { "function" };
        Err(Failure::usage(format!("there is no {kind} {name}"), hint))
    }

    async fn show_connection(&self) -> Result<(), Failure> {
        let dataset = self.engine.dataset();
        let row = [
            Some(self.workspace.display().to_string()),
            Some(dataset.generation.to_string()),
            Some(short_fingerprint(&dataset.fingerprint).to_owned()),
            Some(self.engine.store().place().to_string()),
        ];
        let names = ["workspace", "generation", "dataset", "state"];
        let batch = texts(names, [row])?;
        let mut output = Output::new(self.format)?.upright(self.is_upright);
        output.write_batch(batch).await
    }

    fn open_file(&mut self, path: PathBuf) -> Result<(), Failure> {
        let format = Format::of_file(&path).unwrap_or(self.format);
        if format.is_binary() {
            return Err(Failure::usage(
                format!("\\o keeps many results, and {} holds one", format.name()),
                "\\copy (select …) to FILE writes one",
            ));
        }
        let output = OutputArgs::of_file(format, path).open()?;
        let output = output.upright(self.is_upright);
        self.file = Some(Arc::new(Mutex::new(output)));
        Ok(())
    }

    async fn close_file(&mut self) -> Result<(), Failure> {
        match self.file.take() {
            Some(file) => file.lock().await.finish(),
            None => Ok(()),
        }
    }
}

/// Lines that nobody types.
#[derive(Default)]
struct Script {
    /// What no semicolon has ended yet.
    open: String,
    /// The lines so far.
    line: usize,
}

impl Script {
    fn push(&mut self, line: &str) {
        self.line += 1;
        // Where nothing is open, an empty line is nothing.
        if !self.open.is_empty() || !line.trim().is_empty() {
            self.open.push_str(line);
        }
    }
}
