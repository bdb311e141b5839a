//! What can be seen of a supervisor's children from outside.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use super::incident::Incident;
use super::spec::Restart;
use crate::job::{Error, Job};

/// Where a supervised child is.
///
/// # Examples
///
/// See [`Children`](crate::Children).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildState {
    /// To be started when those before it are ready.
    Queued,
    /// To be started at this time, in Tokio's time.
    Waiting(Instant),
    /// Started, and not ready yet.
    Starting,
    /// Ready.
    Up,
    /// To be stopped, or asked to end and not gone yet.
    Stopping,
    /// Without a life, and none is planned.
    Down,
}

impl fmt::Display for ChildState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChildState::Queued => f.write_str("queued"),
            ChildState::Waiting(at) => {
                write!(f, "starts again in {:.1?}", at.saturating_duration_since(Instant::now()))
            }
            ChildState::Starting => f.write_str("starting"),
            ChildState::Up => f.write_str("up"),
            ChildState::Stopping => f.write_str("stopping"),
            ChildState::Down => f.write_str("down"),
        }
    }
}

/// One supervised child as it was when somebody looked.
///
/// # Examples
///
/// See [`Children`](crate::Children).
#[non_exhaustive]
pub struct ChildStatus<E = Error> {
    /// Its name.
    pub name: String,
    /// When it is started again.
    pub restart: Restart,
    /// Whether the supervisor closes when it ends by itself.
    pub is_significant: bool,
    /// Where it is.
    pub state: ChildState,
    /// How often it was started again.
    pub restarts: u32,
    /// The job that is its last life; [cancelling](Job::cancel) it ends that life.
    pub job: Option<Job>,
    /// What happened to it last that should not have.
    pub last: Option<Arc<Incident<E>>>,
}

impl<E> fmt::Display for ChildStatus<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}), {} restarts: {}", self.name, self.restart, self.restarts, self.state)
    }
}

impl<E: fmt::Debug> fmt::Debug for ChildStatus<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        self.last.iter().try_for_each(|incident| write!(f, "; last {incident:?}"))
    }
}

/// How many children of a supervisor are where: all figures of the same moment.
///
/// # Examples
///
/// See [`Children`](crate::Children).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Census {
    /// Ready.
    pub up: usize,
    /// In line, waiting for their backoff, or begun and not ready yet.
    pub starting: usize,
    /// To be stopped, or asked to end and not gone yet.
    pub stopping: usize,
    /// Without a life, and none is planned.
    pub down: usize,
}

impl Census {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        self.up + self.starting + self.stopping + self.down
    }

    pub(super) fn count(&mut self, state: ChildState) {
        *match state {
            ChildState::Up => &mut self.up,
            ChildState::Queued | ChildState::Waiting(_) | ChildState::Starting => &mut self.starting,
            ChildState::Stopping => &mut self.stopping,
            ChildState::Down => &mut self.down,
        } += 1;
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} up, {} starting, {} stopping, {} down",
            self.up, self.starting, self.stopping, self.down
        )
    }
}
