//! Why a job was cancelled, by whom, where and when.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use tokio::time::Instant;

use crate::context::Path;

/// Why a job was cancelled.
///
/// A cancellation is not an error: no job ever sees its own as an `Err`, so nothing in it can catch, retry or swallow
/// it. It appears here, beside the outcome. The [`Failure`](crate::Failure) of a scope that was cancelled while its
/// caller was not is a value like any other, and `?` may take it into an error type; ask
/// [`is_cancelled`](crate::Failure::is_cancelled) first where the difference matters.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Reason, Scope};
///
/// let failure = ballet::scope(async |s: Scope| {
///     s.cancel();
///     std::future::pending::<Result<(), _>>().await
/// })
/// .await
/// .unwrap_err();
/// assert!(matches!(failure.reason(), Some(Reason::Requested(_))));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// Code of the program asked for it: [`Scope::cancel`](crate::Scope::cancel) or [`Job::cancel`](crate::Job::cancel).
    Requested(Origin),
    /// The body or another child of the same scope failed.
    SiblingFailed(Origin),
    /// A [`timeout`](crate::timeout) around it elapsed.
    Timeout(Origin),
    /// The job in which its scope was running was cancelled.
    ParentEnded(Origin),
    /// Its scope's future was dropped half-way: a losing arm of `select!`, a foreign timeout, a runtime shut down.
    /// Or, for a child that was not yet ready, the [`start`](crate::Scope::start) that waited for it.
    Dropped(Origin),
    /// The [`Stage`](crate::Stage) is being cleared.
    Shutdown(Origin),
}

/// Who cancelled, where in the code, and when.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// let failure = ballet::scope(async |s: ballet::Scope| {
///     s.cancel();
///     std::future::pending::<Result<(), _>>().await
/// })
/// .await
/// .unwrap_err();
/// let origin = failure.reason().expect("it was cancelled").origin();
/// assert!(origin.place().file().ends_with(".rs"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Origin(pub(super) Arc<Details>);

/// Shared by all whom one cancellation reaches. Aligned so that its address leaves three bits free on any machine, which
/// `asked` wants.
#[repr(align(8))]
pub(super) struct Details {
    path: Path,
    place: &'static Location<'static>,
    at: Instant,
}

impl Origin {
    /// Of the path only the names are kept: a node keeps its reason, so one that names the node's own code, or that
    /// of a child, would be a circle of references.
    pub(crate) fn new(path: Path, place: &'static Location<'static>) -> Self {
        Self(Arc::new(Details { path: path.written(), place, at: Instant::now() }))
    }

    /// The path of the job that cancelled.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The line that cancelled, or where the failing job was spawned.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.0.place
    }

    /// When it was cancelled, in Tokio's time.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.0.at
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.path(), self.place())
    }
}

impl Reason {
    /// Who cancelled, where and when.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        match self {
            Reason::Requested(origin)
            | Reason::SiblingFailed(origin)
            | Reason::Timeout(origin)
            | Reason::ParentEnded(origin)
            | Reason::Dropped(origin)
            | Reason::Shutdown(origin) => origin,
        }
    }

    /// The same origin, as the children of a scope see it whose surrounding job was cancelled for this reason.
    pub(crate) fn inherited(self) -> Reason {
        match self {
            Reason::Timeout(_) | Reason::Shutdown(_) => self,
            other => Reason::ParentEnded(other.origin().clone()),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self {
            Reason::Requested(_) => "requested",
            Reason::SiblingFailed(_) => "a sibling failed",
            Reason::Timeout(_) => "a timeout elapsed",
            Reason::ParentEnded(_) => "its parent ended",
            Reason::Dropped(_) => "its scope or its starter was dropped",
            Reason::Shutdown(_) => "shutdown",
        };
        write!(f, "{why}, by {} at {}", self.origin().path(), self.origin().place())
    }
}
