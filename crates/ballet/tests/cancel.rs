//! Finalizers, grace and adoption, beyond the cases in `conformance`: R4, R10–R13.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::observe::State;
use ballet::{Error, Reason, Scope};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep};

type Words = Arc<Mutex<Vec<&'static str>>>;

fn say(words: &Words, word: &'static str) {
    words.lock().expect("nobody panics while holding it").push(word);
}

#[ballet::test]
async fn finalizers_run_after_a_failure_a_panic_and_a_cancellation_of_the_job_around() -> Result<(), Error> {
    for (way, state) in [("err", State::Failed), ("panic", State::Panicked), ("cancel", State::Cancelled)] {
        let words = Words::default();
        let heard = Arc::clone(&words);
        let job = ballet::supervisor_scope(async |s: ballet::SupervisorScope| {
            let job = s.named(way).spawn(async move {
                ballet::scope(async |s: Scope| {
                    s.defer(async move {
                        sleep(Duration::from_secs(1)).await;
                        say(&heard, "finalized");
                        Ok(())
                    });
                    match way {
                        "err" => Err(Error::msg("err")),
                        "panic" => panic!("panic"),
                        _ => pending::<Result<(), Error>>().await,
                    }
                })
                .await
                .map_err(Error::from)
            });
            tokio::task::yield_now().await;
            if way == "cancel" {
                job.job().cancel();
            }
            let handle = job.job().clone();
            let _ = job.await;
            assert_eq!(
                *words.lock().unwrap(),
                ["finalized"],
                "{way}: the job has ended only when its scope has"
            );
            Ok(handle)
        })
        .await?;
        assert_eq!(job.state(), state);
    }
    Ok(())
}

#[ballet::test]
async fn a_finalizer_that_exceeds_its_budget_is_dropped_and_the_next_one_runs() -> Result<(), Error> {
    let words = Words::default();
    let heard = Arc::clone(&words);
    let began = Instant::now();
    ballet::scope(async |s: Scope| {
        s.defer(async move {
            say(&heard, "the next");
            Ok(())
        });
        s.defer_within(Duration::from_secs(2), pending());
        Ok(())
    })
    .await?;
    assert_eq!(*words.lock().unwrap(), ["the next"]);
    assert_eq!(began.elapsed().as_secs(), 2);
    Ok(())
}

#[ballet::test]
async fn a_scope_dropped_half_way_is_adopted_by_the_scope_around_it_which_waits() -> Result<(), Error> {
    let words = Words::default();
    let heard = Arc::clone(&words);
    let began = Instant::now();
    ballet::scope(async |s: Scope| {
        let inner = ballet::scope(async |s: Scope| {
            let (job, end) = (Arc::clone(&heard), Arc::clone(&heard));
            s.defer(async move {
                sleep(Duration::from_secs(1)).await;
                say(&end, "finalized");
                Ok(())
            });
            s.named("worker").spawn(async move {
                let reason = ballet::shield(ballet::cancelled()).await;
                assert!(matches!(reason, Reason::Dropped(_)), "{reason}");
                ballet::shield(sleep(Duration::from_secs(1))).await;
                say(&job, "cleaned up");
                Ok(())
            });
            pending::<Result<(), Error>>().await
        });
        let lost = tokio::time::timeout(Duration::from_secs(1), inner).await;
        assert!(lost.is_err());
        assert!(heard.lock().unwrap().is_empty(), "it is adopted, not waited for on the spot");
        assert!(s.tree().to_string().contains("adopted scope"), "{}", s.tree());
        Ok(())
    })
    .await?;
    assert_eq!(*words.lock().unwrap(), ["cleaned up", "finalized"]);
    assert_eq!(began.elapsed().as_secs(), 3);
    Ok(())
}

#[ballet::test]
async fn a_cancelled_job_ends_only_after_the_scopes_in_it() -> Result<(), Error> {
    let words = Words::default();
    let heard = Arc::clone(&words);
    ballet::scope(async |s: Scope| {
        let job = s.named("outer").spawn(async move {
            ballet::scope(async |s: Scope| {
                s.named("inner").spawn(async move {
                    let reason = ballet::shield(ballet::cancelled()).await;
                    assert!(matches!(reason, Reason::ParentEnded(_)), "{reason}");
                    say(&heard, "inner");
                    Ok(())
                });
                pending::<Result<(), Error>>().await
            })
            .await
            .map_err(Error::from)
        });
        sleep(Duration::from_secs(1)).await;
        let job = job.job().clone();
        job.cancel();
        while !job.state().is_ended() {
            tokio::task::yield_now().await;
        }
        assert_eq!(*words.lock().unwrap(), ["inner"]);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_graceful_child_ends_by_itself_or_is_dropped_when_its_budget_is_spent() -> Result<(), Error> {
    for (needs, state, seconds) in [(1, State::Completed, 1), (9, State::Cancelled, 3)] {
        let began = Instant::now();
        let job = ballet::scope(async |s: Scope| {
            let child = s.named("graceful").graceful(Duration::from_secs(3)).spawn(async move {
                ballet::cancelled().await;
                sleep(Duration::from_secs(needs)).await;
                Ok(())
            });
            let job = child.job().clone();
            tokio::task::yield_now().await;
            job.cancel();
            Ok(job)
        })
        .await?;
        assert_eq!((job.state(), began.elapsed().as_secs()), (state, seconds));
    }
    Ok(())
}

#[ballet::test]
async fn the_reason_names_the_failing_sibling_and_its_place() {
    let line = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&line);
    let mut spawned = 0;
    let _ = ballet::scope(async |s: Scope<&str>| {
        s.named("witness").spawn(async move {
            *seen.lock().unwrap() = Some(ballet::shield(ballet::cancelled()).await);
            Ok(())
        });
        spawned = line!() + 1;
        s.named("culprit").spawn(async { Err::<(), _>("oh") });
        Ok(())
    })
    .await;
    let reason = line.lock().unwrap().take().expect("the witness was asked");
    assert!(matches!(reason, Reason::SiblingFailed(_)));
    assert!(reason.origin().path().to_string().ends_with("/culprit"));
    assert_eq!(reason.origin().place().line(), spawned);
}

#[ballet::test]
#[should_panic(expected = "leaked what stands below it")]
async fn a_test_that_leaks_a_job_fails() {
    let mut scope = Box::pin(ballet::scope(async |s: Scope| {
        s.named("leak").spawn(pending::<Result<(), _>>());
        pending::<Result<(), Error>>().await
    }));
    let _ = futures_util::poll!(&mut scope);
    std::mem::forget(scope);
}

/// A job that begins a shield, hands it to another job, and is asked to end before that finishes it.
#[ballet::test]
async fn a_shield_that_another_task_finishes_lets_go_of_the_job_that_began_it() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let saving = ballet::shield(sleep(Duration::from_secs(3))).boxed().shared();
        let elsewhere = saving.clone();
        let hasty = s.named("hasty").spawn(async move {
            tokio::select! { () = saving => {}, () = sleep(Duration::from_secs(1)) => {} }
            pending::<Result<(), Error>>().await
        });
        let patient = s.named("patient").spawn(async move {
            sleep(Duration::from_millis(1)).await;
            elsewhere.await;
            Ok(())
        });
        sleep(Duration::from_secs(2)).await;
        hasty.job().cancel();
        patient.await;
        ballet::testing::wait_idle().await;
        assert_eq!(hasty.job().state(), State::Cancelled);
        Ok(())
    })
    .await?;
    Ok(())
}
