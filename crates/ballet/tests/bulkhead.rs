//! The bulkhead: who gets in, in which order, and that no place is ever lost or granted twice.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ballet::{Bulkhead, Error, Scope, SupervisorScope};
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

/// Polls once, and remembers nothing.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits until `count` callers stand in the line.
async fn until_waiting(bulkhead: &Bulkhead, count: usize) {
    while bulkhead.occupancy().waiting != count {
        tokio::task::yield_now().await;
    }
}

#[ballet::test]
async fn a_full_bulkhead_rejects_at_once_and_says_how_many_are_in_use() {
    let rooms = Bulkhead::new("rooms", 2);
    let (_first, _second) = (rooms.try_acquire().unwrap(), rooms.try_acquire().unwrap());
    let before = Instant::now();
    let rejected = rooms.try_acquire().unwrap_err();
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert!(rejected.is_full() && !rejected.is_timed_out() && !rejected.is_closed());
    assert_eq!((rejected.in_use(), rejected.places()), (2, 2));
    assert_eq!(rejected.bulkhead(), "rooms");
}

#[ballet::test]
async fn callers_are_served_in_the_order_in_which_they_came() -> Result<(), Error> {
    let rooms = Bulkhead::new("rooms", 1);
    let door = rooms.acquire().await?;
    let order = ballet::scope(async |s: Scope| {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for caller in 0..5 {
            let (inside, tell) = (rooms.clone(), tell.clone());
            s.spawn(async move {
                let _place = inside.acquire().await?;
                Ok(tell.send(caller)?)
            });
            until_waiting(&rooms, caller + 1).await;
        }
        door.release();
        let mut order = Vec::new();
        while order.len() < 5 {
            order.extend(told.recv().await);
        }
        Ok(order)
    });
    assert_eq!(order.await?, [0, 1, 2, 3, 4]);
    Ok(())
}

#[ballet::test]
async fn patience_ends_with_a_typed_error_and_leaves_the_line() {
    let rooms = Bulkhead::new("rooms", 1);
    let place = rooms.try_acquire().unwrap();
    let before = Instant::now();
    let rejected = rooms.acquire_within(30 * MS).await.unwrap_err();
    assert_eq!(before.elapsed(), 30 * MS);
    assert!(rejected.is_timed_out());
    assert_eq!(
        rejected.to_string(),
        "the bulkhead `rooms` had no place within 30ms: 1 of 1 places in use, 0 callers waiting"
    );
    place.release();
    assert!(rooms.acquire_within(30 * MS).await.is_ok());
    assert_eq!(rooms.occupancy().timed_out, 1);
}

#[ballet::test]
async fn patience_of_zero_takes_a_free_place_and_waits_for_none() {
    let rooms = Bulkhead::new("rooms", 1);
    let place = rooms.acquire_within(Duration::ZERO).await.unwrap();
    assert!(rooms.acquire_within(Duration::ZERO).await.unwrap_err().is_timed_out());
    drop(place);
    assert!(rooms.acquire_within(Duration::MAX).await.is_ok());
}

#[ballet::test]
async fn patience_that_ends_with_a_release_neither_loses_the_place_nor_doubles_it() -> Result<(), Error> {
    let rooms = Bulkhead::new("rooms", 1);
    let place = rooms.acquire().await?;
    ballet::scope(async |s: Scope| {
        let late = rooms.clone();
        s.named("late").spawn(async move {
            // At the same instant as the release; either answer is right.
            drop(late.acquire_within(10 * MS).await);
            Ok(())
        });
        tokio::time::sleep(10 * MS).await;
        place.release();
        Ok(())
    })
    .await?;
    assert_eq!((rooms.occupancy().in_use, rooms.occupancy().waiting), (0, 0));
    assert!(rooms.try_acquire().is_ok());
    Ok(())
}

#[test]
fn a_cancelled_waiter_passes_its_place_on() {
    let rooms = Bulkhead::new("rooms", 1);
    let place = rooms.try_acquire().unwrap();
    let mut second = pin!(rooms.acquire());
    assert!(poll_once(second.as_mut()).is_pending());
    {
        let mut first = Box::pin(rooms.acquire());
        // It stands behind `second`, and leaves from the end.
        assert!(poll_once(first.as_mut()).is_pending());
    }
    assert_eq!(rooms.occupancy().waiting, 1);
    {
        let mut third = Box::pin(rooms.acquire());
        assert!(poll_once(third.as_mut()).is_pending());
        place.release();
        let Poll::Ready(Ok(place)) = poll_once(second.as_mut()) else { panic!("it was first in line") };
        place.release();
        // Granted to `third`, which is dropped before it has looked.
        assert_eq!(rooms.occupancy().in_use, 1);
    }
    assert_eq!(rooms.occupancy().in_use, 0);
    assert!(rooms.try_acquire().is_ok());
}

#[test]
fn a_waiter_that_was_never_polled_holds_nothing() {
    let rooms = Bulkhead::new("rooms", 1);
    drop(rooms.acquire());
    assert_eq!((rooms.occupancy().granted, rooms.occupancy().in_use), (0, 0));
}

#[ballet::test]
async fn no_places_let_nobody_in_until_there_are_some() -> Result<(), Error> {
    let rooms = Bulkhead::new("rooms", 0);
    assert!(rooms.try_acquire().unwrap_err().is_full());
    ballet::scope(async |s: Scope| {
        let inside = rooms.clone();
        let guest = s.spawn(async move { Ok(inside.acquire().await?.run(async { "in" }).await) });
        until_waiting(&rooms, 1).await;
        rooms.resize(1);
        assert_eq!(guest.await, "in");
        Ok(())
    })
    .await?;
    Ok(())
}

#[test]
fn as_many_places_as_can_be_counted_are_no_bound() {
    let rooms = Bulkhead::new("rooms", usize::MAX);
    let held: Vec<_> = (0..10_000).map(|_| rooms.try_acquire().unwrap()).collect();
    assert_eq!(rooms.occupancy().in_use, held.len());
    rooms.resize(0);
    assert!(rooms.try_acquire().is_err());
    drop(held);
    rooms.resize(usize::MAX);
    assert!(rooms.try_acquire().is_ok());
}

#[test]
fn growing_serves_as_many_as_fit() {
    let rooms = Bulkhead::new("rooms", 0);
    let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(rooms.acquire())).collect();
    for turn in &mut waiting {
        assert!(poll_once(turn.as_mut()).is_pending());
    }
    rooms.resize(3);
    let answers: Vec<_> = waiting.iter_mut().map(|turn| poll_once(turn.as_mut())).collect();
    let served: Vec<_> = answers.iter().map(Poll::is_ready).collect();
    assert_eq!(served, [true, true, true, false, false]);
}

#[test]
fn shrinking_takes_effect_as_places_are_given_back() {
    let rooms = Bulkhead::new("rooms", 3);
    let mut held: Vec<_> = (0..3).map(|_| rooms.try_acquire().unwrap()).collect();
    let mut waiter = pin!(rooms.acquire());
    assert!(poll_once(waiter.as_mut()).is_pending());
    rooms.resize(1);
    for still_in_use in [2, 1] {
        held.pop();
        assert_eq!((rooms.occupancy().in_use, rooms.occupancy().waiting), (still_in_use, 1));
        assert!(poll_once(waiter.as_mut()).is_pending());
    }
    held.pop();
    assert!(poll_once(waiter.as_mut()).is_ready());
}

#[ballet::test]
async fn closing_turns_away_who_waits_and_who_comes_and_leaves_who_is_in() -> Result<(), Error> {
    let rooms = Bulkhead::new("rooms", 1);
    let inside = rooms.acquire().await?.begin();
    ballet::scope(async |s: Scope| {
        let door = rooms.clone();
        let waiter = s.spawn(async move { Ok(door.acquire().await) });
        until_waiting(&rooms, 1).await;
        rooms.close();
        rooms.close();
        let rejected = waiter.await.unwrap_err();
        assert!(rejected.is_closed());
        assert_eq!(rejected.to_string(), "the bulkhead `rooms` is closed");
        Ok(())
    })
    .await?;
    assert!(rooms.is_closed() && rooms.occupancy().busy == 1);
    inside.end();
    assert!(rooms.acquire().await.unwrap_err().is_closed());
    assert!(rooms.acquire_within(MS).await.unwrap_err().is_closed());
    assert!(rooms.try_acquire().unwrap_err().is_closed());
    assert_eq!((rooms.occupancy().in_use, rooms.occupancy().rejected), (0, 4));
    Ok(())
}

#[test]
fn a_place_granted_before_the_close_is_still_given() {
    let rooms = Bulkhead::new("rooms", 1);
    let place = rooms.try_acquire().unwrap();
    let mut waiter = pin!(rooms.acquire());
    assert!(poll_once(waiter.as_mut()).is_pending());
    place.release();
    rooms.close();
    assert!(matches!(poll_once(waiter.as_mut()), Poll::Ready(Ok(_))));
}

#[ballet::test]
async fn a_panic_or_a_cancellation_while_busy_gives_the_place_back() -> Result<(), Error> {
    let rooms = Bulkhead::new("rooms", 1);
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let inside = rooms.clone();
        let clumsy = s.spawn(async move { inside.acquire().await?.run(async { panic!("tripped") }).await });
        let clumsy: Result<(), _> = clumsy.await;
        assert!(clumsy.unwrap_err().panic().is_some());
        assert_eq!(rooms.occupancy().in_use, 0);

        let inside = rooms.clone();
        let slow = s
            .spawn(async move { inside.acquire().await?.run(std::future::pending::<Result<(), _>>()).await });
        while rooms.occupancy().busy == 0 {
            tokio::task::yield_now().await;
        }
        slow.job().cancel();
        assert!(slow.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .await?;
    assert_eq!((rooms.occupancy().in_use, rooms.occupancy().busy), (0, 0));
    Ok(())
}

/// Work that looks, when it is dropped, whether its place is still its own.
struct Tidy(Bulkhead, Arc<AtomicUsize>);

impl Drop for Tidy {
    fn drop(&mut self) {
        self.1.store(self.0.occupancy().in_use, Ordering::SeqCst);
    }
}

#[ballet::test]
async fn cancelled_work_is_gone_before_its_place_is_free() -> Result<(), Error> {
    let rooms = Bulkhead::new("rooms", 1);
    let in_use = Arc::new(AtomicUsize::new(0));
    let tidy = Tidy(rooms.clone(), Arc::clone(&in_use));
    let work = rooms.acquire().await?.run(async move {
        let _tidy = tidy;
        std::future::pending::<()>().await;
    });
    assert!(ballet::timeout(MS, work).await.is_err());
    assert_eq!((in_use.load(Ordering::SeqCst), rooms.occupancy().in_use), (1, 0));
    Ok(())
}

#[ballet::test]
async fn a_loop_over_free_places_lets_others_run() -> Result<(), Error> {
    let rooms = Bulkhead::new("rooms", 1);
    ballet::scope(async |s: Scope| {
        let inside = rooms.clone();
        let greedy = s.spawn(async move {
            loop {
                inside.acquire().await?.release();
            }
            #[expect(unreachable_code, reason = "names the type of the endless child")]
            Ok(())
        });
        tokio::task::yield_now().await;
        greedy.job().cancel();
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn who_waits_for_a_place_shows_it_in_the_tree_until_it_has_one() -> Result<(), Error> {
    let rooms = Bulkhead::new("rooms", 1);
    let place = rooms.acquire().await?;
    ballet::scope(async |s: Scope| {
        let inside = rooms.clone();
        let waiter = s.named("waiter").spawn(async move {
            let place = inside.acquire().await?;
            tokio::time::sleep(MS).await;
            place.release();
            Ok(())
        });
        let remarks = || s.tree().children.iter().flat_map(|job| job.remarks.clone()).collect::<Vec<_>>();
        assert_eq!(remarks(), [""; 0]);
        while rooms.occupancy().waiting == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(remarks(), ["waits for the bulkhead `rooms`: 1 of 1 places in use, 1 waiting"]);
        assert!(s.tree().to_string().contains(" · waits for the bulkhead `rooms`"));
        place.release();
        while rooms.occupancy().granted < 2 || !remarks().is_empty() {
            tokio::task::yield_now().await;
        }
        waiter.await;
        Ok(())
    })
    .await?;
    Ok(())
}

/// What the workers of a stress test do with the places they hold.
#[derive(Default)]
struct Floor {
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Floor {
    fn enter(self: &Arc<Self>) -> Stay {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        Stay(Arc::clone(self))
    }
}

struct Stay(Arc<Floor>);

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Comes and goes many times, by every way in and out; `steps` differs for each caller.
async fn come_and_go(rooms: Bulkhead, floor: Arc<Floor>, steps: usize) -> Result<(), Error> {
    for visit in steps..steps + 300 {
        let acquired = match visit % 4 {
            0 => rooms.try_acquire(),
            1 => rooms.acquire().await,
            2 => rooms.acquire_within(Duration::from_micros(50)).await,
            _ => {
                // Cancelled after a few polls, wherever it stands then.
                let mut turn = pin!(rooms.acquire());
                let mut patience = visit % 3;
                let polled = std::future::poll_fn(|cx| match turn.as_mut().poll(cx) {
                    Poll::Ready(answer) => Poll::Ready(Some(answer)),
                    Poll::Pending if patience == 0 => Poll::Ready(None),
                    Poll::Pending => {
                        patience -= 1;
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    }
                });
                match polled.await {
                    Some(answer) => answer,
                    None => continue,
                }
            }
        };
        let Ok(acquired) = acquired else { continue };
        acquired
            .run(async {
                let _stay = floor.enter();
                tokio::task::yield_now().await;
            })
            .await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_never_hold_more_places_than_there_are() -> Result<(), Error> {
    let (rooms, floor) = (Bulkhead::new("rooms", 3), Arc::new(Floor::default()));
    ballet::scope(async |s: Scope| {
        for caller in 0..16 {
            s.spawn(come_and_go(rooms.clone(), Arc::clone(&floor), caller));
        }
        Ok(())
    })
    .await?;
    let now = rooms.occupancy();
    assert!((1..=3).contains(&floor.most.load(Ordering::SeqCst)), "{now:?}");
    assert_eq!((now.in_use, now.busy, now.waiting), (0, 0, 0));
    assert!(now.granted > 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resizing_under_load_loses_no_place() -> Result<(), Error> {
    let (rooms, floor) = (Bulkhead::new("rooms", 1), Arc::new(Floor::default()));
    ballet::scope(async |s: Scope| {
        let callers = (0..8).map(|caller| s.spawn(come_and_go(rooms.clone(), Arc::clone(&floor), caller)));
        let callers: Vec<_> = callers.collect();
        let resized = rooms.clone();
        let builder = s.named("builder").spawn::<(), _>(async move {
            for places in (0..=4).cycle() {
                resized.resize(places);
                tokio::task::yield_now().await;
            }
            Ok(())
        });
        for caller in callers {
            caller.await;
        }
        builder.job().cancel();
        Ok(())
    })
    .await?;
    assert!(floor.most.load(Ordering::SeqCst) <= 4);
    rooms.resize(2);
    let now = rooms.occupancy();
    assert_eq!((now.in_use, now.busy, now.waiting), (0, 0, 0));
    let _both = (rooms.try_acquire().unwrap(), rooms.try_acquire().unwrap());
    assert!(rooms.try_acquire().is_err());
    Ok(())
}

#[ballet::test]
async fn work_that_is_dropped_before_it_began_is_gone_before_the_place_is_free() {
    struct Work(Bulkhead, Arc<AtomicUsize>);
    impl Drop for Work {
        fn drop(&mut self) {
            self.1.store(self.0.occupancy().in_use, Ordering::Relaxed);
        }
    }
    let (rooms, in_use) = (Bulkhead::new("rooms", 1), Arc::new(AtomicUsize::new(0)));
    let work = Work(rooms.clone(), Arc::clone(&in_use));
    let running = rooms.try_acquire().unwrap().run(async move { drop(work) });
    drop(running);
    assert_eq!((in_use.load(Ordering::Relaxed), rooms.occupancy().in_use), (1, 0));
}
