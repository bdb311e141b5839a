//! Tests of flows: what one does, event by event.
//!
//! [`test_flow`] runs a flow and the code of a test side by side, in one task and in the test's own time. Whatever the
//! flow does becomes an event; the code takes them one after the other from [`Events`]. What was not taken fails the
//! test, and so does another event than the one that was awaited; the messages tell what happened. `log` holds the
//! events.

mod log;

pub use log::{Event, ShowError};

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::ops::ControlFlow;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use tokio::task::coop::unconstrained;

use crate::dispatch::unit::is_spent;
use crate::flow::{Flow, Never};
use crate::job::lock;
use crate::sync::{Mutex, MutexGuard, wake_each};
use log::{Log, Wish};

/// How long an event is awaited, in the test's time, unless [`Events::set_patience`] says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How many events may lie there untaken. A flow that does more waits until some have been taken.
pub const EVENTS_MAX: usize = 1_000;

/// How many turns all other tasks get before it is believed that nothing comes.
const SETTLING_TURNS: usize = 32;

/// Runs a flow and, beside it, the code of a test that takes its events.
///
/// The flow runs while the code waits, and is dropped when the code has returned. Time is the runtime's: virtual in a
/// `#[ballet::test]`. To test two flows at once, call it inside its own code.
///
/// # Panics
///
/// When the code returns and has not taken all that the flow did; the message lists it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use ballet::testing::{Events, test_flow};
/// use ballet::{FlowExt, flow};
/// use std::time::Duration;
///
/// let ticks = flow::tick(Duration::from_secs(1)).take(2);
/// test_flow(ticks, async |mut events: Events<_>| {
///     events.expect_no_events().await;
///     assert_eq!(events.await_item().await, 1);
///     assert_eq!(events.await_item().await, 2);
///     events.await_complete().await;
/// })
/// .await;
/// # }
/// ```
///
/// What is not taken fails the test:
///
/// ```should_panic
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # use ballet::testing::{Events, test_flow};
/// # use ballet::flow;
/// test_flow(flow::iter([1, 2]), async |mut events: Events<_>| {
///     assert_eq!(events.await_item().await, 1);
/// })
/// .await; // the test has not taken all that the flow did
/// # }
/// ```
pub async fn test_flow<S, B, R>(flow: S, code: B) -> R
where
    S: Flow,
    S::Item: fmt::Debug,
    S::Error: ShowError,
    B: AsyncFnOnce(Events<S::Item, S::Error>) -> R,
{
    let log = Arc::new(Mutex::new(Log::new()));
    let mut flow = pin!(Some(flow));
    let result = {
        let mut code = pin!(code(Events { log: Arc::clone(&log), patience: PATIENCE }));
        let mut flow_owes = false;
        poll_fn(|cx| {
            // A flow that used up the last poll has left the code nothing.
            if mem::take(&mut flow_owes)
                && let Poll::Ready(result) = code.as_mut().poll(cx)
            {
                return Poll::Ready(result);
            }
            loop {
                let is_full = run(flow.as_mut(), &log, cx);
                flow_owes = is_spent();
                if let Poll::Ready(result) = code.as_mut().poll(cx) {
                    return Poll::Ready(result);
                }
                let log = lock(&log);
                // The code took an event that the flow had no room for, or wants the flow dropped.
                let has_room_now = is_full && !log.is_full();
                if !has_room_now && log.wish != Wish::Cancel {
                    return Poll::Pending;
                }
            }
        })
        .await
    };
    poll_fn(|cx| Poll::Ready(run(flow.as_mut(), &log, cx))).await;
    let log = lock(&log);
    if !log.is_empty() {
        fail(log, "the test has not taken all that the flow did");
    }
    result
}

/// Lets the flow run until it waits, or ends, or has done more than may lie there; says whether it has.
fn run<S: Flow>(
    mut flow: Pin<&mut Option<S>>,
    log: &Mutex<Log<S::Item, S::Error>>,
    cx: &mut Poller<'_>,
) -> bool {
    let wish = lock(log).wish;
    if wish != Wish::Run {
        flow.set(None);
        lock(log).wish = Wish::Cancelled;
    }
    let Some(running) = flow.as_mut().as_pin_mut() else { return false };
    if lock(log).is_full() {
        return true;
    }
    let polled = running.poll_each(cx, &mut |item| {
        let full = push(log, Event::Item(item));
        if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let end = match polled {
        Poll::Pending => return false,
        Poll::Ready(Ok(ControlFlow::Break(()))) => return true,
        Poll::Ready(Ok(ControlFlow::Continue(()))) => Event::Completed,
        Poll::Ready(Err(error)) => Event::Failed(error),
    };
    flow.set(None);
    push(log, end);
    false
}

/// Adds an event, and says whether that was the last for now.
fn push<T, E>(log: &Mutex<Log<T, E>>, event: Event<T, E>) -> bool {
    let (waiting, is_full) = {
        let mut log = lock(log);
        (log.push(event), log.is_full())
    };
    wake_each(waiting);
    is_full
}

fn fail<T: fmt::Debug, E: ShowError>(log: MutexGuard<'_, Log<T, E>>, wrong: &str) -> ! {
    let message = log.message(wrong);
    // A panic under the lock would poison it.
    drop(log);
    panic!("{message}")
}

/// What the flow of a [`test_flow`] does, to be taken event by event.
///
/// Each method fails the test where something else has happened than it says; the message names the line that called it,
/// what was taken before, and what lies there untaken.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use ballet::StateFlow;
/// use ballet::testing::{Event, Events, test_flow};
///
/// let (cell, state) = StateFlow::new(0);
/// test_flow(state, async |mut events: Events<_>| {
///     assert_eq!(events.await_item().await, 0);
///     cell.set(1);
///     cell.set(1);
///     assert_eq!(events.await_item().await, 1);
///     events.expect_no_events().await; // distinct
///     cell.set(2);
///     drop(cell);
///     assert_eq!(events.cancel_and_take().await, [Event::Item(2), Event::Completed]);
/// })
/// .await;
/// # }
/// ```
pub struct Events<T, E = Never> {
    log: Arc<Mutex<Log<T, E>>>,
    patience: Duration,
}

impl<T: fmt::Debug, E: ShowError> Events<T, E> {
    /// Awaits events for so long, and no longer, from now on; [`PATIENCE`] unless it is said.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Takes the next event, which has to be an item.
    ///
    /// # Panics
    ///
    /// When it is another event, or none comes.
    #[track_caller]
    pub fn await_item(&mut self) -> impl Future<Output = T> {
        self.next(Location::caller(), "an item", Event::into_item)
    }

    /// Takes the next event, which has to be the flow's failure.
    ///
    /// # Panics
    ///
    /// When it is another event, or none comes.
    #[track_caller]
    pub fn await_error(&mut self) -> impl Future<Output = E> {
        self.next(Location::caller(), "a failure", Event::into_error)
    }

    /// Takes the next event, which has to be the flow's end.
    ///
    /// # Panics
    ///
    /// When it is another event, or none comes.
    #[track_caller]
    pub fn await_complete(&mut self) -> impl Future<Output = ()> {
        self.next(Location::caller(), "the end", Event::into_end)
    }

    /// Takes the next `count` events, which have to be items, and forgets them.
    ///
    /// # Panics
    ///
    /// When one is another event, or fewer come.
    #[track_caller]
    pub fn skip_items(&mut self, count: usize) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            for _ in 0..count {
                drop(self.next(place, "an item to skip", Event::into_item).await);
            }
        }
    }

    /// Lets every other task have its turn, and then nothing may lie there untaken. It lets no time pass: to see that a
    /// flow is quiet for a while, sleep first.
    ///
    /// # Panics
    ///
    /// When something has happened.
    #[track_caller]
    pub fn expect_no_events(&mut self) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            self.settle().await;
            let log = lock(&self.log);
            if !log.is_empty() {
                fail(log, &format!("expected no event, at {place}"));
            }
        }
    }

    /// Drops the flow, and forgets what was not taken.
    pub async fn cancel_and_ignore(self) {
        drop(self.cancel_and_take().await);
    }

    /// Drops the flow, and takes what is left.
    pub async fn cancel_and_take(self) -> Vec<Event<T, E>> {
        self.settle().await;
        lock(&self.log).wish = Wish::Cancel;
        // The flow is dropped when the code yields.
        tokio::task::yield_now().await;
        lock(&self.log).take_all()
    }

    /// Takes the next event, as what it has to be.
    async fn next<R>(
        &mut self,
        place: &'static Location<'static>,
        wanted: &str,
        take: impl FnOnce(Event<T, E>) -> Result<R, Event<T, E>>,
    ) -> R {
        let next = poll_fn(|cx| lock(&self.log).poll_next(cx));
        // Outside the cooperative budget, as the flow may use that up.
        let Ok(event) = unconstrained(tokio::time::timeout(self.patience, next)).await else {
            let wrong = format!("expected {wanted}, but nothing came within {:?}, at {place}", self.patience);
            fail(lock(&self.log), &wrong);
        };
        let shown = format!("{event:?}");
        match take(event) {
            Ok(taken) => {
                lock(&self.log).remember(shown);
                taken
            }
            Err(_) => fail(lock(&self.log), &format!("expected {wanted}, but came {shown}, at {place}")),
        }
    }

    async fn settle(&self) {
        for _ in 0..SETTLING_TURNS {
            tokio::task::yield_now().await;
        }
    }
}

impl<T, E> fmt::Debug for Events<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("patience", &self.patience).finish_non_exhaustive()
    }
}
