//! The command line: what each word and flag means.
//!
//! Everything but `run` works on the file, whether the daemon runs or not; a running one sees the change within a second.
//! Exit codes: 0 done, 1 it could not be done or not be told, 2 the command line is wrong, 3 done, and some source or line is in trouble.

mod check;
mod edit;
mod list;
mod opml;
mod say;

use std::{io, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;
use url::Url;

use crate::{
    clock::Clock,
    config::{self, Config},
    daemon::{self, Start},
    kinds::KINDS,
    source::{NotAName, SourceName},
};

/// Done, and some source or line is in trouble.
const TROUBLE: u8 = 3;

/// Tributary: carries what is new in feeds and APIs to where you want it.
///
/// Begin with `tributary add https://blog.rust-lang.org/feed.xml`, then `tributary run`, and look at http://127.0.0.1:8440/.
#[derive(Debug, Parser)]
#[command(name = "tributary", version, arg_required_else_help = true)]
pub struct Cli {
    /// The file of settings
    #[arg(long, short, global = true, value_name = "FILE", env = "TRIBUTARY_CONFIG", default_value = config::FILE)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Visit the sources and carry items to the sinks, until SIGTERM or Ctrl-C
    ///
    /// The file may be edited meanwhile: what changed is restarted, the rest goes on. A file with a mistake changes nothing.
    Run,
    /// Add a source to the file, which is made where it is missing
    ///
    /// Comments and order of the file stay as they are. A running daemon takes the source up within a second.
    Add(Add),
    /// Show the sources, and what the running daemon says of each
    List {
        /// As JSON: what the daemon's /api/status says; without a daemon there is none, and the exit code is 1
        #[arg(long)]
        json: bool,
    },
    /// Read the file and visit each source once; nothing is kept and nothing is delivered
    ///
    /// Exit code 1 when the file is wrong, 3 when a source is in trouble.
    Check {
        /// Only this source
        source: Option<SourceName>,
        /// Only read the file, and visit nobody
        #[arg(long)]
        offline: bool,
    },
    /// Add the feeds of an OPML file, as other readers export it
    Import {
        /// The OPML file; `-` is standard input
        file: PathBuf,
    },
    /// Print the sources as OPML, for other readers
    Export,
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The address of a feed or an API
    #[arg(value_parser = address)]
    url: Url,
    /// What kind of source it is, where the address does not say it
    #[arg(long, value_parser = kind)]
    kind: Option<&'static str>,
    /// What to call it; made from the address where it is missing
    #[arg(long, value_parser = name)]
    name: Option<SourceName>,
    /// Deliver its items only to this sink; may be repeated
    #[arg(long, value_name = "SINK")]
    to: Vec<String>,
}

/// Why a command could not be carried out, with the remedy where there is one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Daemon(#[from] daemon::Error),
    #[error(transparent)]
    Edit(#[from] edit::Error),
    #[error(transparent)]
    Opml(#[from] opml::Error),
    #[error("there is no source `{0}` in the file; `tributary list` shows them")]
    NoSource(SourceName),
    #[error("no daemon answers at {url}; `tributary run` starts one")]
    NoDaemon { url: String },
    #[error("standard output cannot be written: {0}; see where it leads")]
    Untold(io::Error),
    #[error("{0}")]
    Other(ballet::Error),
}

impl From<ballet::Error> for Error {
    fn from(error: ballet::Error) -> Self {
        Self::Other(error)
    }
}

/// Does what was asked for. Who hangs up before all is told has read enough.
///
/// # Errors
///
/// When it could not be done, or not be told.
pub fn run(Cli { config: path, command }: Cli) -> Result<ExitCode, Error> {
    match command {
        Command::Run => Ok(daemon::run(Start { path, kinds: KINDS, clock: Clock::system() })?),
        Command::Add(add) => edit::add(&path, &add),
        Command::List { json } => in_runtime(list::list(&Config::load(&path, KINDS)?, json)),
        Command::Check { source, offline } => {
            let config = Config::load(&path, KINDS)?;
            in_runtime(check::check(&path, &config, source.as_ref(), offline))
        }
        Command::Import { file } => edit::import(&path, &opml::read(&file)?),
        Command::Export => {
            say::say(opml::write(&Config::load(&path, KINDS)?)?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Cli {
    /// What is written to the log where nobody says it: a daemon tells what it does, a command only what went wrong.
    pub fn log_level(&self) -> LevelFilter {
        if matches!(self.command, Command::Run) { LevelFilter::INFO } else { LevelFilter::ERROR }
    }
}

fn in_runtime(work: impl Future<Output = Result<ExitCode, Error>>) -> Result<ExitCode, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(daemon::Error::Runtime)?.block_on(work)
}

fn address(text: &str) -> Result<Url, String> {
    text.parse().map_err(|error| format!("{error}; write all of it, such as https://example.org/feed.xml"))
}

fn kind(text: &str) -> Result<&'static str, String> {
    let known = KINDS.iter().find(|kind| kind.name() == text);
    known.map(|kind| kind.name()).ok_or_else(|| {
        let lines: Vec<_> = KINDS.iter().map(|kind| format!("{}: {}", kind.name(), kind.about())).collect();
        format!("the kinds are\n  {}", lines.join("\n  "))
    })
}

fn name(text: &str) -> Result<SourceName, NotAName> {
    text.parse()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_address_has_to_be_whole() {
        assert!(Cli::try_parse_from(["tributary", "add", "example.org"]).is_err());
        assert!(
            Cli::try_parse_from(["tributary", "add", "https://example.org/", "--name", "Not A Name"])
                .is_err()
        );
        assert!(Cli::try_parse_from(["tributary", "add", "https://example.org/feed"]).is_ok());
    }
}
