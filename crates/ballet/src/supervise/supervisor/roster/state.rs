//! One child in the books: its state, and what is counted of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Answer;
use crate::job::Job;
use crate::supervise::supervisor::incident::Incident;
use crate::supervise::supervisor::spec::Terms;
use crate::supervise::supervisor::status::{ChildState, ChildStatus};

pub(super) struct Child<E> {
    pub(super) terms: Terms,
    pub(super) state: State,
    /// How many lives were begun.
    pub(super) lives: u32,
    pub(super) begun: Instant,
    pub(super) ready_at: Option<Instant>,
    /// This life was not ready in time, which is an incident whatever becomes of the child.
    pub(super) is_late: bool,
    /// Failures since the last healthy life.
    pub(super) failures: u32,
    /// The last life.
    pub(super) job: Option<Job>,
    pub(super) last: Option<Arc<Incident<E>>>,
    pub(super) wishes: Vec<Wish<E>>,
}

/// Who waits for what to become of a child.
pub(super) struct Wish<E> {
    pub(super) to_be: ToBe,
    pub(super) answer: Answer<E>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ToBe {
    /// Ready, and otherwise forgotten.
    New,
    Ready,
    Down,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It ended by itself, and may be started again with its group.
    Done,
    /// It was stopped, and is started again only by whoever asks for it.
    Stopped,
    /// To be started then.
    Due(Instant),
    /// To be started in its turn.
    InLine,
    /// Begun; it has to be ready then.
    Starting(Instant),
    Up,
    /// To be asked to end in its turn.
    InSweep(Then),
    /// Asked to end; to be named then, or never.
    Stopping(Option<Instant>, Then),
    /// Asked to end, and named because it did not.
    Named(Then),
}

/// What becomes of a child that has been stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Stopped,
    Forgotten,
    InLine,
    /// It is started again at once.
    Started,
    /// It was late, and the rules decide.
    Failed,
}

impl State {
    pub(super) fn timer(self) -> Option<Instant> {
        match self {
            State::Due(at) | State::Starting(at) => Some(at),
            State::Stopping(at, _) => at,
            _ => None,
        }
    }

    pub(super) fn is_alive(self) -> bool {
        match self {
            State::Done | State::Stopped | State::Due(_) | State::InLine => false,
            State::Starting(_) | State::Up | State::InSweep(_) | State::Stopping(..) | State::Named(_) => {
                true
            }
        }
    }

    /// The same where no start that was planned takes place.
    pub(super) fn without_start(self) -> Self {
        match self {
            State::Due(_) | State::InLine => State::Stopped,
            State::InSweep(then) => State::InSweep(then.without_start()),
            State::Stopping(at, then) => State::Stopping(at, then.without_start()),
            State::Named(then) => State::Named(then.without_start()),
            State::Done | State::Stopped | State::Starting(_) | State::Up => self,
        }
    }

    /// Neither alive nor about to be.
    pub(super) fn is_down(self) -> bool {
        matches!(self, State::Done | State::Stopped)
    }
}

impl Then {
    fn without_start(self) -> Self {
        match self {
            Then::InLine | Then::Started => Then::Stopped,
            Then::Stopped | Then::Forgotten | Then::Failed => self,
        }
    }

    /// Once it is to be forgotten, it is.
    pub(super) fn or_further(self, then: Self) -> Self {
        if self == Then::Forgotten { self } else { then }
    }

    pub(super) fn with_start(self) -> Self {
        if self == Then::InLine { self } else { Then::Started }
    }

    /// What is to be started anyway waits for its group; what has failed becomes what its group becomes.
    pub(super) fn with_group(self, then: Self) -> Self {
        if self == Then::Failed { then } else { Then::InLine }
    }
}

impl<E> Child<E> {
    pub(super) fn restarts(&self) -> u32 {
        self.lives.saturating_sub(1)
    }

    /// Where it is, as it is shown; the line may be held until a time.
    pub(super) fn public_state(&self, line_held: Option<Instant>) -> ChildState {
        match self.state {
            State::Done | State::Stopped => ChildState::Down,
            State::Due(at) => ChildState::Waiting(at),
            State::InLine => line_held.map_or(ChildState::Queued, ChildState::Waiting),
            State::Starting(_) => ChildState::Starting,
            State::Up => ChildState::Up,
            State::InSweep(_) | State::Stopping(..) | State::Named(_) => ChildState::Stopping,
        }
    }

    pub(super) fn status(&self, line_held: Option<Instant>) -> ChildStatus<E> {
        ChildStatus {
            name: self.terms.name.to_string(),
            restart: self.terms.restart,
            is_significant: self.terms.is_significant,
            state: self.public_state(line_held),
            restarts: self.restarts(),
            job: self.job.clone(),
            last: self.last.clone(),
        }
    }

    /// Draws the delay before the next life.
    pub(super) fn next_delay(&mut self, now: Instant) -> Duration {
        let backoff = self.terms.backoff;
        let ready_for = self.ready_at.map(|at| now.duration_since(at));
        if ready_for.is_some_and(|life| backoff.is_healthy(life)) {
            self.failures = 0;
        }
        let delay = backoff.delay(self.failures);
        self.failures = self.failures.saturating_add(1);
        delay
    }
}
