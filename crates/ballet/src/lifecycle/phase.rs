//! The phases of a stage, and those who wait for them.

use std::fmt;

use tokio::sync::watch;

use super::component::{Cast, OfTurn};
use crate::context::Key;
use crate::job::current;

/// Where a [`Stage`](crate::Stage) is in its life. Phases only move forward.
///
/// # Examples
///
/// ```
/// use ballet::Phase;
///
/// assert!(Phase::Running < Phase::Draining);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Its body starts the parts of the program, and has not returned yet.
    Starting,
    /// It runs, and is ready for work.
    Running,
    /// It takes no new work and finishes what it has.
    Draining,
    /// Jobs that are left have been cancelled.
    Cancelling,
    /// All jobs have ended or are given up; finalizers run.
    Finalizing,
    /// It has ended.
    Ended,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Starting => "start",
            Phase::Running => "run",
            Phase::Draining => "drain",
            Phase::Cancelling => "cancel",
            Phase::Finalizing => "finalize",
            Phase::Ended => "end",
        })
    }
}

/// A view of a stage's phase for code that is not one of its jobs, such as a request handler, and the means to ask
/// it to end.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::{Phase, Stage};
///
/// let stage = Stage::new();
/// let phases = stage.phases();
/// assert!(!phases.is_ready()); // it starts
/// let curtain = stage
///     .run(async |s: ballet::Scope| {
///         let phases = phases.clone();
///         s.spawn(async move {
///             phases.reached(Phase::Running).await;
///             phases.shut_down();
///             Ok(ballet::draining().await)
///         });
///         Ok(())
///     })
///     .await;
/// assert_eq!(phases.current(), Phase::Ended);
/// assert!(!curtain.is_lossy());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Phases {
    phase: watch::Sender<Phase>,
    /// How often somebody asked: each one ends the phase that is on.
    asked: watch::Sender<u32>,
    pub(super) cast: Cast,
}

/// Finds, in the context of its jobs, the phases of the stage.
pub(super) struct OfStage;

impl Key for OfStage {
    type Value = Phases;
}

impl Phases {
    pub(super) fn new() -> Self {
        let phase = watch::Sender::new(Phase::Starting);
        Self { phase, asked: watch::Sender::new(0), cast: watch::Sender::new(Vec::new()) }
    }

    /// The phase now.
    #[must_use]
    pub fn current(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Whether the stage is ready for new work: what `/readyz` should say. It is from the moment at which its body
    /// has returned, or says so with [`open`](Self::open), until it drains.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.current() == Phase::Running
    }

    /// Says that the stage is ready though its body goes on; a body that returns says it by returning. Later than that it
    /// says nothing.
    pub fn open(&self) {
        self.phase.send_if_modified(|phase| {
            let starting = *phase == Phase::Starting;
            if starting {
                *phase = Phase::Running;
            }
            starting
        });
    }

    /// Waits until the stage has come to `phase` or further.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub async fn reached(&self, phase: Phase) {
        // The sender is in `self`, so the channel cannot close.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// Asks the stage to end, as SIGTERM does. A second call skips ahead to the next phase, as a second signal does.
    pub fn shut_down(&self) {
        self.asked.send_modify(|times| *times += 1);
    }

    /// Waits for the `nth` time that somebody asks, counted from 1.
    pub(super) async fn asked(&self, nth: u32) {
        // The sender is in `self`, so the channel cannot close.
        let _ = self.asked.subscribe().wait_for(|times| *times >= nth).await;
    }

    pub(super) fn times(&self) -> u32 {
        *self.asked.borrow()
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }
}

/// Waits until the stage around this code begins to drain; in a [component](crate::component), until its turn comes.
/// Outside every stage it never ends.
///
/// # Cancel safety
///
/// Dropping it loses nothing.
///
/// # Examples
///
/// A server that stops taking connections:
///
/// ```no_run
/// # async fn serve(until: impl Future<Output = ()>) -> Result<(), ballet::Error> { Ok(until.await) }
/// #[ballet::main]
/// async fn main(s: ballet::Scope) -> Result<(), ballet::Error> {
///     s.named("http").spawn(serve(ballet::draining()));
///     Ok(())
/// }
/// ```
pub async fn draining() {
    let values = current().values();
    match (values.get::<OfTurn>(), values.get::<OfStage>()) {
        (Some(turn), _) => turn.comes().await,
        (None, Some(phases)) => phases.reached(Phase::Draining).await,
        (None, None) => std::future::pending().await,
    }
}
