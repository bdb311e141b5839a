//! The kit, turned on the library: what hands things over, keeps places or starts again, cut between any two steps of
//! its tree, in many orders.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use ballet::channel::{self, OneOf2, after, select, select_fair};
use ballet::testing::cancel_at_every_await;
use ballet::{
    Backoff, Bulkhead, Error, FlowExt, Life, Retry, Scope, Supervisor, SupervisorScope, child, flow,
    yield_now,
};
use tokio::time::sleep;

const MS: Duration = Duration::from_millis(1);

/// How many of something there are.
#[derive(Clone, Default)]
struct Count(Arc<AtomicI64>);

/// One of them.
struct Counted(Count, u32);

impl Count {
    fn one(&self, number: u32) -> Counted {
        self.0.fetch_add(1, Ordering::SeqCst);
        Counted(self.clone(), number)
    }

    /// That there is none, as after every cut.
    #[track_caller]
    fn assert_none(&self) {
        assert_eq!(self.0.load(Ordering::SeqCst), 0, "some were not dropped, or twice");
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[ballet::test(seeds = 12)]
async fn what_is_in_a_channel_or_on_its_way_is_dropped_once_wherever_it_is_cut() {
    for places in [0, 1, 3] {
        let items = Count::default();
        cancel_at_every_await(async || {
            items.assert_none();
            let (tx, rx) = channel::bounded(places);
            let (made, sum) = (items.clone(), Arc::new(AtomicU32::new(0)));
            ballet::scope(async |s: Scope| {
                s.spawn(async move {
                    for number in 1..=5 {
                        tx.send(made.one(number)).await?;
                    }
                    Ok(())
                });
                for _ in 0..2 {
                    let (rx, sum) = (rx.clone(), Arc::clone(&sum));
                    s.spawn(async move {
                        while let Some(Counted(_, number)) = rx.recv().await?.as_ref() {
                            sum.fetch_add(*number, Ordering::SeqCst);
                            yield_now().await;
                        }
                        Ok(())
                    });
                }
                Ok(())
            })
            .await
            .unwrap();
            assert_eq!(sum.load(Ordering::SeqCst), 15);
        })
        .await;
        items.assert_none();
    }
}

#[ballet::test(seeds = 12)]
async fn a_select_that_is_cut_anywhere_keeps_nothing_and_takes_nothing_twice() {
    let items = Count::default();
    cancel_at_every_await(async || {
        items.assert_none();
        let (tx, rx) = channel::rendezvous();
        let (back, home) = channel::bounded(1);
        let made = items.clone();
        ballet::scope(async |s: Scope| {
            s.named("far").spawn(async move {
                while let Some(item) = rx.recv().await? {
                    back.send(item).await?;
                }
                Ok(())
            });
            let (mut sent, mut received) = (0, 0);
            while received < 4 {
                if sent == 4 {
                    if let OneOf2::First(item, _) = select_fair((home.recv(), after(MS))).await {
                        received += u32::from(item?.is_some());
                    }
                    continue;
                }
                match select((home.recv(), tx.send(made.one(sent)))).await {
                    OneOf2::First(item, _) => received += u32::from(item?.is_some()),
                    OneOf2::Second(went, _) => {
                        went?;
                        sent += 1;
                    }
                }
            }
            drop(tx);
            Ok(())
        })
        .await
        .unwrap();
    })
    .await;
    items.assert_none();
}

#[ballet::test(seeds = 12)]
async fn places_of_a_bulkhead_come_back_wherever_their_users_are_cut() {
    let places = Bulkhead::new("places", 2);
    cancel_at_every_await(async || {
        let occupancy = places.occupancy();
        assert_eq!((occupancy.in_use, occupancy.busy, occupancy.waiting), (0, 0, 0));
        ballet::scope(async |s: Scope| {
            for user in 1..=4 {
                let places = places.clone();
                s.spawn(async move {
                    let acquired = places.acquire_within(user * 3 * MS).await;
                    let Ok(acquired) = acquired else { return Ok(()) };
                    yield_now().await;
                    let _busy = acquired.begin();
                    sleep(4 * MS).await;
                    Ok(())
                });
            }
            Ok(())
        })
        .await
        .unwrap();
    })
    .await;
    assert_eq!((places.occupancy().in_use, places.occupancy().waiting), (0, 0));
}

#[ballet::test(seeds = 8)]
async fn a_supervisor_that_is_cut_anywhere_leaves_no_life_behind() {
    let lives = Count::default();
    cancel_at_every_await(async || {
        lives.assert_none();
        let supervisor = Supervisor::rest_for_one().intensity(10, Duration::from_secs(1));
        let children = supervisor.children();
        let worker = |name| {
            let (lives, children) = (lives.clone(), children.clone());
            // No life fails: one that does just when its supervisor is cut is told to the default end.
            child(name).backoff(Backoff::exponential(MS, 4 * MS)).run(async move |life: Life| {
                let _alive = lives.one(life.restarts());
                life.ready();
                sleep(2 * MS).await;
                if life.restarts() == 2 {
                    children.stop();
                }
                Ok::<_, Error>(())
            })
        };
        let report = supervisor.child(worker("first")).child(worker("second")).run().await.unwrap();
        assert!(report.restarts() >= 2);
    })
    .await;
    lives.assert_none();
}

#[ballet::test(seeds = 8, cancel_at_every_await)]
async fn a_retry_can_be_cut_between_any_attempts() {
    let calls = AtomicU32::new(0);
    let retry = Retry::new(4, Backoff::exponential(MS, 20 * MS));
    let answer = retry.run(async |attempt| {
        calls.fetch_add(1, Ordering::SeqCst);
        let call = ballet::supervisor_scope(async |s: SupervisorScope| {
            // Cut between a failure and its look, nobody else would have looked.
            s.on_failure(|_| {});
            let job = s.spawn(async move {
                sleep(MS).await;
                if attempt < 3 { Err(Error::msg("busy")) } else { Ok(attempt) }
            });
            Ok(job.await?)
        });
        call.await.map_err(|failure| failure.to_string())
    });
    assert_eq!(answer.await, Ok(3));
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[ballet::test(seeds = 8)]
async fn a_buffered_flow_that_is_cut_anywhere_drops_each_item_once() {
    let items = Count::default();
    cancel_at_every_await(async || {
        items.assert_none();
        let made = items.clone();
        let worked = flow::iter(1..=6)
            .map(move |number| made.one(number))
            .buffer(2)
            .map_par(2, async |item: Counted| {
                sleep(item.1 % 3 * MS).await;
                item
            })
            .buffer(1)
            .map(|item| item.1);
        assert_eq!(worked.collect::<Vec<_>>().await, [1, 2, 3, 4, 5, 6]);
    })
    .await;
    items.assert_none();
}
