//! What went wrong under a supervisor: one incident for each end of a child that was not as it should be, and the
//! history of them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::context::Path;
use crate::job::{Error, Failure, Fault};
use crate::observe::say;

/// Incidents that a supervisor keeps. Of earlier ones it knows only how many there were.
pub const INCIDENTS_KEPT: usize = 256;

/// A child of a supervisor ended, and not as it should have: which, when, why, and what became of it.
///
/// Each incident reaches the supervisor's [`on_incident`](crate::Supervisor::on_incident) sink exactly once, or is
/// given to whoever asked for the start that failed. Its `Display` is one line.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Error, Life, Supervisor, child};
///
/// let feed = child("feed").temporary().run(async |life: Life| {
///     life.ready();
///     Err(Error::msg("connection reset"))
/// });
/// let report = Supervisor::one_for_one().child(feed).on_incident(|_| {}).run().await?;
/// let incident = &report.incidents()[0];
/// assert_eq!((incident.child(), incident.restarts()), ("feed", 0));
/// assert_eq!(incident.failure().map(|failure| failure.to_string()).as_deref(), Some("feed: connection reset"));
/// assert!(incident.restarts_after().is_none());
/// # Ok(()) }
/// ```
pub struct Incident<E = Error> {
    pub(super) child: String,
    pub(super) path: Path,
    pub(super) restarts: u32,
    pub(super) at: Instant,
    pub(super) lived: Duration,
    pub(super) cause: Cause<E>,
    pub(super) consequence: Consequence,
}

/// Why a life is an incident.
pub(super) enum Cause<E> {
    Failed(Failure<E>),
    /// A permanent child returned, or returned before it was ready.
    Returned,
    /// It had not said that it was ready when this time was over, and may have failed while it was stopped for that.
    NotReady(Duration, Option<Failure<E>>),
}

/// What a supervisor made of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    Restarts(Duration),
    /// It was not to be restarted.
    Stays,
    /// It was being stopped.
    WasStopping,
    /// Somebody had asked for this life, and is told.
    Told,
    Escalates,
}

impl<E> Incident<E> {
    /// The child's name.
    #[must_use]
    pub fn child(&self) -> &str {
        &self.child
    }

    /// The path of the job that was this life of the child.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many lives of the child there were before this one.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// When it ended, in Tokio's time.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.at
    }

    /// How long it had lived, from its start on.
    #[must_use]
    pub fn lived(&self) -> Duration {
        self.lived
    }

    /// How the child failed. `None` where it returned though it should have gone on, and where it was not ready in
    /// time and then ended as it was asked to.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure<E>> {
        match &self.cause {
            Cause::Failed(failure) => Some(failure),
            Cause::NotReady(_, failure) => failure.as_ref(),
            Cause::Returned => None,
        }
    }

    /// Whether the child was stopped because it had not said in time that it was ready.
    #[must_use]
    pub fn is_not_ready(&self) -> bool {
        matches!(self.cause, Cause::NotReady(..))
    }

    /// After which delay the child is started again, if it is.
    #[must_use]
    pub fn restarts_after(&self) -> Option<Duration> {
        match self.consequence {
            Consequence::Restarts(delay) => Some(delay),
            _ => None,
        }
    }

    /// Whether the supervisor gave up because of it.
    #[must_use]
    pub fn escalates(&self) -> bool {
        self.consequence == Consequence::Escalates
    }

    /// Why it ended, and of what life it was.
    fn describe(
        &self,
        f: &mut fmt::Formatter<'_>,
        failure: impl FnOnce(&Failure<E>, &mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        match &self.cause {
            Cause::Failed(cause) => failure(cause, f)?,
            Cause::Returned => write!(f, "{}: returned, and should have gone on", self.path)?,
            Cause::NotReady(budget, cause) => {
                write!(f, "{}: was not ready within {budget:?}", self.path)?;
                if let Some(cause) = cause {
                    f.write_str(", and was stopped: ")?;
                    failure(cause, f)?;
                }
            }
        }
        f.write_str(" (")?;
        if self.restarts > 0 {
            write!(f, "restart {}, ", self.restarts)?;
        }
        write!(f, "lived {:?}", self.lived)?;
        match self.consequence {
            Consequence::Restarts(Duration::ZERO) => f.write_str("; it starts again")?,
            Consequence::Restarts(delay) => write!(f, "; it starts again in {delay:?}")?,
            Consequence::Stays => f.write_str("; it is not started again")?,
            Consequence::WasStopping => f.write_str("; it was being stopped")?,
            Consequence::Told | Consequence::Escalates => {}
        }
        f.write_str(")")
    }
}

impl<E: fmt::Display> fmt::Display for Incident<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f, |failure, f| write!(f, "{failure}"))
    }
}

impl<E: fmt::Debug> fmt::Debug for Incident<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f, |failure, f| write!(f, "{failure:?}"))
    }
}

/// The default sink: one `tracing` error with the path of the life that ended.
pub(super) fn report<E: Fault>(incident: &Incident<E>) {
    say(|| {
        tracing::error!(target: "ballet", path = %incident.path, "a supervised child ended: {incident:?}");
    });
}

/// What happened under one run of a supervisor.
pub(super) struct History<E> {
    kept: VecDeque<Arc<Incident<E>>>,
    /// How many incidents were kept once and are no longer.
    pub(super) forgotten: u64,
    /// How many restarts followed from them.
    pub(super) restarts: u64,
}

impl<E> History<E> {
    pub(super) fn new() -> Self {
        Self { kept: VecDeque::new(), forgotten: 0, restarts: 0 }
    }

    /// Keeps an incident, and gives the one that is no longer kept.
    pub(super) fn enter(&mut self, incident: Arc<Incident<E>>) -> Option<Arc<Incident<E>>> {
        self.restarts += u64::from(incident.restarts_after().is_some());
        let is_full = self.kept.len() == INCIDENTS_KEPT;
        self.forgotten += u64::from(is_full);
        let forgotten = if is_full { self.kept.pop_front() } else { None };
        self.kept.push_back(incident);
        forgotten
    }

    /// The incidents that are kept, oldest first.
    pub(super) fn take(&mut self) -> Vec<Arc<Incident<E>>> {
        std::mem::take(&mut self.kept).into()
    }
}
