//! Ownership and failure in a scope: R1–R3, R6–R8. Case numbers are those of the conformance list.

use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::observe::State;
use ballet::{Error, Reason, Scope};
use tokio::time::{Instant, sleep};

/// Pushes its word when it is dropped.
struct Says(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Drop for Says {
    fn drop(&mut self) {
        self.1.lock().expect("nobody panics while holding it").push(self.0);
    }
}

#[ballet::test]
async fn c01_returns_the_bodys_value_only_after_every_descendant_has_ended() -> Result<(), Error> {
    let began = Instant::now();
    let ended = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&ended);
    let value = ballet::scope(async |s: Scope| {
        let (handle, grandchild, child) = (s.clone(), Arc::clone(&count), Arc::clone(&count));
        s.spawn(async move {
            handle.spawn(async move {
                sleep(Duration::from_secs(3)).await;
                grandchild.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            sleep(Duration::from_secs(1)).await;
            child.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        s.spawn(async move {
            sleep(Duration::from_secs(2)).await;
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        Ok(42)
    })
    .await?;
    assert_eq!((value, ended.load(Ordering::Relaxed)), (42, 3));
    assert_eq!(began.elapsed().as_secs(), 3);
    Ok(())
}

#[ballet::test]
async fn c02_a_failing_child_cancels_its_sibling_and_fails_the_scope_but_not_the_caller() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let sleeper = Says("cut", Arc::clone(&said));
    let failure = ballet::scope(async |s: Scope<&str>| {
        s.named("sleeper").spawn(async move {
            let _sleeper = sleeper;
            pending::<Result<(), _>>().await
        });
        s.named("faller").spawn(async {
            sleep(Duration::from_secs(1)).await;
            Err::<(), _>("fell")
        });
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"fell"));
    assert!(failure.path().to_string().ends_with("/faller"), "{failure}");
    assert!(failure.suppressed().is_empty(), "a cancellation is never listed");
    assert_eq!(*said.lock().unwrap(), ["cut"]);
    sleep(Duration::from_secs(1)).await; // the caller itself goes on
}

#[ballet::test]
async fn c04_a_value_is_lost_when_a_child_fails_after_the_body_has_returned() {
    let failure = ballet::scope(async |s: Scope<&str>| {
        s.spawn(async {
            sleep(Duration::from_secs(1)).await;
            Err::<(), _>("late")
        });
        Ok(10)
    })
    .await
    .unwrap_err();
    assert_eq!(failure.into_error().unwrap(), "late");
}

#[ballet::test]
async fn c05_the_failure_reaches_the_owner_only_after_a_shielded_sibling_has_cleaned_up() {
    let began = Instant::now();
    let failure = ballet::scope(async |s: Scope<&str>| {
        s.spawn(async {
            ballet::shield(sleep(Duration::from_millis(100))).await;
            pending::<Result<(), _>>().await
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
    assert_eq!(began.elapsed().as_millis(), 100);
}

#[ballet::test]
async fn c06_later_failures_ride_along_and_cancellations_are_never_listed() {
    let failure = ballet::scope(async |s: Scope<&str>| {
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
    let suppressed: Vec<_> = failure.suppressed().iter().filter_map(|failure| failure.error()).collect();
    assert_eq!(suppressed, [&"second"]);
}

#[ballet::test]
async fn c09_a_body_that_fails_while_it_is_cancelled_is_listed_beside_the_first_failure() {
    let failure = ballet::scope(async |s: Scope<&str>| {
        s.spawn(async { Err::<(), _>("the child") });
        ballet::shield(sleep(Duration::from_secs(1))).await;
        Err::<(), _>("the body")
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"the child"));
    assert_eq!(failure.suppressed()[0].error(), Some(&"the body"));
}

#[ballet::test]
async fn c10_a_failure_of_an_inner_scope_shows_its_nesting() {
    let failure = ballet::scope(async |s: Scope| {
        s.named("outer").spawn(async {
            ballet::scope(async |s: Scope| {
                s.named("inner").spawn(async { Err::<(), _>(Error::msg("deep")) });
                Ok(())
            })
            .await?;
            Ok(())
        });
        Ok(())
    })
    .await
    .unwrap_err();
    let inner =
        failure.error().and_then(Error::downcast_ref::<ballet::Failure>).expect("a failure in a failure");
    assert!(inner.path().to_string().ends_with("outer/inner"));
    assert!(failure.to_string().ends_with("outer/inner: deep"), "{failure}");
}

#[ballet::test]
async fn c13_a_hydra_of_children_ends_and_late_spawns_are_refused() {
    type Head = std::pin::Pin<Box<dyn Future<Output = Result<(), &'static str>> + Send>>;
    fn grow(s: Scope<&'static str>, alive: Arc<AtomicU32>) -> Head {
        Box::pin(async move {
            alive.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(10)).await;
            for _ in 0..2 {
                s.spawn(grow(s.clone(), Arc::clone(&alive)));
            }
            pending().await
        })
    }
    let grown = Arc::new(AtomicU32::new(0));
    let alive = Arc::clone(&grown);
    let mut kept = None;
    let failure = ballet::scope(async |s: Scope<&'static str>| {
        kept = Some(s.clone());
        s.spawn(grow(s.clone(), alive));
        sleep(Duration::from_millis(65)).await;
        Err::<(), _>("cut them all")
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"cut them all"));
    assert!(grown.load(Ordering::Relaxed) > 60);
    let handle = kept.expect("the body ran");
    assert!(handle.tree().children.is_empty());
    assert!(handle.try_spawn(async { Ok(()) }).is_err());
}

#[ballet::test]
async fn c14_children_are_welcome_while_the_scope_waits_for_its_last_and_refused_after() -> Result<(), Error>
{
    let mut kept = None;
    let late = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&late);
    ballet::scope(async |s: Scope| {
        kept = Some(s.clone());
        let handle = s.clone();
        s.spawn(async move {
            sleep(Duration::from_secs(1)).await; // the body has long returned
            handle.spawn(async move {
                seen.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            Ok(())
        });
        Ok(())
    })
    .await?;
    assert_eq!(late.load(Ordering::Relaxed), 1);
    let refused = kept.expect("the body ran").try_spawn(async { Ok(7) }).unwrap_err();
    assert!(matches!(refused.reason(), Reason::ParentEnded(_)));
    assert_eq!(refused.into_future().await?, 7);
    Ok(())
}

#[ballet::test]
async fn c22_a_future_spawned_into_a_cancelled_scope_is_dropped_unpolled() {
    let polled = Arc::new(AtomicU32::new(0));
    let poll = Arc::clone(&polled);
    let failure = ballet::scope(async |s: Scope| {
        s.cancel();
        let refused = s.spawn(async move {
            poll.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        assert_eq!(refused.job().state(), State::Cancelled);
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert!(matches!(failure.reason(), Some(Reason::Requested(_))));
    assert_eq!(polled.load(Ordering::Relaxed), 0);
}

#[ballet::test]
async fn c27_the_first_panic_outranks_errors_and_reaches_the_owner_with_its_path() {
    let payload = tokio::task::LocalSet::new()
        .run_until(async {
            #[expect(
                clippy::disallowed_methods,
                reason = "only a task of Tokio's own catches the panic of a scope"
            )]
            let plain = tokio::spawn(ballet::scope(async |s: Scope| {
                s.named("painter").spawn(async {
                    ballet::shield(ballet::cancelled()).await;
                    panic!("the paint is dry");
                    #[expect(unreachable_code, reason = "gives the block its type")]
                    Ok(())
                });
                s.spawn(async { Err::<(), _>(Error::msg("an ordinary error comes first")) });
                Ok(())
            }));
            plain.await.unwrap_err().into_panic()
        })
        .await;
    let message = payload.downcast_ref::<String>().expect("text");
    assert!(message.contains("job `painter`, spawned at crates/ballet/tests/scope.rs"), "{message}");
    assert!(message.ends_with("panicked: the paint is dry"), "{message}");
}

#[ballet::test]
async fn c28_a_cancellation_never_becomes_the_first_failure() {
    let failure = ballet::scope(async |s: Scope<&str>| {
        let slow = s.spawn(async {
            ballet::shield(sleep(Duration::from_secs(1))).await;
            Err::<(), _>("the only error")
        });
        tokio::task::yield_now().await;
        s.cancel();
        slow.await;
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"the only error"));
}

#[ballet::test]
#[should_panic(expected = "the roof")]
async fn a_panic_in_a_child_resumes_in_the_owner() {
    let _ = ballet::scope(async |s: Scope| {
        s.spawn(async {
            assert!(std::hint::black_box(false), "the roof");
            Ok(())
        });
        pending::<Result<(), _>>().await
    })
    .await;
}

#[ballet::test]
async fn code_that_awaits_a_failed_child_is_ended_with_it() {
    let went_on = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&went_on);
    let failure = ballet::scope(async |s: Scope<&str>| {
        let doomed = s.spawn(async { Err::<u32, _>("no value") });
        s.spawn(async move {
            doomed.await;
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"no value"));
    assert_eq!(went_on.load(Ordering::Relaxed), 0);
}

#[ballet::test]
async fn awaiting_a_cancelled_child_ends_the_scope_for_its_reason() {
    let failure = ballet::scope(async |s: Scope| {
        let cancelled = s.spawn(pending::<Result<(), Error>>());
        cancelled.job().cancel();
        cancelled.await;
        Ok(())
    })
    .await
    .unwrap_err();
    assert!(matches!(failure.reason(), Some(Reason::Requested(_))), "{failure:?}");
}

#[ballet::test]
#[should_panic(expected = "outside the scope, or inside a shield")]
async fn awaiting_a_failed_child_outside_its_scope_panics_instead_of_hanging() {
    let (give, take) = tokio::sync::oneshot::channel();
    let _ = ballet::scope(async |s: Scope<&str>| {
        let _ = give.send(s.spawn(async { Err::<(), _>("no value") }));
        Ok(())
    })
    .await;
    take.await.expect("the body ran").await;
}

#[ballet::test]
async fn paths_name_owners_and_number_the_nameless() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let path = s.named("page").spawn(async {
            ballet::scope(async |s: Scope| {
                s.spawn(async { Ok(()) });
                Ok(s.spawn(async { Ok(ballet::Context::current().path().to_string()) }).await)
            })
            .await
            .map_err(Error::from)
        });
        assert_eq!(path.await, "paths_name_owners_and_number_the_nameless/page/#2");
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn the_tree_shows_place_state_and_polls() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let line = line!() + 1;
        s.named("sleeper").spawn(pending::<Result<(), _>>());
        tokio::task::yield_now().await;
        let tree = s.tree();
        let sleeper = tree.iter().find(|node| node.path.ends_with("sleeper")).expect("it is alive");
        assert_eq!((sleeper.place.line(), sleeper.state, sleeper.polls), (line, State::Running, 1));
        s.cancel_children();
        Ok(())
    })
    .await?;
    Ok(())
}
