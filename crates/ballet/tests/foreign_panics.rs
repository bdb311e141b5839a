//! Wakers are code of whoever polls: one that panics leaves nothing half done, and keeps nobody else asleep.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ballet::flow::StateFlow;
use ballet::{Bulkhead, Error, LocalScope, Scope};
use futures_util::FutureExt;

/// Panics when it is woken.
struct Bad;

impl Wake for Bad {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Good(AtomicUsize);

impl Wake for Good {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Good {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll_with<F: Future + ?Sized>(waker: &Waker, future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

fn poll_badly<F: Future + ?Sized>(future: Pin<&mut F>) {
    assert!(poll_with(&Waker::from(Arc::new(Bad)), future).is_pending());
}

/// How many scopes and jobs stand below the root.
fn standing() -> usize {
    ballet::tree().children.len()
}

#[tokio::test]
async fn a_scope_that_is_dropped_half_way_leaves_the_tree() {
    for _ in 0..3 {
        let mut scope = Box::pin(ballet::scope(async |_: Scope| pending::<Result<(), Error>>().await));
        poll_badly(scope.as_mut());
        drop(scope);
        assert_eq!(standing(), 0, "{}", ballet::tree());
    }
}

#[tokio::test]
async fn what_a_local_scope_lends_comes_back_when_it_is_dropped_half_way() {
    let lent = Arc::new(());
    {
        let borrowed = &lent;
        let mut scope = ballet::local_scope(async |s: LocalScope<'_>| {
            s.spawn(async {
                let _held = Arc::clone(borrowed);
                pending::<Result<(), Error>>().await
            });
            pending::<Result<(), Error>>().await
        });
        poll_badly(scope.as_mut());
        assert_eq!(Arc::strong_count(&lent), 2);
        drop(scope);
    }
    assert_eq!((Arc::strong_count(&lent), standing()), (1, 0));
}

#[test]
fn places_that_a_bulkhead_grants_at_once_wake_all_who_got_one() {
    let (rooms, good) = (Bulkhead::new("rooms", 0), Arc::new(Good::default()));
    let (mut first, mut second) = (pin!(rooms.acquire()), pin!(rooms.acquire()));
    poll_badly(first.as_mut());
    assert!(poll_with(&Waker::from(Arc::clone(&good)), second.as_mut()).is_pending());
    rooms.resize(2);
    assert_eq!((good.count(), rooms.occupancy().in_use), (1, 2));
}

#[test]
fn a_bulkhead_that_closes_wakes_all_who_wait() {
    let (rooms, good) = (Bulkhead::new("rooms", 0), Arc::new(Good::default()));
    let (mut first, mut second) = (pin!(rooms.acquire()), pin!(rooms.acquire()));
    poll_badly(first.as_mut());
    assert!(poll_with(&Waker::from(Arc::clone(&good)), second.as_mut()).is_pending());
    rooms.close();
    assert_eq!(good.count(), 1);
}

#[test]
fn a_channel_that_closes_wakes_all_who_receive() {
    let (tx, first) = ballet::channel::bounded::<u32>(1);
    let (second, good) = (first.clone(), Arc::new(Good::default()));
    let (mut first, mut second) = (pin!(first.recv()), pin!(second.recv()));
    poll_badly(first.as_mut());
    assert!(poll_with(&Waker::from(Arc::clone(&good)), second.as_mut()).is_pending());
    // Who closes it hears of the panic, or does not; whoever waits hears of the end.
    catch_unwind(AssertUnwindSafe(|| drop(tx))).ok();
    assert_eq!(good.count(), 1);
}

#[test]
fn a_state_that_changes_wakes_all_who_watch() {
    let ((cell, state), good) = (StateFlow::new(0), Arc::new(Good::default()));
    let (mut first, mut second) = (state.watch(), state.watch());
    assert_eq!((first.recv().now_or_never(), second.recv().now_or_never()), (Some(Some(0)), Some(Some(0))));
    let (mut first, mut second) = (pin!(first.recv()), pin!(second.recv()));
    poll_badly(first.as_mut());
    assert!(poll_with(&Waker::from(Arc::clone(&good)), second.as_mut()).is_pending());
    cell.set(1);
    assert_eq!(good.count(), 1);
}
