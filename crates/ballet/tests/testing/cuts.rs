//! A test that is dropped at each of its yields.

use std::cell::Cell;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ballet::testing::{cancel_at_every_await, run};
use ballet::{Error, LocalScope, Scope, SupervisorScope};
use tokio::time::sleep;

use crate::support::{assert_says, failure_of};

const S: Duration = Duration::from_secs(1);

#[ballet::test]
async fn a_body_is_cut_at_each_of_its_yields_and_then_comes_to_its_end() {
    let (begun, past) = (Cell::new(0), Cell::new([0; 4]));
    let count = |step: usize| {
        let mut counts = past.get();
        counts[step] += 1;
        past.set(counts);
    };
    let result = cancel_at_every_await(async || {
        begun.set(begun.get() + 1);
        for step in 0..3 {
            sleep(S).await;
            count(step);
        }
        count(3);
        "done"
    })
    .await;
    assert_eq!((result, begun.get(), past.get()), ("done", 4, [3, 2, 1, 1]));
}

#[ballet::test]
async fn steps_of_children_are_yields_too() {
    let (steps, finalized, deferred) = (AtomicU32::new(0), Arc::new(AtomicU32::new(0)), AtomicU32::new(0));
    let (steps, deferred) = (&steps, &deferred);
    let runs = AtomicU32::new(0);
    cancel_at_every_await(async || {
        runs.fetch_add(1, Ordering::SeqCst);
        let finalized = Arc::clone(&finalized);
        ballet::local_scope(async |s: LocalScope<'_, Error>| {
            for _ in 0..2 {
                s.spawn(async {
                    for _ in 0..5 {
                        steps.fetch_add(1, Ordering::SeqCst);
                        sleep(S).await;
                    }
                    Ok(())
                });
            }
            Ok(())
        })
        .await
        .unwrap();
        ballet::scope(async |s: Scope| {
            deferred.fetch_add(1, Ordering::SeqCst);
            s.defer(async move {
                sleep(S).await;
                finalized.fetch_add(1, Ordering::SeqCst);
                Ok(())
            });
            s.spawn(async {
                sleep(S).await;
                Ok(())
            });
            Ok(())
        })
        .await
        .unwrap();
    })
    .await;
    assert!(runs.load(Ordering::SeqCst) > 15, "{runs:?} runs");
    assert!(deferred.load(Ordering::SeqCst) > 1);
    assert_eq!(deferred.load(Ordering::SeqCst), finalized.load(Ordering::SeqCst));
}

#[test]
fn a_failure_that_only_a_cut_brings_about_is_found_and_its_yield_named() {
    let said = failure_of(|| {
        run(
            "cut",
            cancel_at_every_await(async || {
                sleep(S).await;
                ballet::supervisor_scope(async |s: SupervisorScope| {
                    let job = s.named("writer").spawn(async {
                        ballet::shield(sleep(2 * S)).await;
                        Err::<(), _>(Error::msg("half a file"))
                    });
                    let _ = job.await;
                    Ok(())
                })
                .await
                .unwrap();
            }),
        );
    });
    assert_says(
        &said,
        &["after a cut", "cut at yield 3", "nobody looked at a failure", "half a file", "writer · job"],
    );
}

#[test]
fn a_finalizer_that_does_not_end_is_found() {
    let said = failure_of(|| {
        run(
            "cut",
            cancel_at_every_await(async || {
                ballet::scope(async |s: Scope| {
                    s.defer_within(S, async { pending().await });
                    sleep(S).await;
                    Ok(())
                })
                .await
                .unwrap();
            }),
        );
    });
    assert_says(&said, &["finalizers did not end within their budgets", "cut at yield 1"]);
}

#[test]
fn an_assertion_that_a_cut_breaks_fails_the_test() {
    let held = Cell::new(false);
    let said = failure_of(|| {
        run(
            "cut",
            cancel_at_every_await(async || {
                assert!(!held.replace(true), "it is still held");
                sleep(S).await;
                held.set(false);
            }),
        );
    });
    assert_says(&said, &["it is still held"]);
}

#[ballet::test(cancel_at_every_await)]
async fn the_attribute_cuts_the_whole_test() -> Result<(), Error> {
    let s = ballet::scope(async |s: Scope| {
        s.spawn(async {
            sleep(S).await;
            Ok(())
        });
        Ok(s.tree().children.len())
    });
    assert_eq!(s.await?, 1);
    Ok(())
}

#[ballet::test(seeds = 8, cancel_at_every_await)]
async fn every_order_can_be_cut_everywhere() {
    ballet::scope(async |s: Scope| {
        for seconds in 1..4 {
            s.spawn(async move {
                sleep(seconds * S).await;
                Ok(())
            });
        }
        Ok(())
    })
    .await
    .unwrap();
}
