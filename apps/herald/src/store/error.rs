//! Why the store could not do what it was asked.

pub use ledger::{Error, OpenError};

/// Why a notification was not accepted. Nothing of it was stored, except perhaps after [`AcceptError::Failed`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum AcceptError {
    /// The idempotency key came before, with another body.
    #[error("the idempotency key was used before, with another body")]
    KeyReused,
    /// Its `expires_at` has passed.
    #[error("the deadline has passed")]
    Overdue,
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
