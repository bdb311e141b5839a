//! Orders of polls, drawn from seeds.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::testing::{run, run_seeds};
use ballet::{Backoff, Dispatcher, Error, LocalScope, Scope, channel};

use crate::support::{assert_says, failure_of};

type Log = Arc<Mutex<Vec<u32>>>;

/// Four children that yield twice each; the order of their steps.
async fn steps() -> Vec<u32> {
    let log = Log::default();
    ballet::scope(async |s: Scope| {
        for child in 0..4 {
            let log = Arc::clone(&log);
            s.spawn(async move {
                for _ in 0..3 {
                    log.lock().unwrap().push(child);
                    ballet::yield_now().await;
                }
                Ok(())
            });
        }
        Ok(())
    })
    .await
    .unwrap();
    log.lock().unwrap().clone()
}

async fn local_steps() -> Vec<u32> {
    let log = Log::default();
    let lent = &log;
    ballet::local_scope(async |s: LocalScope<'_, Error>| {
        for child in 0..4 {
            s.spawn(async move {
                for _ in 0..3 {
                    lent.lock().unwrap().push(child);
                    ballet::yield_now().await;
                }
                Ok(())
            });
        }
        Ok(())
    })
    .await
    .unwrap();
    log.lock().unwrap().clone()
}

fn orders(seeds: u64, steps: impl AsyncFn() -> Vec<u32>) -> Vec<Vec<u32>> {
    let orders = Mutex::default();
    run_seeds("orders", seeds, async || {
        let order = steps().await;
        orders.lock().map(|mut orders: std::sync::MutexGuard<'_, Vec<_>>| orders.push(order)).unwrap();
    });
    orders.into_inner().unwrap()
}

fn distinct(orders: &[Vec<u32>]) -> usize {
    orders.iter().collect::<HashSet<_>>().len()
}

#[test]
fn each_seed_has_its_order_and_always_the_same() {
    let first = orders(50, steps);
    assert_eq!(first, orders(50, steps));
    assert!(distinct(&first) > 40, "{} of 50 orders differ", distinct(&first));
    let local = orders(50, local_steps);
    assert_eq!(local, orders(50, local_steps));
    assert!(distinct(&local) > 40, "{} of 50 local orders differ", distinct(&local));
}

#[test]
fn without_a_seed_the_order_is_always_the_same() {
    let plain = || run("plain", steps());
    let order = plain();
    assert!((0..10).all(|_| plain() == order));
}

/// A look and a change with a yield between them: two children lose one of two changes where one runs between.
async fn race_for_a_ticket() {
    let tickets = Arc::new(Mutex::new(0));
    ballet::scope(async |s: Scope| {
        for _ in 0..2 {
            let tickets = Arc::clone(&tickets);
            s.spawn(async move {
                // Each reads as soon as it runs, and writes when it is polled again, if the other is quick.
                let seen = *tickets.lock().unwrap();
                if seen == 0 {
                    *tickets.lock().unwrap() += 1;
                }
                ballet::yield_now().await;
                *tickets.lock().unwrap() = seen + 1;
                Ok(())
            });
        }
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(*tickets.lock().unwrap(), 2);
}

#[test]
fn an_order_in_which_a_race_is_lost_is_found() {
    run("the order of the queue never loses it", race_for_a_ticket());
    let said = failure_of(|| run_seeds("some order does", 64, race_for_a_ticket));
    assert_says(&said, &["left: 1", "right: 2"]);
}

#[test]
fn a_test_that_returns_an_error_under_some_seed_fails() {
    let said = failure_of(|| run_seeds("torn", 1, async || Err::<(), _>(Error::msg("torn"))));
    assert_says(&said, &["the test `torn` returned an error", "torn"]);
}

#[ballet::test(seeds = 16)]
async fn a_channel_keeps_the_order_of_a_sender_whatever_the_order_of_polls() -> Result<(), Error> {
    let (tx, rx) = channel::bounded::<u32>(2);
    ballet::scope(async |s: Scope| {
        let limited = Dispatcher::limited(1, "narrow");
        s.named("noise").on(&limited).spawn(async {
            for _ in 0..20 {
                ballet::yield_now().await;
            }
            Ok(())
        });
        s.spawn(async move {
            for n in 0..20 {
                tx.send(n).await?;
            }
            Ok(())
        });
        let mut received = Vec::new();
        while let Some(n) = rx.recv().await? {
            received.push(n);
        }
        assert_eq!(received, (0..20).collect::<Vec<_>>());
        Ok(())
    })
    .await?;
    Ok(())
}

#[test]
fn the_jitter_of_a_backoff_comes_from_the_seed() {
    let jitter = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
    let drawn = || {
        let drawn = Mutex::new(Vec::new());
        run_seeds("drawing delays", 4, async || {
            drawn.lock().unwrap().push([0, 3, 5].map(|failures| jitter.delay(failures)));
        });
        drawn.into_inner().unwrap()
    };
    let (first, second) = (drawn(), drawn());
    assert_eq!(first, second);
    assert_ne!(first[0], first[1]);
}
