//! What runs when a scope has emptied: last in, first out, each within a budget.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::Sleep;

use crate::dispatch::guest::Ref;
use crate::job::{Failure, Fault, Owner, Panic};
use crate::observe::say;

/// How long a finalizer of [`Scope::defer`](crate::Scope::defer) may take before it is dropped and named.
pub const FINALIZER_BUDGET: Duration = Duration::from_secs(10);

/// One registered finalizer. Its clock starts when it is first polled.
pub(crate) struct Finalizer<E> {
    pub(super) future: Pin<Box<dyn Future<Output = Result<(), E>> + Send>>,
    place: &'static Location<'static>,
    budget: Duration,
    timer: Option<Option<Pin<Box<Sleep>>>>,
}

impl<E: Fault> Finalizer<E> {
    pub(crate) fn new(
        future: impl Future<Output = Result<(), E>> + Send + 'static,
        budget: Duration,
        place: &'static Location<'static>,
    ) -> Self {
        Self { future: Box::pin(future), place, budget, timer: None }
    }

    /// Polls once; whatever goes wrong is recorded with the owner, and the next finalizer can run.
    pub(crate) fn poll(&mut self, owner: &Ref<Owner<E>>, cx: &mut Poller<'_>) -> Poll<()> {
        match catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(cx))) {
            Ok(Poll::Ready(Ok(()))) => Poll::Ready(()),
            Ok(Poll::Ready(Err(error))) => {
                owner.fail(Failure::err(error, owner.node().path(), self.place));
                Poll::Ready(())
            }
            Err(payload) => {
                owner.panicked(Panic::caught(payload, owner.node()));
                Poll::Ready(())
            }
            Ok(Poll::Pending) => self.poll_budget(owner, cx),
        }
    }

    fn poll_budget(&mut self, owner: &Ref<Owner<E>>, cx: &mut Poller<'_>) -> Poll<()> {
        // Outside the cooperative budget: a finalizer that uses it up must not silence its own clock.
        // A runtime may have no timer; then it has all the time that it takes.
        let timer =
            self.timer.get_or_insert_with(|| catch_unwind(|| Box::pin(tokio::time::sleep(self.budget))).ok());
        let Some(timer) = timer else { return Poll::Pending };
        if pin!(unconstrained(timer.as_mut())).poll(cx).is_pending() {
            return Poll::Pending;
        }
        owner.note_dropped_finalizer();
        say(|| {
            tracing::error!(
                target: "ballet",
                path = %owner.node().path(), place = %self.place, budget = ?self.budget,
                "a finalizer did not end within its budget and was dropped"
            );
        });
        Poll::Ready(())
    }
}
