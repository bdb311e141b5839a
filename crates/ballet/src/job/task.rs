//! The life of a job, from its first poll to its last trace in the tree.
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
//!           finish      the outcome reaches the Deferred; the node leaves the tree; the owner is woken
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Poller, Poll, ready};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::Sleep;
use tracing::Span;

use super::{Cell, Domain, Failure, Fault, Node, Origin, Outcome, Owner, Panic, Reason};
use crate::observe;

/// A child's future with everything that makes it a job. Its own future gives nothing: results go through the cell.
pub(crate) struct Task<F, T, E>
where
    F: Future<Output = Result<T, E>>,
    E: Fault,
{
    node: Arc<Node>,
    owner: Arc<Owner<E>>,
    cell: Arc<Cell<T, E>>,
    /// The `tracing` span of the code that spawned it; entered around every poll.
    span: Span,
    grace: Option<Grace>,
    stage: Stage<F, T, E>,
}

enum Stage<F, T, E> {
    Dancing(Pin<Box<F>>),
    /// The body has ended; what it left behind has not. `None` where the failure has gone to the scope.
    Leaving(Option<Outcome<T, E>>, observe::State),
    Gone,
}

/// The time that a graceful child has from being asked to being dropped.
struct Grace {
    budget: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<F, T, E> Task<F, T, E>
where
    F: Future<Output = Result<T, E>>,
    E: Fault,
{
    pub(crate) fn new(
        node: Arc<Node>,
        owner: Arc<Owner<E>>,
        cell: Arc<Cell<T, E>>,
        grace: Option<Duration>,
        body: F,
    ) -> Self {
        let grace = grace.map(|budget| Grace { budget, timer: None });
        Self { node, owner, cell, span: Span::current(), grace, stage: Stage::Dancing(Box::pin(body)) }
    }

    /// Polls the body, or cuts it; ready with how it ended.
    fn dance(&mut self, cx: &mut Poller<'_>) -> Poll<Outcome<T, E>> {
        if let Some(reason) = self.cut(cx) {
            return Poll::Ready(Outcome::Cancelled(reason));
        }
        let Stage::Dancing(body) = &mut self.stage else { unreachable!("only a dancing body is polled") };
        match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx))) {
            Err(payload) => Poll::Ready(Outcome::Panicked(Panic::caught(payload, &self.node))),
            Ok(Poll::Ready(Ok(value))) => Poll::Ready(Outcome::Ok(value)),
            Ok(Poll::Ready(Err(error))) => Poll::Ready(Outcome::Err(error)),
            // It may have been asked while it was polled: this is its next yield.
            Ok(Poll::Pending) => match self.cut(cx) {
                Some(reason) => Poll::Ready(Outcome::Cancelled(reason)),
                None => Poll::Pending,
            },
        }
    }

    /// The reason to drop the body now.
    fn cut(&mut self, cx: &mut Poller<'_>) -> Option<Reason> {
        let reason = self.node.cut()?;
        let Some(grace) = &mut self.grace else { return Some(reason) };
        let timer = grace.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(grace.budget)));
        if pin!(unconstrained(timer.as_mut())).poll(cx).is_pending() {
            return None;
        }
        observe::straggler(&self.node.tree());
        Some(reason)
    }

    /// Drops the body and tells the scope at once what it must know before the job has left.
    fn pronounce(&mut self, outcome: Outcome<T, E>) {
        let body = std::mem::replace(&mut self.stage, Stage::Gone);
        let outcome = match catch_unwind(AssertUnwindSafe(|| drop(body))) {
            Ok(()) => outcome,
            Err(payload) => Outcome::Panicked(Panic::caught(payload, &self.node)),
        };
        let state = outcome.state();
        let left = match (self.owner.domain, outcome) {
            (Domain::Together, Outcome::Err(error)) => {
                self.owner.fail(Failure::err(error, self.node.context.path(), self.node.place));
                None
            }
            (Domain::Together, Outcome::Panicked(panic)) => {
                self.owner.panicked(panic);
                None
            }
            (Domain::Together, Outcome::Cancelled(_)) => None,
            (_, outcome) => Some(outcome),
        };
        self.stage = Stage::Leaving(left, state);
    }

    /// Puts the outcome down and leaves the tree.
    fn finish(&mut self) {
        let Stage::Leaving(outcome, state) = std::mem::replace(&mut self.stage, Stage::Gone) else { return };
        // Last: the scope may return as soon as its last child has left. Also where a destructor of the value panics.
        let _leaves = Leaves(&self.node);
        self.node.conclude(state);
        match outcome {
            None => self.cell.put_nothing(),
            Some(outcome) => self.hand_over(outcome),
        }
    }

    fn hand_over(&self, outcome: Outcome<T, E>) {
        let failure = match self.cell.put(outcome) {
            Some(Outcome::Err(error)) => Failure::err(error, self.node.context.path(), self.node.place),
            Some(Outcome::Panicked(panic)) => Failure::panicked(panic),
            Some(Outcome::Ok(_) | Outcome::Cancelled(_)) | None => return,
        };
        self.owner.unobserved(&failure);
    }
}

/// Takes a node out of the tree when it is dropped.
struct Leaves<'a>(&'a Node);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

// The body is boxed and nothing else is ever pinned.
impl<F, T, E> Unpin for Task<F, T, E>
where
    F: Future<Output = Result<T, E>>,
    E: Fault,
{
}

impl<F, T, E> Future for Task<F, T, E>
where
    F: Future<Output = Result<T, E>>,
    E: Fault,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let this = &mut *self;
        let _inside = this.node.enter(cx);
        let span = this.span.clone();
        let _span = span.enter();
        if matches!(this.stage, Stage::Dancing(_)) {
            let outcome = ready!(this.dance(cx));
            this.pronounce(outcome);
        }
        ready!(this.node.poll_childless(cx));
        this.finish();
        Poll::Ready(())
    }
}

/// A runtime that shuts down drops its tasks, and a local scope its children: the job ends there and then.
impl<F, T, E> Drop for Task<F, T, E>
where
    F: Future<Output = Result<T, E>>,
    E: Fault,
{
    fn drop(&mut self) {
        if matches!(self.stage, Stage::Gone) {
            return;
        }
        let _inside = self.node.stand_in();
        if matches!(self.stage, Stage::Dancing(_)) {
            let dropped = || Reason::Dropped(Origin::new(self.node.context.path(), self.node.place));
            let reason = self.node.asked().unwrap_or_else(dropped);
            self.node.ask(reason.clone());
            self.pronounce(Outcome::Cancelled(reason));
        }
        self.finish();
    }
}
