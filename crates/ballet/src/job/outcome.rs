//! How a job ended.

use std::fmt;
use std::panic::Location;

use super::{Error, Panic, Reason};
use crate::context::Path;
use crate::observe::State;

/// What an error type of a scope must be: shown in logs, and moved between threads.
///
/// Implemented for every such type; there is nothing to write.
pub trait Fault: fmt::Debug + Send + Sync + 'static {}

impl<E: fmt::Debug + Send + Sync + 'static> Fault for E {}

/// How a job ended: with a value, an error, a cancellation or a panic.
///
/// `Cancelled` and `Panicked` stand beside the error and not inside it, so code that handles an `E` cannot handle
/// them by accident.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Outcome, SupervisorScope};
///
/// ballet::supervisor_scope(async |s: SupervisorScope<String>| {
///     let tailor = s.named("tailor").spawn(async { Err::<(), _>("no thread left".to_owned()) });
///     match tailor.outcome().await {
///         Outcome::Err(error) => assert_eq!(error, "no thread left"),
///         other => panic!("{other:?}"),
///     }
///     Ok(())
/// })
/// .await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub enum Outcome<T, E = Error> {
    /// It returned a value.
    Ok(T),
    /// It returned an error.
    Err(E),
    /// It was cancelled before it returned.
    Cancelled(Reason),
    /// It panicked.
    Panicked(Panic),
}

impl<T, E> Outcome<T, E> {
    pub(crate) fn state(&self) -> State {
        match self {
            Outcome::Ok(_) => State::Completed,
            Outcome::Err(_) => State::Failed,
            Outcome::Cancelled(_) => State::Cancelled,
            Outcome::Panicked(_) => State::Panicked,
        }
    }
}

/// Why a job or a scope has no value: its error, its cancellation or its panic, with the job's path and place of
/// birth, and whatever else failed while the rest was being ended.
///
/// What [`scope`](crate::scope) and [`supervisor_scope`](crate::supervisor_scope) return, and what awaiting a child
/// under a supervisor gives. It is a `std::error::Error` where `E` can be displayed, so `?` takes it into
/// [`Error`], `anyhow::Error` or `Box<dyn Error>`; an error type of your own takes it through one
/// `impl From<Failure<MyError>> for MyError`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::Scope;
///
/// let failure = ballet::scope(async |s: Scope<&'static str>| {
///     s.named("tailor").spawn(async { Err::<(), _>("no thread left") });
///     Ok(())
/// })
/// .await
/// .unwrap_err();
///
/// assert_eq!(failure.error(), Some(&"no thread left"));
/// assert_eq!(failure.path().to_string(), "tailor");
/// assert_eq!(failure.to_string(), "tailor: no thread left");
/// # }
/// ```
pub struct Failure<E = Error> {
    cause: Cause<E>,
    path: Path,
    place: &'static Location<'static>,
    suppressed: Vec<Failure<E>>,
}

enum Cause<E> {
    Err(E),
    Cancelled(Reason),
    Panicked(Panic),
}

impl<E> Failure<E> {
    pub(crate) fn err(error: E, path: Path, place: &'static Location<'static>) -> Self {
        Self { cause: Cause::Err(error), path, place, suppressed: Vec::new() }
    }

    pub(crate) fn cancelled(reason: Reason, path: Path, place: &'static Location<'static>) -> Self {
        Self { cause: Cause::Cancelled(reason), path, place, suppressed: Vec::new() }
    }

    pub(crate) fn panicked(panic: Panic) -> Self {
        let (path, place) = (panic.path().clone(), panic.place());
        Self { cause: Cause::Panicked(panic), path, place, suppressed: Vec::new() }
    }

    pub(crate) fn with_suppressed(mut self, suppressed: Vec<Failure<E>>) -> Self {
        self.suppressed = suppressed;
        self
    }

    /// The error, where that is why.
    #[must_use]
    pub fn error(&self) -> Option<&E> {
        match &self.cause {
            Cause::Err(error) => Some(error),
            Cause::Cancelled(_) | Cause::Panicked(_) => None,
        }
    }

    /// The error by value.
    ///
    /// # Errors
    ///
    /// Gives itself back unchanged where the cause is a cancellation or a panic.
    pub fn into_error(self) -> Result<E, Self> {
        match self.cause {
            Cause::Err(error) => Ok(error),
            cause => Err(Self { cause, ..self }),
        }
    }

    /// The reason of the cancellation, where that is why.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        match &self.cause {
            Cause::Cancelled(reason) => Some(reason),
            Cause::Err(_) | Cause::Panicked(_) => None,
        }
    }

    /// The panic, where that is why. A panic reaches here only under a supervisor; a `scope` resumes it.
    #[must_use]
    pub fn panic(&self) -> Option<&Panic> {
        match &self.cause {
            Cause::Panicked(panic) => Some(panic),
            Cause::Err(_) | Cause::Cancelled(_) => None,
        }
    }

    /// Goes on unwinding where the cause is a panic; gives itself back where it is not.
    pub(crate) fn resume_panic(self) -> Self {
        match self.cause {
            Cause::Panicked(panic) => panic.resume(),
            cause => Self { cause, ..self },
        }
    }

    /// Whether the cause is a cancellation.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.reason().is_some()
    }

    /// Whether the cause is a panic.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.panic().is_some()
    }

    /// The path of the job that failed.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where that job was spawned.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// What failed after the first failure, while the rest was being ended; in the order in which it failed.
    /// Cancellations are never listed.
    #[must_use]
    pub fn suppressed(&self) -> &[Failure<E>] {
        &self.suppressed
    }

    fn describe(
        &self,
        f: &mut fmt::Formatter<'_>,
        error: impl FnOnce(&E, &mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        if !self.path.is_root() {
            write!(f, "{}: ", self.path)?;
        }
        match &self.cause {
            Cause::Err(cause) => error(cause, f)?,
            Cause::Cancelled(reason) => write!(f, "cancelled: {reason}")?,
            Cause::Panicked(panic) => write!(f, "{panic} (spawned at {})", self.place)?,
        }
        match self.suppressed.len() {
            0 => Ok(()),
            count => write!(f, " (and {count} more)"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The alternate form, because `source` cannot show the chain of an `E` that is only `Display`.
        self.describe(f, |error, f| write!(f, "{error:#}"))
    }
}

impl<E: fmt::Debug> fmt::Debug for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f, |error, f| write!(f, "{error:?}"))?;
        self.suppressed.iter().try_for_each(|failure| write!(f, "\n  also {failure:?}"))
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for Failure<E> {}
