//! Which failure a scope returns, when, and what rides along with it: R6.

use std::future::pending;
use std::time::Duration;

use ballet::{Error, Failure, Scope};
use tokio::time::{Instant, sleep};

use crate::words::Words;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn suppressed<'a>(failure: &'a Failure<&'static str>) -> Vec<&'a str> {
    failure.suppressed().iter().filter_map(Failure::error).copied().collect()
}

#[ballet::test]
async fn c02_a_failing_child_cancels_its_sibling_and_fails_the_scope_but_not_the_caller() {
    let words = Words::default();
    let sleeper = words.say_on_drop("the sleeper is cut");
    let failure = ballet::scope(async |s: Scope<&str>| {
        s.named("sleeper").spawn(async move {
            let _sleeper = sleeper;
            pending::<Result<(), _>>().await
        });
        s.named("faller").spawn(async {
            sleep(seconds(1)).await;
            Err::<(), _>("fell")
        });
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"fell"));
    assert!(failure.path().to_string().ends_with("/faller"), "{failure}");
    assert_eq!(words.said(), ["the sleeper is cut"]);
    sleep(seconds(1)).await;
    words.say("the caller goes on");
    assert_eq!(words.said().len(), 2);
}

#[ballet::test]
async fn c04_a_value_is_lost_when_a_child_fails_after_the_body_has_returned() {
    let failure = ballet::scope(async |s: Scope<&str>| {
        s.spawn(async {
            sleep(seconds(1)).await;
            Err::<(), _>("late")
        });
        Ok(10)
    })
    .await
    .unwrap_err();
    assert_eq!(failure.into_error().unwrap(), "late");
}

#[ballet::test]
async fn c05_the_error_reaches_the_owner_only_after_a_siblings_cleanup() {
    let began = Instant::now();
    let words = Words::default();
    let cleanup = words.clone();
    let failure = ballet::scope(async |s: Scope<&str>| {
        s.spawn(async move {
            let inner = ballet::scope(async |s: Scope| {
                s.defer(async move {
                    sleep(Duration::from_millis(100)).await;
                    cleanup.say("cleaned up");
                    Ok(())
                });
                pending::<Result<(), Error>>().await
            });
            inner.await.or(Ok(()))
        });
        s.spawn(async {
            tokio::task::yield_now().await;
            Err::<(), _>("at once")
        });
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"at once"));
    assert_eq!(words.said(), ["cleaned up"]);
    assert_eq!(began.elapsed(), Duration::from_millis(100));
}

#[ballet::test]
async fn c06_an_error_of_a_siblings_cleanup_rides_along_and_cancellations_are_never_listed() {
    let failure = ballet::scope(async |s: Scope<&'static str>| {
        s.spawn(async {
            ballet::shield(ballet::cancelled()).await;
            Err::<(), _>("second")
        });
        s.spawn(pending::<Result<(), _>>());
        s.spawn(async { Err::<(), _>("first") });
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"first"));
    assert_eq!(suppressed(&failure), ["second"]);
    assert_eq!(failure.suppressed().len(), 1);
}

#[ballet::test]
async fn c09_a_body_that_fails_while_it_is_cancelled_is_listed_beside_the_first_failure() {
    let failure = ballet::scope(async |s: Scope<&'static str>| {
        s.spawn(async { Err::<(), _>("the child") });
        ballet::shield(sleep(seconds(1))).await;
        Err::<(), _>("the body")
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"the child"));
    assert_eq!(suppressed(&failure), ["the body"]);
}

/// The source has groups of errors in groups. Here a scope's error is a `Failure` (one type, however many failed),
/// and an inner scope's becomes the error of the outer one's child, with its path.
#[ballet::test]
async fn c10_a_failure_of_an_inner_scope_shows_its_nesting_whether_one_failed_or_many() {
    for failing in 1..=2 {
        let failure = ballet::scope(async |s: Scope| {
            s.named("outer").spawn(async move {
                ballet::scope(async |s: Scope| {
                    for _ in 0..failing {
                        s.named("inner").spawn(ballet::shield(async {
                            tokio::task::yield_now().await;
                            Err::<(), _>(Error::msg("deep"))
                        }));
                    }
                    Ok(())
                })
                .await?;
                Ok(())
            });
            Ok(())
        })
        .await
        .unwrap_err();
        assert!(failure.path().to_string().ends_with("/outer"), "{failure}");
        let inner = failure.error().and_then(Error::downcast_ref::<Failure>).expect("a failure in a failure");
        assert!(inner.path().to_string().ends_with("/outer/inner"), "{inner}");
        assert_eq!(inner.error().map(ToString::to_string).as_deref(), Some("deep"));
        assert_eq!(inner.suppressed().len(), failing - 1);
    }
}

#[ballet::test]
async fn c28_a_cancellation_never_becomes_the_first_failure() {
    let failure = ballet::scope(async |s: Scope<&str>| {
        let cancelled = s.spawn(pending::<Result<(), _>>());
        cancelled.job().cancel();
        s.spawn(pending::<Result<(), _>>());
        sleep(seconds(1)).await;
        assert!(cancelled.job().state().is_ended(), "the first to end was a cancellation");
        s.spawn(async { Err::<(), _>("the only error") });
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"the only error"));
    assert!(failure.suppressed().is_empty());
}
