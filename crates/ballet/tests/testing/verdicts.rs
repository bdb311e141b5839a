//! What fails a test that has not failed by itself.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::testing::{run, take_unobserved};
use ballet::{Bulkhead, Error, FlowExt, Scope, SharedFlow, Sharing, StateFlow, SupervisorScope, channel};
use tokio::time::sleep;

use crate::support::{assert_says, failure_of};

async fn with_a_moth(s: SupervisorScope) -> Result<(), Error> {
    s.named("moth").spawn(async { Err::<(), _>(Error::msg("burnt")) });
    Ok(())
}

#[test]
fn a_failure_that_nobody_looked_at_fails_the_test_and_is_named() {
    let said = failure_of(|| {
        run("careless", async { ballet::supervisor_scope(with_a_moth).await }).unwrap();
    });
    assert_says(
        &said,
        &["nobody looked at a failure in the test `careless`", "careless/moth", "verdicts.rs:", "burnt"],
    );
}

#[test]
fn a_panic_of_an_adopted_child_fails_the_test_too() {
    let said = failure_of(|| {
        run("dropped", async {
            let scope = ballet::scope(async |s: Scope| {
                s.named("guest").spawn(ballet::shield(async {
                    sleep(Duration::from_secs(1)).await;
                    Err::<(), _>(Error::msg("late"))
                }));
                pending::<Result<(), _>>().await
            });
            let cut = tokio::time::timeout(Duration::from_millis(10), scope).await;
            assert!(cut.is_err());
        });
    });
    assert_says(&said, &["nobody looked at a failure", "dropped/guest", "late"]);
}

#[ballet::test]
async fn a_sink_of_its_own_is_a_look() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    ballet::supervisor_scope(async |s: SupervisorScope| {
        s.on_failure(move |failure| sink.lock().unwrap().push(failure.path().to_string()));
        with_a_moth(s).await
    })
    .await
    .unwrap();
    assert_eq!(*seen.lock().unwrap(), ["a_sink_of_its_own_is_a_look/moth"]);
}

#[ballet::test]
async fn taking_the_unobserved_is_a_look() {
    ballet::supervisor_scope(with_a_moth).await.unwrap();
    let taken = take_unobserved();
    assert_eq!(taken.len(), 1);
    assert_says(&taken[0], &["/moth", "burnt"]);
    assert!(take_unobserved().is_empty());
}

#[test]
fn one_test_does_not_see_the_failures_of_another() {
    let careless =
        std::thread::spawn(|| run("careless", async { ballet::supervisor_scope(with_a_moth).await }));
    run("careful", async { sleep(Duration::from_secs(1)).await });
    assert!(careless.join().is_err());
}

#[test]
fn a_leaked_job_fails_the_test() {
    let said = failure_of(|| {
        run("leaky", async {
            let mut scope = Box::pin(ballet::scope(async |s: Scope| {
                s.named("forgotten").spawn(pending::<Result<(), _>>());
                pending::<Result<(), _>>().await
            }));
            assert!(futures_util::poll!(&mut scope).is_pending());
            std::mem::forget(scope);
        });
    });
    assert_says(&said, &["leaked", "leaky/forgotten"]);
}

#[test]
fn a_test_in_which_everything_waits_says_who_waits_for_what() {
    let said = failure_of(|| {
        run("knot", async {
            sleep(Duration::from_secs(5)).await;
            let (_tx, rx) = channel::bounded::<u8>(1);
            let places = Bulkhead::new("the bar", 1);
            ballet::scope(async |s: Scope| {
                let _place = places.acquire().await?;
                let reader = s.named("reader").spawn(async move { Ok(rx.recv().await?) });
                let bar = places.clone();
                s.named("thirsty").spawn(async move { Ok(bar.acquire().await.map(drop)?) });
                s.named("waiter").spawn(async move { Ok(reader.await) }).await;
                Ok(())
            })
            .await
            .unwrap();
        });
    });
    assert_says(
        &said,
        &[
            "this test cannot go on: everything waits and no timer is left",
            "knot/reader",
            "waits to receive from a channel of u8",
            "knot/waiter",
            "awaits the end of knot/reader",
            "the bar",
            // Ages are those of the standstill, and not of the end of time.
            "5.0s",
        ],
    );
}

#[test]
fn those_who_wait_for_flows_say_for_which() {
    let said = failure_of(|| {
        run("flows", async {
            let (emitter, numbers) = SharedFlow::<u16>::new(Sharing::suspend(1));
            let (_cell, state) = StateFlow::new(7_u32);
            ballet::scope(async |s: Scope| {
                let mut idle = numbers.subscribe();
                let mut reader = numbers.subscribe();
                s.named("reader").spawn(async move {
                    while reader.recv().await.is_some() {}
                    Ok(())
                });
                let mut watcher = state.watch();
                s.named("watcher").spawn(async move {
                    while watcher.recv().await.is_some() {}
                    Ok(())
                });
                let code = ballet::flow(async |out| {
                    out.emit(1_u8).await;
                    pending::<()>().await;
                });
                s.named("buffered").spawn(async move {
                    code.buffer(4).drain().await;
                    Ok(())
                });
                s.named("emitter").spawn(async move {
                    for number in 0..3 {
                        emitter.emit(number).await?;
                    }
                    Ok(())
                });
                pending::<()>().await;
                Ok(idle.try_recv().map(drop))
            })
            .await
            .unwrap();
        });
    });
    assert_says(
        &said,
        &[
            "flows/reader",
            "waits for an item of a shared flow of u16",
            "flows/emitter",
            "waits to emit into a shared flow of u16",
            "flows/watcher",
            "waits for another state of u32",
            "flows/buffered",
            "waits for an item through a buffer of u8",
        ],
    );
}

#[test]
fn a_test_that_waits_for_nothing_at_all_fails_as_well() {
    assert_says(&failure_of(|| run("silence", pending::<()>())), &["cannot go on", "silence"]);
}

#[test]
fn a_job_that_goes_on_when_it_is_polled_once_more_has_lost_a_wake_up() {
    let said = failure_of(|| {
        run("deaf", async {
            let mut polls = 0;
            std::future::poll_fn(|_| {
                polls += 1;
                if polls == 1 { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
            })
            .await;
        });
    });
    assert_says(&said, &["a wake-up was lost", "running · 0.0ns"]);
}

#[ballet::test]
async fn timers_of_many_years_come_before_the_end_of_time() {
    for years in [1, 3, 100] {
        sleep(Duration::from_secs(years * 365 * 24 * 60 * 60)).await;
    }
}
