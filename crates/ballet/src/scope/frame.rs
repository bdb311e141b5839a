//! How a scope lives: the body, the last children, the finalizers, the verdict.
//!
//! The owner polls a frame; where the owner drops it half-way, [`Custody`] asks the children to end and lets a task
//! of the same runtime poll the frame to its end, as a child of the nearest node that has not ended. Everything
//! that must survive that drop therefore lives in the frame and not on the owner's stack.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as Poller, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;

use super::beside::Beside;
use super::finalizer::Finalizer;
use crate::context::Values;
use crate::dispatch::guest::Ref;
use crate::dispatch::{Dispatcher, Moment, go_by, hold_wakes, look_at_clock};
use crate::job::{Domain, Failure, Fault, Ledger, NodeRef, Origin, Owner, Panic, Reason, lock};
use crate::observe::{self, State};
use crate::sync::{Mutex, ShortLock, contain};

/// How long a cancelled scope waits for its children before it names those that are left.
const STRAGGLER_AFTER: Duration = Duration::from_secs(1);

/// An open scope.
pub(crate) struct Frame<E: Fault> {
    pub(crate) owner: Ref<Owner<E>>,
    finalizers: ShortLock<Vec<Finalizer<E>>>,
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
    pub(crate) fn open(domain: Domain, values: Values, place: &'static Location<'static>) -> Custody<E> {
        Self::open_on(Dispatcher::lanes(), domain, values, place)
    }

    /// As [`open`](Self::open), with children that run on `dispatcher`.
    pub(super) fn open_on(
        dispatcher: Dispatcher,
        domain: Domain,
        values: Values,
        place: &'static Location<'static>,
    ) -> Custody<E> {
        let _looked = look_at_clock();
        let frame = Arc::new(Self {
            owner: Owner::open(domain, values, dispatcher, place),
            finalizers: ShortLock::default(),
            beside: Beside::new(),
            given_up: AtomicBool::new(false),
            patience: Mutex::default(),
        });
        Custody { frame, is_over: false }
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
        let _inside = node.stand_in();
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
                // It may be no `async` block, and still hold what it held.
                let dropped = catch_unwind(AssertUnwindSafe(|| body.set(None)));
                for payload in [Some(payload), dropped.err()].into_iter().flatten() {
                    self.owner.panicked(Panic::caught(payload, node));
                }
                Poll::Ready(None)
            }
        }
    }

    /// Ready when the children have ended and the finalizers have run.
    fn poll_settled(&self, cx: &mut Poller<'_>) -> Poll<()> {
        let node = self.owner.node();
        let _inside = node.stand_in();
        self.beside.poll(&self.owner, cx);
        loop {
            if self.is_given_up() {
                node.close();
                return self.poll_finalizers(cx).map(drop);
            }
            let closing = node.close_if_childless();
            if !closing.is_childless {
                self.poll_patience(cx);
            }
            // Also where a finalizer has left a scope behind, which was adopted here, and others are still to come.
            if closing.is_closed && ready!(self.poll_finalizers(cx)) {
                continue;
            }
            if closing.is_childless {
                return Poll::Ready(());
            }
            return Poll::Pending;
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

    /// Last in, first out. The one under way stays in the list, so that it outlives the future that polls it. Ready, with
    /// whether any was there, when none is left.
    fn poll_finalizers(&self, cx: &mut Poller<'_>) -> Poll<bool> {
        let mut any = false;
        loop {
            let Some(mut finalizer) = self.finalizers.lock().pop() else { return Poll::Ready(any) };
            any = true;
            if finalizer.poll(&self.owner, cx).is_pending() {
                self.finalizers.lock().push(finalizer);
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
            // A runtime may have no timer; then nobody is named.
            let timer = catch_unwind(|| Box::pin(tokio::time::sleep(STRAGGLER_AFTER)));
            *patience = timer.map_or(Patience::Spent, Patience::Waiting);
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
        // Locked first, and the family inside: a scope that closes after this look finds the finalizer when it comes to
        // the list.
        let mut finalizers = self.finalizers.lock();
        if self.owner.node().is_closed() {
            return Err(finalizer);
        }
        finalizers.push(finalizer);
        Ok(())
    }

    fn verdict<T>(&self, mut value: Option<T>) -> Result<T, Failure<E>> {
        let node = self.owner.node();
        self.beside.end(&self.owner);
        let mut ledger = self.owner.settle_accounts();
        if !ledger.is_empty() {
            // Nobody gets it. Dropped here, since its destructor may panic, and the node has to end.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(value.take())));
            if let Err(payload) = dropped {
                ledger.enter_panic(Panic::caught(payload, node));
            }
        }
        let Ledger { panic, failures } = ledger;
        let reason = node.asked();
        let mut failures = failures.into_iter();
        let (state, verdict) = match (panic, failures.next(), value) {
            (Some(panic), first, _) => {
                node.end(State::Panicked);
                self.report(first.into_iter().chain(failures));
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

    /// Hands failures that nobody looked at to the sink, each. A sink that panics, or an error that does so when it is
    /// written or dropped, has reported itself, and must not keep the node in the tree.
    fn report(&self, failures: impl Iterator<Item = Failure<E>>) {
        failures.for_each(|failure| contain(move || self.owner.unobserved(&failure)));
    }

    /// The end of a scope whose owner is no longer there to see it: whatever failed goes to the sink.
    fn end_unseen(&self) {
        self.beside.end(&self.owner);
        let Ledger { panic, failures } = self.owner.settle_accounts();
        let panic = panic.map(Failure::panicked);
        self.report(failures.into_iter().chain(panic));
        // Last: the scope around may return at once, and what failed in it is known by then.
        self.owner.node().end(State::Cancelled);
    }
}

pin_project! {
    /// An open scope, from before the first poll of its body to the verdict. Dropped in between, it is given up.
    ///
    /// Written by hand, because an `async fn` keeps its argument beside what it makes of it: each scope would take twice
    /// the room of its body, and one that stands in three others sixteen times.
    #[must_use = "dropping it cancels the scope"]
    pub(crate) struct Running<F, T, E: Fault> {
        // Dropped first: what the body drops still finds its scope open.
        #[pin]
        body: Option<F>,
        // What the body came to, once it is over.
        value: Option<Option<T>>,
        custody: Custody<E>,
        // When it was opened, where its first poll follows at once.
        just_now: Option<Moment>,
        // Whether the children of a local scope were polled before the body the last time.
        children_first: bool,
        // Whether they had more to do when it was the turn of others.
        has_more: bool,
    }
}

impl<F, T, E> Future for Running<F, T, E>
where
    F: Future<Output = Result<T, E>>,
    E: Fault,
{
    type Output = Result<T, Failure<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        assert!(!this.custody.is_over, "this scope has ended and cannot be polled again");
        let frame = Arc::as_ref(&this.custody.frame);
        // One look for all that happens in this poll.
        let _looked = this.just_now.take().map_or_else(look_at_clock, go_by);
        frame.owner.watched().note_poll(cx);
        if this.value.is_none() {
            // They share the budget of one task, so that whoever uses it up goes second the next time.
            *this.children_first = *this.has_more && !*this.children_first;
            if *this.children_first {
                *this.has_more = frame.run_local(cx);
            }
            let polled = frame.poll_body(this.body.as_mut(), cx);
            if !*this.children_first {
                *this.has_more = frame.run_local(cx);
            }
            *this.value = Some(ready!(polled));
        }
        frame.run_local(cx);
        ready!(frame.poll_settled(cx));
        this.custody.is_over = true;
        Poll::Ready(this.custody.frame.verdict(this.value.take().flatten()))
    }
}

/// Guards an open frame: dropped before that is over, it gives the frame up for adoption.
#[must_use = "dropping it cancels the scope"]
pub(crate) struct Custody<E: Fault> {
    frame: Arc<Frame<E>>,
    is_over: bool,
}

impl<E: Fault> Custody<E> {
    /// Polls `body`, and the children of a local scope, until all has ended.
    pub(crate) fn run<T, F>(self, body: F) -> Running<F, T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        Running {
            body: Some(body),
            value: None,
            custody: self,
            just_now: None,
            children_first: false,
            has_more: false,
        }
    }

    /// As [`run`](Self::run), where the first poll follows at once, so that the clock need not be looked at again.
    pub(super) fn run_at_once<T, F>(self, body: F) -> Running<F, T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let just_now = Some(self.owner.node().born);
        Running { just_now, ..self.run(body) }
    }
}

impl<E: Fault> Deref for Custody<E> {
    type Target = Arc<Frame<E>>;

    fn deref(&self) -> &Arc<Frame<E>> {
        &self.frame
    }
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
        if node.close_if_childless().is_closed && frame.finalizers.lock().is_empty() {
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
        let _looked = look_at_clock();
        self.frame.owner.watched().note_poll(cx);
        self.frame.poll_settled(cx)
    }
}

/// Ends the node however the task ends: also where the runtime is shut down first.
impl<E: Fault> Drop for Orphan<E> {
    fn drop(&mut self) {
        self.frame.end_unseen();
    }
}
