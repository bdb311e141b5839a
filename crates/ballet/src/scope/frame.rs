//! How a scope lives: the body, the last children, the finalizers, the verdict.
//!
//! The owner polls a frame; where the owner drops it half-way, [`Custody`] asks the children to end and lets a task
//! of the same runtime poll the frame to its end, as a child of the nearest node that has not ended. Everything
//! that must survive that drop therefore lives in the frame and not on the owner's stack.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as Poller, Poll, ready};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::Sleep;

use super::beside::Beside;
use super::finalizer::Finalizer;
use crate::context::Values;
use crate::dispatch::guest::Ref;
use crate::dispatch::{Dispatcher, Moment, go_by, hold_wakes, look_at_clock};
use crate::job::{Domain, Failure, Fault, Ledger, NodeRef, Origin, Owner, Panic, Reason, lock};
use crate::observe::{self, State};
use crate::sync::Mutex;

/// How long a cancelled scope waits for its children before it names those that are left.
const STRAGGLER_AFTER: Duration = Duration::from_secs(1);

/// An open scope.
pub(crate) struct Frame<E: Fault> {
    pub(crate) owner: Ref<Owner<E>>,
    finalizers: Mutex<Vec<Finalizer<E>>>,
    /// What lasts as long as the scope and is not waited for.
    pub(super) beside: Beside,
    /// The stage has no time left for the body and the children: only finalizers are still run.
    given_up: AtomicBool,
    /// Runs from the moment at which the cancelled scope began to wait for its children.
    patience: Mutex<Patience>,
}

#[derive(Default)]
enum Patience {
    #[default]
    Fresh,
    Waiting(Pin<Box<Sleep>>),
    /// The stragglers have been named.
    Spent,
}

impl<E: Fault> Frame<E> {
    #[track_caller]
    pub(crate) fn open(domain: Domain, values: Values, place: &'static Location<'static>) -> Arc<Self> {
        Self::open_on(Dispatcher::lanes(), domain, values, place)
    }

    /// As [`open`](Self::open), with children that run on `dispatcher`.
    pub(super) fn open_on(
        dispatcher: Dispatcher,
        domain: Domain,
        values: Values,
        place: &'static Location<'static>,
    ) -> Arc<Self> {
        let _looked = look_at_clock();
        Arc::new(Self {
            owner: Owner::open(domain, values, dispatcher, place),
            finalizers: Mutex::default(),
            beside: Beside::new(),
            given_up: AtomicBool::new(false),
            patience: Mutex::default(),
        })
    }

    /// Polls `body`, and the children of a local scope, until all has ended.
    pub(crate) fn run<T>(
        self: Arc<Self>,
        body: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, Failure<E>>> {
        self.run_from(None, body)
    }

    /// As [`run`](Self::run), where the first poll follows at once, so that the clock need not be looked at again.
    pub(super) fn run_at_once<T>(
        self: Arc<Self>,
        body: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, Failure<E>>> {
        let opened = self.owner.node().born;
        self.run_from(Some(opened), body)
    }

    async fn run_from<T>(
        self: Arc<Self>,
        mut just_now: Option<Moment>,
        body: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure<E>> {
        let mut custody = Custody { frame: self, is_over: false };
        let mut body = pin!(Some(body));
        let (mut children_first, mut has_more) = (false, false);
        // What the body came to, once it is over.
        let mut value = None;
        poll_fn(|cx| {
            let frame = Arc::as_ref(&custody.frame);
            // One look for all that happens in this poll.
            let _looked = just_now.take().map_or_else(look_at_clock, go_by);
            if value.is_none() {
                // They share the budget of one task, so that whoever uses it up goes second the next time.
                children_first = has_more && !children_first;
                if children_first {
                    has_more = frame.run_local(cx);
                }
                let polled = frame.poll_body(body.as_mut(), cx);
                if !children_first {
                    has_more = frame.run_local(cx);
                }
                value = Some(ready!(polled));
            }
            frame.run_local(cx);
            ready!(frame.poll_settled(cx));
            custody.is_over = true;
            Poll::Ready(frame.verdict(value.take().flatten()))
        })
        .await
    }

    /// Polls the children of a local scope; returns whether it is other tasks' turn before all had theirs.
    fn run_local(&self, cx: &Poller<'_>) -> bool {
        self.owner.dispatcher.local_queue().is_some_and(|queue| queue.run(cx))
    }

    /// Ends the children of a local scope, whose borrows end with the future that is being dropped.
    fn end_local(&self) {
        let Some(queue) = self.owner.dispatcher.local_queue() else { return };
        queue.close();
        // A child that rests is woken, and its turn dropped because the queue is closed. One that another thread is
        // waking right now is dropped by that thread, which has only a few steps to go.
        loop {
            let children = self.owner.node().local_children();
            if children.is_empty() {
                return;
            }
            children.iter().for_each(NodeRef::wake);
            std::thread::yield_now();
        }
    }

    /// Ready with the body's value, or with `None` where it was cut, failed or panicked. The body is gone then.
    fn poll_body<T>(
        &self,
        mut body: Pin<&mut Option<impl Future<Output = Result<T, E>>>>,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<T>> {
        let node = self.owner.node();
        let _inside = self.owner.watched().enter(cx);
        self.beside.poll(&self.owner, cx);
        let _hold = hold_wakes();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let ended = match body.as_mut().as_pin_mut() {
                Some(running) if !self.is_cut() => running.poll(cx),
                _ => Poll::Pending,
            };
            // Asked while it was polled, it ends at this yield.
            if ended.is_ready() || self.is_cut() {
                body.set(None);
            }
            ended
        }));
        match polled {
            Ok(Poll::Ready(Ok(value))) => Poll::Ready(Some(value)),
            Ok(Poll::Ready(Err(error))) => {
                self.owner.fail(Failure::err(error, node.path(), node.place));
                Poll::Ready(None)
            }
            Ok(Poll::Pending) if body.is_none() => Poll::Ready(None),
            Ok(Poll::Pending) => Poll::Pending,
            Err(payload) => {
                self.owner.panicked(Panic::caught(payload, node));
                Poll::Ready(None)
            }
        }
    }

    /// Ready when the children have ended and the finalizers have run.
    fn poll_settled(&self, cx: &mut Poller<'_>) -> Poll<()> {
        let node = self.owner.node();
        let _inside = self.owner.watched().enter(cx);
        self.beside.poll(&self.owner, cx);
        loop {
            if self.is_given_up() {
                node.close();
                return self.poll_finalizers(cx);
            }
            if node.poll_childless().is_pending() {
                self.poll_patience(cx);
                return Poll::Pending;
            }
            if !node.close_if_childless() {
                continue;
            }
            ready!(self.poll_finalizers(cx));
            // A finalizer may have left a scope behind, which was adopted here.
            if node.poll_childless().is_ready() {
                return Poll::Ready(());
            }
        }
    }

    fn is_cut(&self) -> bool {
        self.is_given_up() || self.owner.node().is_to_be_cut()
    }

    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }

    /// Drops the body, passes the children that are left to the nodes above, and goes on to the finalizers.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
        self.owner.node().wake();
    }

    /// Last in, first out. The one under way stays in the list, so that it outlives the future that polls it.
    fn poll_finalizers(&self, cx: &mut Poller<'_>) -> Poll<()> {
        loop {
            let Some(mut finalizer) = lock(&self.finalizers).pop() else { return Poll::Ready(()) };
            if finalizer.poll(&self.owner, cx).is_pending() {
                lock(&self.finalizers).push(finalizer);
                return Poll::Pending;
            }
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(finalizer))) {
                self.owner.panicked(Panic::caught(payload, self.owner.node()));
            }
        }
    }

    /// Names the children that a cancelled scope still waits for, once.
    fn poll_patience(&self, cx: &mut Poller<'_>) {
        if !self.owner.node().is_asked() {
            return;
        }
        let mut patience = lock(&self.patience);
        if matches!(*patience, Patience::Fresh) {
            *patience = Patience::Waiting(Box::pin(tokio::time::sleep(STRAGGLER_AFTER)));
        }
        if let Patience::Waiting(timer) = &mut *patience
            && pin!(unconstrained(timer.as_mut())).poll(cx).is_ready()
        {
            *patience = Patience::Spent;
            self.owner.node().tree().children.iter().for_each(observe::straggler);
        }
    }

    pub(crate) fn defer(&self, finalizer: Finalizer<E>) {
        if self.try_defer(finalizer).is_err() {
            let path = self.owner.node().path();
            panic!("defer on the scope `{path}`, which has ended: nobody is left to run the finalizer");
        }
    }

    /// As [`defer`](Self::defer); gives the finalizer back where the scope has ended.
    pub(super) fn try_defer(&self, finalizer: Finalizer<E>) -> Result<(), Finalizer<E>> {
        // Locked first: a scope that closes after this look finds the finalizer when it comes to the list.
        let mut finalizers = lock(&self.finalizers);
        if self.owner.node().is_closed() {
            return Err(finalizer);
        }
        finalizers.push(finalizer);
        Ok(())
    }

    fn verdict<T>(&self, value: Option<T>) -> Result<T, Failure<E>> {
        let node = self.owner.node();
        self.beside.end(&self.owner);
        let Ledger { panic, failures } = self.owner.settle_accounts();
        let reason = node.asked();
        let mut failures = failures.into_iter();
        let (state, verdict) = match (panic, failures.next(), value) {
            (Some(panic), first, _) => {
                node.end(State::Panicked);
                first.into_iter().chain(failures).for_each(|failure| self.owner.unobserved(&failure));
                panic.resume();
            }
            (None, Some(first), _) => (State::Failed, Err(first.with_suppressed(failures.collect()))),
            (None, None, Some(value)) => (State::Completed, Ok(value)),
            (None, None, None) => {
                let place = node.place;
                let origin = || Reason::Dropped(Origin::new(node.path(), place));
                let reason = reason.unwrap_or_else(origin);
                (State::Cancelled, Err(Failure::cancelled(reason, node.path(), place)))
            }
        };
        node.end(state);
        verdict
    }

    /// The end of a scope whose owner is no longer there to see it: whatever failed goes to the sink.
    fn end_unseen(&self) {
        self.beside.end(&self.owner);
        let Ledger { panic, failures } = self.owner.settle_accounts();
        let panic = panic.map(Failure::panicked);
        // A subscriber that panics has reported itself, and must not keep the node in the tree.
        let _reported = catch_unwind(AssertUnwindSafe(|| {
            failures.into_iter().chain(panic).for_each(|failure| self.owner.unobserved(&failure));
        }));
        // Last: the scope around may return at once, and what failed in it is known by then.
        self.owner.node().end(State::Cancelled);
    }
}

/// Guards an open frame: dropped before that is over, it gives the frame up for adoption.
struct Custody<E: Fault> {
    frame: Arc<Frame<E>>,
    is_over: bool,
}

impl<E: Fault> Drop for Custody<E> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let frame = &self.frame;
        let node = frame.owner.node();
        let dropped = || Reason::Dropped(Origin::new(node.path(), node.place));
        frame.owner.cancel(&node.surrounding_reason().unwrap_or_else(dropped));
        frame.end_local();
        if node.close_if_childless() && lock(&frame.finalizers).is_empty() {
            return frame.end_unseen();
        }
        node.adopt();
        let dispatcher = frame.owner.dispatcher.clone();
        dispatcher.spawn(Orphan { frame: Arc::clone(frame) });
    }
}

/// Polls an adopted frame to its end, as a task.
struct Orphan<E: Fault> {
    frame: Arc<Frame<E>>,
}

impl<E: Fault> Future for Orphan<E> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        ready!(self.frame.poll_settled(cx));
        Poll::Ready(())
    }
}

/// Ends the node however the task ends: also where the runtime is shut down first.
impl<E: Fault> Drop for Orphan<E> {
    fn drop(&mut self) {
        self.frame.end_unseen();
    }
}
