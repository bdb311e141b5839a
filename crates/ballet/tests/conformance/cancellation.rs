//! Cancellation reaches everything and cannot be swallowed: R10–R12.

use std::future::pending;
use std::time::Duration;

use ballet::observe::State;
use ballet::{Deferred, Error, Scope, SupervisorScope};
use tokio::time::{Instant, sleep};

use crate::words::Words;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// In the source every checkpoint of cancelled code raises again. Here there is no second checkpoint: the code is
/// dropped at the first (R10).
#[ballet::test]
async fn c29_cancelling_twice_does_nothing_more_and_no_sleep_outlives_it() {
    let began = Instant::now();
    let words = Words::default();
    let failure = ballet::scope(async |s: Scope| {
        s.cancel();
        let first = line!() - 1;
        s.cancel();
        assert_eq!(s.reason().map(|reason| reason.origin().place().line()), Some(first));
        sleep(seconds(1)).await;
        words.say("after the first sleep");
        sleep(seconds(1)).await;
        Ok(())
    })
    .await
    .unwrap_err();
    assert!(failure.is_cancelled());
    assert!(words.said().is_empty() && began.elapsed().is_zero());
}

/// Nothing can be swallowed, because no error value is involved (R10): however the code loops, it is dropped.
#[ballet::test]
async fn c30_a_job_cannot_swallow_its_cancellation() {
    let began = Instant::now();
    let failure = ballet::scope(async |s: Scope| {
        let stubborn: Deferred<()> = s.spawn(async {
            loop {
                let _ = ballet::timeout(seconds(2), pending::<()>()).await;
            }
        });
        sleep(seconds(5)).await;
        s.cancel();
        stubborn.await;
        Ok(())
    })
    .await
    .unwrap_err();
    assert!(failure.is_cancelled());
    assert_eq!(began.elapsed(), seconds(5));
}

/// In the source, cancelling waits. Here it asks (R12), and waiting is what one does with a `Deferred` or a scope:
/// neither gives anything before the job's finalizers have run, whoever asked first.
#[ballet::test]
async fn c40_two_who_cancel_the_same_job_both_wait_for_its_slow_finalizer() -> Result<(), Error> {
    let began = Instant::now();
    let words = Words::default();
    let cleanup = words.clone();
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let job = s.spawn(async move {
            ballet::scope(async |s: Scope| {
                s.defer(async move {
                    sleep(seconds(3)).await;
                    cleanup.say("finalized");
                    Ok(())
                });
                pending::<Result<(), Error>>().await
            })
            .await?;
            Ok(())
        });
        let handle = job.job().clone();
        let first = s.spawn(async move {
            sleep(seconds(1)).await;
            job.job().cancel();
            let failure = job.await.unwrap_err();
            assert!(failure.is_cancelled());
            Ok(Instant::now())
        });
        sleep(seconds(2)).await;
        handle.cancel();
        assert_eq!(handle.state(), State::Cancelling);
        assert_eq!(first.await? - began, seconds(1 + 3));
        Ok(())
    })
    .await?;
    assert_eq!(words.said(), ["finalized"]);
    assert_eq!(began.elapsed(), seconds(1 + 3));
    Ok(())
}
