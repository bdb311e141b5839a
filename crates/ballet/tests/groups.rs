//! Many children at once: `spawn_all`, and groups that run at most so many of them.

#[path = "support/cut.rs"]
mod cut;

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::observe::State;
use ballet::testing::take_unobserved;
use ballet::{Error, Group, Isolated, Scope, SupervisorScope};
use futures_util::{FutureExt, poll};
use tokio::time::{Instant, sleep};

use cut::cut_at_yield;

const SECOND: Duration = Duration::from_secs(1);

/// How many are inside now, and how many were at most.
#[derive(Default)]
struct Room {
    inside: AtomicUsize,
    most: AtomicUsize,
}

struct Visit(Arc<Room>);

impl Visit {
    fn to(room: &Arc<Room>) -> Self {
        let inside = room.inside.fetch_add(1, Ordering::SeqCst) + 1;
        room.most.fetch_max(inside, Ordering::SeqCst);
        Self(Arc::clone(room))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "bomb");
    }
}

/// Ready when every slot of the group is free; the slots of ended children must come back.
async fn wait_free<D>(group: &Group<Error, D>, slots: usize) {
    let free = async {
        while group.free() < slots {
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(SECOND * 60, free).await.unwrap_or_else(|_| panic!("{group:?} leaked a slot"));
}

#[ballet::test]
async fn spawns_each_future_of_an_iterator_and_keeps_their_order() -> Result<(), Error> {
    let began = Instant::now();
    let squares = ballet::scope(async |s: Scope| {
        let squares = s.named("square").spawn_all((1..=4_u32).map(|side| async move {
            sleep(SECOND * (5 - side)).await;
            Ok(side * side)
        }));
        assert!(squares.iter().all(|square| square.job().name() == "square"));
        assert_eq!(squares[0].job().place().line(), line!() - 5);
        Ok(futures_util::future::join_all(squares).await)
    })
    .await?;
    assert_eq!((squares, began.elapsed()), (vec![1, 4, 9, 16], SECOND * 4));
    Ok(())
}

#[ballet::test]
async fn spawning_all_into_a_cancelled_scope_polls_none() {
    let failure = ballet::scope(async |s: Scope| {
        s.cancel();
        let refused = s.spawn_all((0..3).map(|_| async { panic!("polled") as Result<(), _> }));
        assert!(refused.iter().all(|job| job.job().state() == State::Cancelled));
        Ok(())
    })
    .await;
    failure.unwrap();
}

#[ballet::test]
async fn runs_at_most_so_many_at_once_and_the_producer_waits() -> Result<(), Error> {
    let (room, began) = (Arc::new(Room::default()), Instant::now());
    ballet::scope(async |s: Scope| {
        let group = s.max_concurrent(3);
        for number in 0..9 {
            let room = Arc::clone(&room);
            group
                .spawn(async move {
                    let _visit = Visit::to(&room);
                    sleep(SECOND).await;
                    Ok(())
                })
                .await;
            assert_eq!(began.elapsed(), SECOND * (number / 3), "child {number} began when a slot was free");
        }
        Ok(())
    })
    .await?;
    assert_eq!((room.most.load(Ordering::SeqCst), began.elapsed()), (3, SECOND * 3));
    Ok(())
}

#[ballet::test]
async fn children_past_the_group_are_not_counted() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let group = s.max_concurrent(1);
        let held = group.spawn(pending::<Result<(), _>>()).await;
        assert_eq!(s.spawn(async { Ok("past it") }).await, "past it");
        assert_eq!(s.max_concurrent(1).spawn(async { Ok("in another") }).await.await, "in another");
        assert!(group.clone().try_slot().is_none(), "clones share the slots");
        held.job().cancel();
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_slot_is_free_again_however_its_child_ends() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        s.on_failure(|_| {});
        let group = s.max_concurrent(1);
        group.spawn(async { Ok(()) }).await.await?;
        wait_free(&group, 1).await;

        group.spawn(async { Err::<(), _>(Error::msg("failed")) }).await.await.unwrap_err();
        wait_free(&group, 1).await;

        group.spawn::<(), _>(async { panic!("slipped") }).await.await.unwrap_err();
        wait_free(&group, 1).await;

        let bomb = Bomb;
        let carrier = async move {
            let _bomb = bomb;
            pending::<Result<(), _>>().await
        };
        let carrier = group.spawn(carrier).await;
        tokio::task::yield_now().await;
        carrier.job().cancel();
        assert!(carrier.await.unwrap_err().is_panic());
        wait_free(&group, 1).await;

        let unpolled = group.spawn(pending::<Result<(), _>>()).await;
        unpolled.job().cancel();
        wait_free(&group, 1).await;

        drop(group.slot().await);
        assert_eq!(group.free(), 1, "a slot that nobody used");

        s.cancel();
        group.spawn(async { Ok(()) }).await.await.unwrap_err();
        assert_eq!(group.free(), 1, "a child that was refused");
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_panic_outranks_errors_and_gives_its_slot_back() {
    let seen = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&seen);
    let scope = ballet::scope(async move |s: Scope| {
        let group = s.max_concurrent(3);
        *kept.lock().unwrap() = Some(group.clone());
        let late = || async {
            ballet::shield(ballet::cancelled()).await;
            Err::<(), _>(Error::msg("an error, later"))
        };
        group.spawn(late()).await;
        group.spawn(late()).await;
        let clown = group.slot().await.named("clown");
        clown.spawn::<(), _>(async { panic!("slipped") });
        pending::<Result<(), _>>().await
    });
    let payload = AssertUnwindSafe(scope).catch_unwind().await.unwrap_err();
    let message = payload.downcast_ref::<String>().unwrap();
    assert!(message.contains("/clown`, spawned at ") && message.ends_with("panicked: slipped"), "{message}");
    let group = seen.lock().unwrap().take().unwrap();
    assert_eq!(group.free(), 3);
    assert_eq!(take_unobserved().len(), 2, "beside a panic, errors go to the default end");
}

#[ballet::test]
async fn a_spawn_that_waits_can_be_dropped_at_any_yield_and_loses_no_slot() -> Result<(), Error> {
    for limit in 1.. {
        let spawned = ballet::scope(async |s: Scope| {
            let group = s.max_concurrent(1);
            group.spawn(sleep(SECOND).map(Ok)).await;
            let waiting = group.spawn(async { Ok(()) });
            let spawned = cut_at_yield(limit, waiting).await.is_some();
            wait_free(&group, 1).await;
            Ok(spawned)
        })
        .await?;
        if spawned {
            assert!(limit > 1, "it never waited");
            break;
        }
    }
    Ok(())
}

#[ballet::test]
async fn a_waiter_that_was_given_a_slot_and_is_dropped_before_it_wakes_passes_it_on() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let group = s.max_concurrent(1);
        let held = group.slot().await;
        {
            let mut first = pin!(group.slot());
            assert!(poll!(&mut first).is_pending());
            drop(held);
        }
        assert!(group.try_slot().is_some());
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn waiters_get_their_slots_in_the_order_in_which_they_asked() -> Result<(), Error> {
    let order = Arc::new(Mutex::new(Vec::new()));
    ballet::scope(async |s: Scope| {
        let group = s.max_concurrent(1);
        let held = group.slot().await;
        let (mut first, mut second) = (pin!(group.slot()), pin!(group.slot()));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        drop(held);
        assert!(poll!(&mut second).is_pending(), "the first was earlier");
        for (name, slot) in [("first", first), ("second", second)] {
            let order = Arc::clone(&order);
            slot.await.spawn(async move {
                order.lock().expect("nobody panics while holding it").push(name);
                Ok(())
            });
        }
        Ok(())
    })
    .await?;
    assert_eq!(*order.lock().unwrap(), ["first", "second"]);
    Ok(())
}

#[ballet::test]
async fn whoever_waits_for_a_slot_of_a_cancelled_scope_is_ended_with_it_or_refused() -> Result<(), Error> {
    ballet::scope(async |outside: Scope| {
        let (give, group) = tokio::sync::oneshot::channel();
        let inner = ballet::scope(async |s: Scope| {
            let group = s.max_concurrent(1);
            group.spawn(pending::<Result<(), _>>()).await;
            give.send(group.clone()).ok();
            group.spawn(async { Ok(()) }).await; // ended here
            Ok(())
        });
        let waiter = outside.spawn(async move {
            let group = group.await?;
            let refused = group.spawn(async { panic!("polled") as Result<(), _> }).await;
            Ok(refused.job().state())
        });
        ballet::timeout(SECOND, inner).await.unwrap_err();
        assert_eq!(waiter.await, State::Cancelled);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
#[should_panic(expected = "a group of zero children at a time could never run one")]
async fn a_group_of_zero_is_refused_at_once() {
    let scope = ballet::scope(async |s: Scope| {
        let _ = s.max_concurrent(0);
        Ok(())
    });
    drop(scope.await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_workers_the_bound_holds_and_every_slot_comes_back() -> Result<(), Error> {
    let room = Arc::new(Room::default());
    let scope = ballet::supervisor_scope(async |s: SupervisorScope| {
        s.on_failure(|_| {});
        let group: Group<Error, Isolated> = s.max_concurrent(3);
        for number in 0..600 {
            let room = Arc::clone(&room);
            let child = group.spawn(async move {
                let _visit = Visit::to(&room);
                tokio::task::yield_now().await;
                match number % 4 {
                    0 => Ok(()),
                    1 => Err(Error::msg("failed")),
                    2 => std::panic::resume_unwind(Box::new("quietly")),
                    _ => pending().await,
                }
            });
            let child = child.await;
            if number % 4 == 3 {
                child.job().cancel();
            }
        }
        wait_free(&group, 3).await;
        Ok(())
    });
    tokio::time::timeout(SECOND * 60, scope).await??;
    assert!((1..=3).contains(&room.most.load(Ordering::SeqCst)));
    assert_eq!(room.inside.load(Ordering::SeqCst), 0);
    Ok(())
}
