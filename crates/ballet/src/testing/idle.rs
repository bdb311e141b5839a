//! The moment at which nothing can run: who waits for it, and what happens then.
//!
//! Tokio's current-thread runtime calls [`Idle::park`] when its queue is empty, before it parks its thread. That is where
//! it would let time jump; so whoever wants to do something else at a standstill does it here: wake a test that waits
//! for it, hold time back for IO (`quiet`), set the timer at the end of time (`standstill`).

use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Poller, Poll, Waker};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::faults::Faults;
use super::quiet::Quiet;
use crate::dispatch::order;
use crate::job::{NodeRef, lock};
use crate::sync::{Mutex, wake_each};

/// The end of time, from the beginning of a test. No timer of a test is later; the bound on ages of jobs (292 years,
/// which is what 63 bits hold in nanoseconds) is.
const TIME_MAX: Duration = Duration::from_secs(200 * 365 * 24 * 60 * 60);

/// What a test knows of its runtime, and what goes wrong in it.
pub(super) struct Idle {
    state: Mutex<State>,
    faults: Faults,
}

#[derive(Default)]
struct State {
    /// The task of the test.
    test: Option<Waker>,
    /// Whoever waits for the next moment at which nothing can run.
    waiting: Vec<Waker>,
    /// How many such moments there were.
    moments: u64,
    /// The roots of the trees that this test runs.
    roots: Vec<NodeRef>,
    quiet: Quiet,
    /// The timer at the end of time.
    end: Option<Pin<Box<Sleep>>>,
    ends_at: Option<Instant>,
}

impl Idle {
    pub(super) fn new() -> Arc<Self> {
        let faults = Faults::seeded(order::seed().unwrap_or_default());
        Arc::new(Self { state: Mutex::default(), faults })
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Closed when the result is dropped: what is kept here keeps the runtime, which keeps what is here.
    pub(super) fn open(self: &Arc<Self>) -> Closing {
        Closing(Arc::clone(self))
    }

    pub(super) fn add_root(&self, root: &NodeRef) {
        lock(&self.state).roots.push(root.clone());
    }

    pub(super) fn remove_root(&self, root: &NodeRef) {
        lock(&self.state).roots.retain(|other| other.as_ptr() != root.as_ptr());
    }

    pub(super) fn roots(&self) -> Vec<NodeRef> {
        lock(&self.state).roots.clone()
    }

    /// Remembers the task of the test; called inside its runtime, before anything else runs there.
    pub(super) fn begin(&self, test: &Waker) {
        let mut state = lock(&self.state);
        if state.test.is_none() {
            state.test = Some(test.clone());
            state.ends_at = Some(Instant::now() + TIME_MAX);
            state.quiet.begin();
        }
    }

    /// The thread of the runtime has nothing to do. Called by Tokio, inside the runtime.
    pub(super) fn park(&self) {
        let mut state = lock(&self.state);
        let Some(test) = state.test.clone() else { return };
        if !state.quiet.look(Instant::now(), &test) {
            return;
        }
        state.moments += 1;
        let waiting = mem::take(&mut state.waiting);
        if state.quiet.is_open() {
            // The test waits for more than timers: it is patience that ends this, and not the end of time.
            state.end = None;
        } else if waiting.is_empty() {
            state.set_end(&test);
        }
        drop(state);
        wake_each(waiting);
    }

    /// How many moments there were at which nothing could run.
    pub(super) fn moments(&self) -> u64 {
        lock(&self.state).moments
    }

    /// Ready when there was another such moment after the first `moments`.
    pub(super) fn poll_moment(&self, moments: u64, cx: &Poller<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.moments > moments {
            return Poll::Ready(());
        }
        state.waiting.push(cx.waker().clone());
        Poll::Pending
    }

    /// Why the test cannot go on, if it cannot.
    pub(super) fn stuck(&self) -> Option<&'static str> {
        let state = lock(&self.state);
        if state.quiet.has_lost_patience() {
            return Some("nothing comes through its sockets and pipes, and no timer is left");
        }
        let is_over = state.ends_at.is_some_and(|end| Instant::now() >= end);
        is_over.then_some("everything waits and no timer is left")
    }
}

impl State {
    /// Sets the timer that fires when no other is left.
    fn set_end(&mut self, test: &Waker) {
        let Some(ends_at) = self.ends_at.filter(|_| self.end.is_none()) else { return };
        let mut end = Box::pin(sleep_until(ends_at));
        // Not ready: it is not the end of time, or the test would have ended.
        let _ = pin!(unconstrained(end.as_mut())).poll(&mut Poller::from_waker(test));
        self.end = Some(end);
    }
}

/// Lets go of what an [`Idle`] keeps.
pub(super) struct Closing(Arc<Idle>);

impl Drop for Closing {
    fn drop(&mut self) {
        let state = mem::take(&mut *lock(&self.0.state));
        drop(state);
    }
}
