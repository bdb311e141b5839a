//! Why the ledger could not do what it was asked.

use std::{io, path::PathBuf, sync::Arc};

/// Why a directory could not be opened. Applications call it `data`, on the command line or in a file; each says where.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else holds it.
    #[error(
        "{} is in use by another {application}{}; stop that one, or choose another directory for `data`",
        directory.display(),
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Locked { directory: PathBuf, application: &'static str, pid: Option<u32> },
    /// It was written by a later version of the application.
    #[error("{} has the schema {found}, and this program knows only up to {known}; run a newer one", path.display())]
    TooNew { path: PathBuf, found: i64, known: i64 },
    /// SQLite's own check found a fault.
    #[error("{} is damaged: {verdict}", path.display())]
    Damaged { path: PathBuf, verdict: String },
    /// Something else has its name.
    #[error("{} is not a directory; choose another for `data`", path.display())]
    NotADirectory { path: PathBuf },
    /// A copy overwrites nothing.
    #[error("{} exists already; name another file, or remove this one", path.display())]
    Exists { path: PathBuf },
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("cannot open {}: {source}", path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
}

/// Why a read or a write did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There was no room for it. Nothing changed, and the ledger goes on.
    #[error("the disk is full")]
    DiskFull,
    /// It was closed, or closed itself when a commit failed.
    #[error("the store is closed")]
    Closed,
    /// SQLite refused. If it was the disk that failed, nobody knows whether the change is durable, and the ledger
    /// has closed itself.
    #[error("the database failed: {0}")]
    Failed(#[source] Arc<rusqlite::Error>),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            _ => Self::Failed(Arc::new(error)),
        }
    }
}
