//! Whatever becomes of a worker, its place comes back, once; and never are more granted than there are.

use std::future::pending;
use std::time::Duration;

use ballet::{Bulkhead, Error, Scope, SupervisorScope};
use pool::{Event, Idle, Policy, Step, Story};

/// The most places that were held at any moment of a trace.
fn most_at_once(events: &[Event]) -> usize {
    let mut held = 0_usize;
    let inside = events.iter().map(|event| {
        match event.step {
            Step::Acquired => held += 1,
            Step::Released => held -= 1,
            Step::Rejected => {}
        }
        held
    });
    inside.max().unwrap_or(0)
}

#[ballet::test]
async fn a_worker_goes_around_and_around() {
    let (recorder, mut trace) = pool::trace();
    let pool = Bulkhead::new("pool", 1);
    let mut idle = Idle::new(7, &pool, &recorder);
    for _ in 0..3 {
        let busy = idle.try_acquire().unwrap().begin();
        assert_eq!((pool.occupancy().in_use, pool.occupancy().busy), (1, 1));
        idle = busy.end();
        assert_eq!(pool.occupancy().in_use, 0);
    }
    let steps: Vec<_> = trace.so_far().iter().map(|event| event.step).collect();
    assert_eq!(steps, [Step::Acquired, Step::Released].repeat(3));
}

#[ballet::test]
async fn a_cancelled_acquisition_is_idle_again() {
    let (recorder, mut trace) = pool::trace();
    let pool = Bulkhead::new("pool", 1);
    let acquired = Idle::new(1, &pool, &recorder).try_acquire().unwrap();
    let turned_away = Idle::new(2, &pool, &recorder).try_acquire().unwrap_err();
    assert_eq!(turned_away.rejected.in_use(), 1);
    let first = acquired.cancel();
    drop(turned_away.idle.try_acquire().unwrap());
    drop(first.try_acquire().unwrap());
    assert_eq!(most_at_once(&trace.so_far()), 1);
    assert_eq!(pool.occupancy().in_use, 0);
}

#[ballet::test]
async fn a_panic_at_work_gives_the_place_back() -> Result<(), Error> {
    let (recorder, mut trace) = pool::trace();
    let pool = Bulkhead::new("pool", 1);
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let idle = Idle::new(1, &pool, &recorder);
        let clumsy = s.spawn(async move {
            let acquired = idle.acquire().await.map_err(|away| away.rejected)?;
            acquired.begin().work(async { panic!("tripped") }).await;
            Ok(())
        });
        assert!(clumsy.await.unwrap_err().panic().is_some());
        Ok(())
    })
    .await?;
    let steps: Vec<_> = trace.so_far().iter().map(|event| event.step).collect();
    assert_eq!((steps.as_slice(), pool.occupancy().in_use), (&[Step::Acquired, Step::Released][..], 0));
    Ok(())
}

#[ballet::test]
async fn a_cancellation_gives_the_place_back_whether_waiting_acquired_or_busy() -> Result<(), Error> {
    let (recorder, mut trace) = pool::trace();
    let pool = Bulkhead::new("pool", 2);
    ballet::scope(async |s: Scope| {
        for number in 1..=4 {
            let idle = Idle::new(number, &pool, &recorder);
            s.spawn(async move {
                let acquired = idle.acquire().await.map_err(|away| away.rejected)?;
                if number == 1 {
                    pending::<()>().await;
                }
                acquired.begin().work(pending::<()>()).await;
                Ok(())
            });
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let now = pool.occupancy();
        assert_eq!((now.in_use, now.busy, now.waiting), (2, 1, 2));
        s.cancel_children();
        Ok(())
    })
    .await?;
    let now = pool.occupancy();
    assert_eq!((now.in_use, now.busy, now.waiting), (0, 0, 0));
    let events = trace.so_far();
    assert_eq!(most_at_once(&events), 2);
    let count = |step| events.iter().filter(|event| event.step == step).count();
    assert_eq!(count(Step::Acquired), count(Step::Released));
    Ok(())
}

#[ballet::test]
async fn a_pool_that_shrinks_lets_nobody_in_until_enough_have_left() -> Result<(), Error> {
    let (recorder, mut trace) = pool::trace();
    let pool = Bulkhead::new("pool", 3);
    let hire = |number| Idle::new(number, &pool, &recorder);
    let mut inside: Vec<_> = (1..=3).map(|number| hire(number).try_acquire().unwrap().begin()).collect();
    pool.resize(1);
    for _ in 0..2 {
        inside.remove(0).end();
        assert!(hire(4).try_acquire().is_err());
    }
    inside.remove(0).end();
    let fourth = hire(4).acquire().await.unwrap();
    assert!(hire(5).try_acquire().is_err());
    pool.resize(2);
    let fifth = hire(5).try_acquire().unwrap();
    drop((fourth, fifth));
    assert_eq!((most_at_once(&trace.so_far()), pool.occupancy().in_use), (3, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_size_is_ever_exceeded_on_two_real_workers() -> Result<(), Error> {
    for (places, policy) in [(0, Policy::Reject), (1, Policy::Retry), (3, Policy::Retry), (7, Policy::Reject)]
    {
        let (recorder, mut trace) = pool::trace();
        let story = Story { workers: 300, places, policy, interval: Duration::ZERO, work: Duration::ZERO };
        let occupancy = story.play(recorder).await?;
        let events = trace.so_far();
        assert!(most_at_once(&events) <= places, "{places} places: {events:?}");
        assert_eq!((occupancy.in_use, occupancy.waiting), (0, 0));
        let count = |step| events.iter().filter(|event| event.step == step).count();
        assert_eq!(count(Step::Acquired), count(Step::Released));
        if policy == Policy::Retry {
            assert_eq!(count(Step::Acquired), 300);
        }
    }
    Ok(())
}

#[ballet::test(seeds = 8)]
async fn a_worker_that_is_cut_anywhere_on_its_way_gives_its_place_back() {
    let pool = Bulkhead::new("pool", 1);
    ballet::testing::cancel_at_every_await(async || {
        assert_eq!((pool.occupancy().in_use, pool.occupancy().waiting), (0, 0));
        let (recorder, mut trace) = pool::trace();
        ballet::scope(async |s: Scope| {
            for number in 1..=3 {
                let idle = Idle::new(number, &pool, &recorder);
                s.spawn(async move {
                    let acquired = idle.acquire().await.map_err(|away| away.rejected)?;
                    let sleep = tokio::time::sleep(Duration::from_millis(5));
                    acquired.begin().work(sleep).await;
                    Ok(())
                });
            }
            Ok(())
        })
        .await
        .unwrap();
        let events = trace.so_far();
        assert_eq!((events.len(), most_at_once(&events)), (6, 1));
    })
    .await;
}
