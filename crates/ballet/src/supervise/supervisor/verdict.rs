//! How a supervisor ends: with a report, or with an escalation.

use std::fmt;
use std::sync::Arc;

use super::incident::{History, Incident};
use super::window::Intensity;
use crate::context::Path;
use crate::job::{Error, Reason};

/// Why a supervisor closed that did not give up.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Closing, Supervisor};
///
/// let report = Supervisor::one_for_one().run().await?;
/// assert!(matches!(report.closing(), Closing::Idle)); // no child was left
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Closing {
    /// No child is left that lives or is to be started, and it was not told to [stay](crate::Supervisor::keep_open).
    Idle,
    /// A significant child ended by itself: the one of this name, as the last one where all had to.
    Significant(String),
    /// It was told to stop, by [`Children::stop`](crate::Children::stop) or the signal of
    /// [`stop_when`](crate::Supervisor::stop_when).
    Stopped,
    /// The job, scope or timeout that it ran in was cancelled.
    Cancelled(Reason),
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Closing::Idle => f.write_str("no child was left"),
            Closing::Significant(name) => write!(f, "the significant child `{name}` ended"),
            Closing::Stopped => f.write_str("it was told to stop"),
            Closing::Cancelled(reason) => write!(f, "it was cancelled: {reason}"),
        }
    }
}

/// What a supervisor has to tell when it has closed and all its children have ended.
///
/// # Examples
///
/// See [`Supervisor`](crate::Supervisor).
#[must_use = "it tells why the supervisor closed, and what its children died of"]
pub struct Report<E = Error> {
    closing: Closing,
    incidents: Vec<Arc<Incident<E>>>,
    forgotten: u64,
    restarts: u64,
}

impl<E> Report<E> {
    pub(super) fn new(closing: Closing, mut history: History<E>) -> Self {
        let incidents = history.take();
        Self { closing, incidents, forgotten: history.forgotten, restarts: history.restarts }
    }

    /// Why it closed.
    #[must_use]
    pub fn closing(&self) -> &Closing {
        &self.closing
    }

    /// How often a child was started again because it had ended.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// The last incidents, oldest first; at most [`INCIDENTS_KEPT`](crate::INCIDENTS_KEPT).
    #[must_use]
    pub fn incidents(&self) -> &[Arc<Incident<E>>] {
        &self.incidents
    }

    /// How many incidents there were before those.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

impl<E> fmt::Display for Report<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let incidents = self.incidents.len() as u64 + self.forgotten;
        write!(f, "{} ({incidents} incidents, {} restarts)", self.closing, self.restarts)
    }
}

impl<E: fmt::Debug> fmt::Debug for Report<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        list(f, &self.incidents)
    }
}

/// A supervisor gave up: a child did not start, or children had to be restarted too often. With everything that led to
/// it.
///
/// All its other children have been stopped. It is a `std::error::Error` where `E` can be displayed, so `?` takes it
/// into [`Error`]. Its `Display` is one line; its `Debug` lists the history.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use ballet::{Error, Life, Supervisor, child};
/// use std::time::Duration;
///
/// let feed = child("feed").run(async |life: Life| {
///     life.ready();
///     tokio::time::sleep(Duration::from_secs(2)).await;
///     Err(Error::msg("connection reset"))
/// });
/// let supervisor = Supervisor::one_for_one().intensity(1, Duration::from_secs(60));
/// let escalation = supervisor.child(feed).on_incident(|_| {}).run().await.unwrap_err();
/// assert_eq!(
///     escalation.to_string(),
///     "too many restarts, 1 allowed within 60s: feed: connection reset (restart 1, lived 2s)",
/// );
/// assert_eq!(escalation.incidents().len(), 2);
/// # }
/// ```
pub struct Escalation<E = Error> {
    path: Path,
    why: Why,
    last: Arc<Incident<E>>,
    incidents: Vec<Arc<Incident<E>>>,
    forgotten: u64,
}

/// Why a supervisor gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// A child's first life failed before it was ready.
    NotStarted,
    TooManyRestarts(Intensity),
}

impl<E> Escalation<E> {
    pub(super) fn new(path: Path, why: Why, last: Arc<Incident<E>>, mut history: History<E>) -> Self {
        let incidents = history.take();
        Self { path: path.written(), why, last, incidents, forgotten: history.forgotten }
    }

    /// The path of the job that the supervisor ran in.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the supervisor gave up for.
    #[must_use]
    pub fn last(&self) -> &Incident<E> {
        &self.last
    }

    /// Whether a child did not become ready when the supervisor started; otherwise there were too many restarts.
    #[must_use]
    pub fn is_not_started(&self) -> bool {
        self.why == Why::NotStarted
    }

    /// The last incidents, oldest first; at most [`INCIDENTS_KEPT`](crate::INCIDENTS_KEPT). What failed while the
    /// others were being stopped comes after [`last`](Self::last).
    #[must_use]
    pub fn incidents(&self) -> &[Arc<Incident<E>>] {
        &self.incidents
    }

    /// How many incidents there were before those.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_root() {
            write!(f, "{}: ", self.path)?;
        }
        match self.why {
            Why::NotStarted => f.write_str("a child did not start: "),
            Why::TooManyRestarts(Intensity { restarts, within }) => {
                write!(f, "too many restarts, {restarts} allowed within {within:?}: ")
            }
        }
    }
}

impl<E: fmt::Display> fmt::Display for Escalation<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)?;
        write!(f, "{}", self.last)
    }
}

impl<E: fmt::Debug> fmt::Debug for Escalation<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)?;
        write!(f, "{:?}", self.last)?;
        list(f, &self.incidents)
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for Escalation<E> {}

fn list<E: fmt::Debug>(f: &mut fmt::Formatter<'_>, incidents: &[Arc<Incident<E>>]) -> fmt::Result {
    incidents.iter().try_for_each(|incident| write!(f, "\n  {incident:?}"))
}
