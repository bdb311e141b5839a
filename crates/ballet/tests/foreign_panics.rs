//! Foreign code that panics where a panic has nowhere to go: wakers, subscribers of `tracing`, destructors of context values.
//! It leaves nothing half done, and keeps nobody asleep who waits for a bulkhead, a channel or a flow.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ballet::flow::StateFlow;
use ballet::{Bulkhead, Error, Inheritance, Key, LocalScope, Scope};
use futures_util::FutureExt;
use tokio::time::sleep;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_default;
use tracing::{Event, Metadata, Subscriber};

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

/// A value of a context that panics as it is dropped, in a child and not where it was set.
struct Frail;

struct InChildren;

impl Key for InChildren {
    type Value = Option<Frail>;
    const INHERITANCE: Inheritance<Self::Value> = Inheritance::Transformed(|_| Some(Frail));
}

impl Drop for Frail {
    fn drop(&mut self) {
        resume_unwind(Box::new("a context value that panics"));
    }
}

/// Rests for ever, and leaves its waker.
fn rest(at: &Mutex<Option<Waker>>) -> impl Future<Output = ()> + Send {
    poll_fn(|cx| {
        *at.lock().expect("nobody panics while holding it") = Some(cx.waker().clone());
        Poll::Pending
    })
}

#[tokio::test]
async fn what_a_local_scope_lends_comes_back_though_a_context_value_panics() {
    let (lent, woken, resting) = (Arc::new(()), Mutex::new(None), Mutex::new(None));
    {
        let (borrowed, woken, resting) = (&lent, &woken, &resting);
        let scope = ballet::local_scope(async move |s: LocalScope<'_>| {
            drop(s.spawn(async move {
                ballet::shield(rest(woken)).await;
                Ok(())
            }));
            drop(s.spawn(async move {
                let _held = Arc::clone(borrowed);
                ballet::shield(rest(resting)).await;
                Ok(())
            }));
            tokio::task::yield_now().await;
            s.cancel();
            ballet::shield(pending::<()>()).await;
            Ok::<(), Error>(())
        });
        let mut scope = Box::pin(ballet::with(InChildren, None, scope));
        for _ in 0..4 {
            assert!(poll_with(Waker::noop(), scope.as_mut()).is_pending());
        }
        // In the queue, where nobody else knows of it.
        woken.lock().unwrap().take().expect("it rests").wake();
        drop(scope);
    }
    assert_eq!((Arc::strong_count(&lent), standing()), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_go_on_though_context_values_panic() -> Result<(), Error> {
    let frail = ballet::scope(async |s: Scope| {
        for _ in 0..100 {
            drop(s.spawn(async {
                tokio::task::yield_now().await;
                Ok(())
            }));
        }
        Ok(())
    });
    ballet::with(InChildren, None, frail).await?;
    assert_eq!(ballet::scope(async |s: Scope| Ok(s.spawn(async { Ok(5) }).await)).await?, 5);
    Ok(())
}

/// As one that writes where nobody reads.
struct Deaf;

impl Subscriber for Deaf {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        resume_unwind(Box::new("a subscriber that panics"));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn shielded_work_and_finalizers_end_though_nobody_hears_of_them() -> Result<(), Error> {
    let _deaf = set_default(Deaf);
    let done = Arc::new(AtomicUsize::new(0));
    let (saved, cleaned) = (Arc::clone(&done), Arc::clone(&done));
    let scope = ballet::scope(async |s: Scope| {
        s.defer(async move {
            cleaned.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        s.defer_within(Duration::from_secs(1), pending());
        s.spawn(ballet::shield(async move {
            sleep(Duration::from_secs(60)).await;
            saved.fetch_add(10, Ordering::Relaxed);
            Ok(())
        }));
        tokio::task::yield_now().await;
        Err::<(), _>(Error::msg("the reason"))
    });
    let failure = scope.await.unwrap_err();
    assert_eq!((failure.to_string().contains("the reason"), done.load(Ordering::Relaxed)), (true, 11));
    Ok(())
}

#[test]
fn a_place_comes_back_though_a_panic_unwinds_past_it_to_a_waker_that_panics() {
    let rooms = Bulkhead::new("rooms", 1);
    let place = rooms.try_acquire().unwrap();
    let mut next = pin!(rooms.acquire());
    poll_badly(next.as_mut());
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _busy = place.begin();
        resume_unwind(Box::new("work that panics"));
    }));
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"work that panics"));
    assert!(poll_with(Waker::noop(), next.as_mut()).is_ready());
}

#[test]
fn a_scope_fails_and_cleans_up_on_a_runtime_without_a_timer() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let (worked, cleaned) = (Arc::clone(&done), Arc::clone(&done));
    let scope = ballet::scope(async |s: Scope| {
        s.defer(async move {
            tokio::task::yield_now().await;
            cleaned.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        s.spawn(ballet::shield(async move {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            worked.fetch_add(10, Ordering::Relaxed);
            Ok(())
        }));
        tokio::task::yield_now().await;
        Err::<(), _>(Error::msg("the reason"))
    });
    let failure = runtime.block_on(scope).unwrap_err();
    assert_eq!((failure.to_string().contains("the reason"), done.load(Ordering::Relaxed)), (true, 11));
}
