//! The one file: read whole, checked whole, and refused whole where anything in it is wrong.
//!
//! Every fault is named with its line, its key and a remedy, all of them at once; of a sink, of `[web]` and of what only one
//! kind of source asks for, the first. Each source and sink carries a *fingerprint*, a digest of everything that it was made
//! from, so that a reload restarts only what differs. What a kind of source may say stands with the kind; what a sink may, in
//! `sinks`. Relative paths are relative to the file.

mod changes;
mod read;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use self::changes::Changes;
use crate::{
    fields::Wrong,
    sinks,
    source::{Kind, SourceName, Visit},
    web,
};

/// The file that is meant where none is named.
pub const FILE: &str = "tributary.toml";
/// The sink that there is where the file names none.
pub const DEFAULT_SINK: &str = "items";

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8440);
const DATA: &str = "tributary-data";
const DRAIN: Duration = Duration::from_secs(10);
const FLOOR: Duration = Duration::from_secs(10 * 60);
const CEILING: Duration = Duration::from_secs(24 * 60 * 60);
/// The bounds of both: below are only servers of one's own, above one may as well forget it.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30 * 24 * 60 * 60));
const SPILL_ITEMS_MAX: u64 = 100_000;
const VISITS_MAX: u64 = 64;
const DISK_FREE_MIB_MIN: u64 = 64;
const MIB: u64 = 1024 * 1024;
/// No file of settings is larger; what is was not meant to be one.
const FILE_BYTES_MAX: u64 = 16 * MIB;

/// A complete configuration.
#[derive(Debug)]
pub struct Config {
    pub fixed: Fixed,
    pub web: web::Settings,
    pub spill_items_max: u64,
    pub sources: BTreeMap<SourceName, Arc<SourceSettings>>,
    pub sinks: BTreeMap<String, Arc<SinkSettings>>,
}

/// What is decided at the start, and needs another one to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The directory that holds everything Tributary remembers.
    pub data: PathBuf,
    /// Where the status page is.
    pub listen: SocketAddr,
    /// How long visits and deliveries may finish after SIGTERM.
    pub drain: Duration,
    /// Visits at the same time.
    pub visits_max: usize,
    /// With less free space on the disk, nothing new is fetched.
    pub disk_free_min: u64,
}

/// One source, as configured.
#[derive(Debug)]
pub struct SourceSettings {
    pub name: SourceName,
    pub kind: &'static str,
    pub pace: Pace,
    /// The sinks that its items go to. `None`: all there are when they come in.
    pub to: Option<Vec<String>>,
    pub visit: Box<dyn Visit>,
    /// A digest of everything it was made from.
    pub fingerprint: String,
}

/// How often a source may be visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub floor: Duration,
    pub ceiling: Duration,
}

/// One sink, as configured.
#[derive(Debug)]
pub struct SinkSettings {
    pub name: String,
    pub kind: &'static str,
    pub target: sinks::Target,
    /// A digest of everything it was made from.
    pub fingerprint: String,
}

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}{}", path.display(), remedy(source))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} has more than {} MiB; that is no file of settings", path.display(), FILE_BYTES_MAX / MIB)]
    TooLarge { path: PathBuf },
    #[error("{}: the file is empty; write into it what is to be in force, or stop Tributary", path.display())]
    Empty { path: PathBuf },
    /// Without the line itself, in which there may be a secret.
    #[error("{}: line {line}: {message}", path.display())]
    NotToml { path: PathBuf, line: usize, message: String },
    #[error("{}", Faults { path, wrongs })]
    Wrong { path: PathBuf, wrongs: Vec<Wrong> },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "\nName another file with --config, or begin one with `tributary add https://example.org/feed.xml`."
        }
        _ => "",
    }
}

/// One line for each fault.
struct Faults<'a> {
    path: &'a Path,
    wrongs: &'a [Wrong],
}

impl fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, wrong) in self.wrongs.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{}: {wrong}", self.path.display())?;
        }
        Ok(())
    }
}

impl Config {
    /// How much is in it, in words.
    pub(crate) fn summary(&self) -> String {
        let counted =
            |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        format!("{}, {}", counted(self.sources.len(), "source"), counted(self.sinks.len(), "sink"))
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is no TOML, or says what is wrong; then everything that is.
    pub fn load(path: &Path, kinds: &[&'static dyn Kind]) -> Result<Self, Error> {
        let text = read_text(path)?;
        Self::parse(path, &text, kinds)
    }

    /// Reads the text of the file that stands at `path`.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn parse(path: &Path, text: &str, kinds: &[&'static dyn Kind]) -> Result<Self, Error> {
        read::config(path, text, kinds)
    }
}

/// The text of a file of settings.
///
/// # Errors
///
/// When it cannot be read, or is too large to be one.
pub fn read_text(path: &Path) -> Result<String, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    if fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(Error::TooLarge { path: path.to_owned() });
    }
    fs::read_to_string(path).map_err(unreadable)
}

/// Refuses a text without any setting, to which a running daemon does not change: more likely than that everything is to end,
/// somebody is about to write it.
///
/// # Errors
///
/// When there are only blank lines and comments.
pub fn refuse_empty(path: &Path, text: &str) -> Result<(), Error> {
    let says_nothing = |line: &str| matches!(line.trim().chars().next(), None | Some('#'));
    if text.lines().all(says_nothing) {
        return Err(Error::Empty { path: path.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
