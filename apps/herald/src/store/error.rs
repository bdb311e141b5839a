//! Why the store could not do what it was asked.

use std::{io, path::PathBuf, sync::Arc};

/// Why a directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else holds it.
    #[error(
        "{} is in use by another Herald{}; stop that one, or choose another directory with --data",
        directory.display(),
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Locked { directory: PathBuf, pid: Option<u32> },
    /// It was written by a later version of Herald.
    #[error("{} has the schema {found}, and this Herald knows only up to {known}; run a newer one", path.display())]
    TooNew { path: PathBuf, found: i64, known: i64 },
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("cannot open {}: {source}", path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
}

/// Why a read or a write did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There was no room for it. Nothing changed, and the store goes on.
    #[error("the disk is full")]
    DiskFull,
    /// The store was closed, or closed itself when a commit failed.
    #[error("the store is closed")]
    Closed,
    /// SQLite refused. If it was the disk that failed, nobody knows whether the change is durable, and the store
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

/// Why a notification was not accepted. Nothing of it was stored, except perhaps after [`AcceptError::Failed`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum AcceptError {
    /// The idempotency key came before, with another body.
    #[error("the idempotency key was used before, with another body")]
    KeyReused,
    /// The disk is full, or has less free space than its floor.
    #[error("the disk is full")]
    DiskFull,
    #[error("the store is closed")]
    Closed,
    #[error(transparent)]
    Failed(Error),
}

impl From<Error> for AcceptError {
    fn from(error: Error) -> Self {
        match error {
            Error::DiskFull => Self::DiskFull,
            Error::Closed => Self::Closed,
            failed @ Error::Failed(_) => Self::Failed(failed),
        }
    }
}

/// Why a write after the claim was refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// The delivery is not, or no longer, held by this epoch in the state that the write needs.
    #[error("the delivery is no longer held by this process")]
    Fenced,
    #[error(transparent)]
    Failed(#[from] Error),
}
