//! The life of a job, from its first poll to its end.
//!
//! ```text
//!             ask                    shield ends, grace is over, or neither was there
//!  Running ─────────▶ asked ─────────────────────────────────┐
//!     │ returns, panics │ returns, panics                     ▼
//!     └────────┬────────┘                              body is dropped
//!              ▼                                              │
//!          pronounce ◀────────────────────────────────────────┘   a failure reaches the scope: siblings are asked
//!              ▼
//!          childless?   no: wait for what the body left behind (adopted scopes)
//!              ▼ yes
//!             over      the outcome reaches the Deferred; the node leaves the tree; the owner is woken
//! ```

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context as Poller, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;
use tracing::Span;
use tracing::level_filters::LevelFilter;

use super::{Domain, Failure, Fault, NodeRef, Origin, Outcome, Owner, Panic, Reason};
use crate::dispatch::guest::Ref;
use crate::observe::{self, State};
use crate::sync::contain;

pin_project! {
    /// What a job has: first its body, in the end its outcome.
    #[project = StageView]
    #[project_replace = StageBefore]
    pub(super) enum Stage<F, T, E> {
        Dancing { #[pin] body: F },
        /// The body has ended. The outcome is `None` where the failure has gone to the scope, where a job was cancelled
        /// whose scope fails as a whole, and once it is taken.
        Over { outcome: Option<Outcome<T, E>>, state: State },
    }
}

/// What a poll of the body came to: a word that fits a register, since most polls are what they are about.
#[derive(Clone, Copy)]
enum Polled {
    Pending,
    /// It returned a value, which lies in its place.
    Gave,
    /// It failed or panicked, as [`Life::fell`] says.
    Fell,
}

impl<F, T, E> Stage<F, T, E> {
    fn is_dancing(&self) -> bool {
        matches!(self, Stage::Dancing { .. })
    }

    /// Whether the outcome is one that nobody has to be told of, and whose destructor does nothing.
    #[inline]
    pub(super) fn is_nothing_left(&self) -> bool {
        match self {
            Stage::Over { outcome: None, .. } => true,
            Stage::Over { outcome: Some(Outcome::Ok(_)), .. } => !std::mem::needs_drop::<T>(),
            Stage::Over { .. } | Stage::Dancing { .. } => false,
        }
    }

    /// Takes the outcome out.
    pub(super) fn take(self: Pin<&mut Self>) -> Option<Outcome<T, E>> {
        match self.project() {
            StageView::Dancing { .. } => None,
            StageView::Over { outcome, .. } => outcome.take(),
        }
    }
}

/// How a job is run, where that differs from the default; most jobs have no manner.
pub(crate) struct Manner {
    /// The `tracing` span of the code that spawned it; entered around every poll.
    span: Span,
    grace: Option<Grace>,
}

/// The time that a graceful child has from being asked to being dropped.
struct Grace {
    budget: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Manner {
    /// Whether there may be a span to ask for: whether any subscriber wants anything.
    pub(crate) fn is_traced() -> bool {
        LevelFilter::current() != LevelFilter::OFF
    }

    /// The manner of a job that is spawned here and now.
    pub(crate) fn here(grace: Option<Duration>) -> Option<Self> {
        let span = if Self::is_traced() { Span::current() } else { Span::none() };
        if span.is_none() && grace.is_none() {
            return None;
        }
        let grace = grace.map(|budget| Grace { budget, timer: None });
        Some(Self { span, grace })
    }
}

/// A job, as the holder of its turn sees it.
pub(super) struct Life<'a, F, T, E: Fault> {
    pub(super) node: &'a NodeRef,
    pub(super) owner: &'a Ref<Owner<E>>,
    /// `None` where there was none from the beginning.
    pub(super) manner: Option<&'a mut Option<Manner>>,
    pub(super) stage: Pin<&'a mut Stage<F, T, E>>,
    /// How the body failed or panicked in this poll, until that is pronounced.
    pub(super) fell: Option<Outcome<T, E>>,
}

impl<F, T, E> Life<'_, F, T, E>
where
    F: Future<Output = Result<T, E>>,
    E: Fault,
{
    /// Polls the job; ready when it is over and nothing is left of what its body began.
    #[inline]
    pub(super) fn poll(mut self, cx: &mut Poller<'_>) -> Poll<State> {
        self.node.note_poll();
        let _inside = self.node.stand_in();
        let polled = if self.is_plain() { Some(self.poll_body(cx)) } else { None };
        match polled {
            // What most polls are has met no code that is not the body's, and needs no second net.
            Some(Polled::Gave) if self.node.poll_childless().is_ready() => Poll::Ready(State::Completed),
            Some(Polled::Pending) if !self.node.is_asked() => Poll::Pending,
            polled => self.poll_with_care(cx, polled),
        }
    }

    /// Whether the next poll is one of the body and of nothing else.
    fn is_plain(&self) -> bool {
        let has_manner = self.manner.as_ref().is_some_and(|manner| manner.is_some());
        !has_manner && !self.node.is_asked() && self.stage.is_dancing()
    }

    #[inline(never)]
    fn poll_with_care(mut self, cx: &mut Poller<'_>, polled: Option<Polled>) -> Poll<State> {
        let stepped = catch_unwind(AssertUnwindSafe(|| self.step(cx, polled)));
        stepped.unwrap_or_else(|payload| Poll::Ready(self.collapse(payload)))
    }

    /// What is left to do of a poll, of which `polled` may have been done.
    fn step(&mut self, cx: &mut Poller<'_>, polled: Option<Polled>) -> Poll<State> {
        let _span = self.manner().map(|manner| manner.span.clone().entered());
        let state = match self.state() {
            Some(state) => state,
            None => ready!(self.dance(cx, polled)),
        };
        ready!(self.node.poll_childless());
        Poll::Ready(state)
    }

    /// Polls the body, unless that was done, or cuts it; ready with the state in which it ended.
    fn dance(&mut self, cx: &mut Poller<'_>, polled: Option<Polled>) -> Poll<State> {
        let polled = match polled {
            Some(polled) => polled,
            None if self.is_to_be_cut(cx) => return Poll::Ready(self.cut()),
            None => self.poll_body(cx),
        };
        match polled {
            Polled::Gave => {
                self.forget_manner();
                Poll::Ready(State::Completed)
            }
            Polled::Fell => {
                let outcome = self.fell.take();
                Poll::Ready(self.pronounce(outcome))
            }
            // It may have been asked while it was polled: this is its next yield.
            Polled::Pending if self.is_to_be_cut(cx) => Poll::Ready(self.cut()),
            Polled::Pending => Poll::Pending,
        }
    }

    /// Polls a dancing body. A value that it returns takes its place, once the body has been dropped where it lies.
    #[inline]
    fn poll_body(&mut self, cx: &mut Poller<'_>) -> Polled {
        let mut stage = self.stage.as_mut();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let StageView::Dancing { body } = stage.as_mut().project() else {
                unreachable!("only a dancing body is polled")
            };
            match body.poll(cx) {
                Poll::Pending => Polled::Pending,
                Poll::Ready(Err(error)) => {
                    self.fell = Some(Outcome::Err(error));
                    Polled::Fell
                }
                Poll::Ready(Ok(value)) => {
                    let (state, outcome) = (State::Completed, Some(Outcome::Ok(value)));
                    drop(stage.project_replace(Stage::Over { outcome, state }));
                    Polled::Gave
                }
            }
        }));
        polled.unwrap_or_else(|payload| {
            self.fell = Some(Outcome::Panicked(Panic::caught(payload, self.node)));
            Polled::Fell
        })
    }

    /// Ends the job before its time: a runtime that shuts down drops its jobs, and a local scope its children.
    pub(super) fn abandon(mut self) -> State {
        let state = catch_unwind(AssertUnwindSafe(|| self.give_up()));
        state.unwrap_or_else(|payload| self.collapse(payload))
    }

    fn give_up(&mut self) -> State {
        let _inside = self.node.stand_in();
        if let Some(state) = self.state() {
            return state;
        }
        if !self.node.is_asked() {
            self.node.ask(&Reason::Dropped(Origin::new(self.node.path(), self.node.place)));
        }
        self.cut()
    }

    /// Ends a job that panicked where its body did not: in a destructor of its outcome, a waker, a subscriber of
    /// `tracing`, a timer on a runtime that has none. Its lane must not fall with it.
    fn collapse(&mut self, payload: Box<dyn Any + Send>) -> State {
        let _inside = self.node.stand_in();
        let panic = Panic::caught(payload, self.node);
        contain(|| {
            self.pronounce(Some(Outcome::Panicked(panic)));
        });
        self.state().unwrap_or(State::Panicked)
    }

    fn manner(&mut self) -> Option<&mut Manner> {
        self.manner.as_mut().and_then(|manner| manner.as_mut())
    }

    /// The state in which it ended, once the body has.
    fn state(&mut self) -> Option<State> {
        match self.stage.as_mut().project() {
            StageView::Dancing { .. } => None,
            StageView::Over { state, .. } => Some(*state),
        }
    }

    /// Whether the body is to be dropped now: asked to end, not shielded, and without grace that is left.
    fn is_to_be_cut(&mut self, cx: &mut Poller<'_>) -> bool {
        if !self.node.is_to_be_cut() {
            return false;
        }
        let Some(grace) = self.manner().and_then(|manner| manner.grace.as_mut()) else { return true };
        let timer = grace.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(grace.budget)));
        if pin!(unconstrained(timer.as_mut())).poll(cx).is_pending() {
            return false;
        }
        observe::straggler(&self.node.tree());
        true
    }

    /// A timer keeps the waker that it was last polled with, and that keeps the job. And a handle may outlive the job
    /// for long, which the span of its spawner should not.
    fn forget_manner(&mut self) {
        if let Some(manner) = &mut self.manner {
            **manner = None;
        }
    }

    /// Drops the body of a job that was asked to end.
    fn cut(&mut self) -> State {
        debug_assert!(self.node.is_asked(), "a job is cut that nobody asked to end");
        let outcome = match self.owner.domain {
            // Nobody asks it for its outcome, and all who are cancelled together would count on one reason.
            Domain::Together => None,
            Domain::Isolated => self.node.asked().map(Outcome::Cancelled),
        };
        self.pronounce(outcome)
    }

    /// Drops the body and tells the scope at once what it must know before the job has left. Without an outcome it was
    /// cancelled.
    fn pronounce(&mut self, outcome: Option<Outcome<T, E>>) -> State {
        self.forget_manner();
        let outcome = self.end_body(outcome);
        let state = outcome.as_ref().map_or(State::Cancelled, Outcome::state);
        let left = match (self.owner.domain, outcome) {
            (Domain::Together, Some(Outcome::Err(error))) => {
                self.owner.fail(Failure::err(error, self.node.path(), self.node.place));
                None
            }
            (Domain::Together, Some(Outcome::Panicked(panic))) => {
                self.owner.panicked(panic);
                None
            }
            (_, outcome) => outcome,
        };
        self.stage.set(Stage::Over { outcome: left, state });
        state
    }

    /// Drops the body where it lies; a panic of its destructor takes the place of the outcome.
    fn end_body(&mut self, outcome: Option<Outcome<T, E>>) -> Option<Outcome<T, E>> {
        let over = || Stage::Over { outcome: None, state: State::Cancelled };
        match catch_unwind(AssertUnwindSafe(|| self.stage.set(over()))) {
            Ok(()) => outcome,
            Err(payload) => Some(Outcome::Panicked(Panic::caught(payload, self.node))),
        }
    }
}
