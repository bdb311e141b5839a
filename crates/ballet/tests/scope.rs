//! Ownership and failure in a scope, beyond the cases in `conformance`: R1–R3, R6–R8.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ballet::observe::State;
use ballet::{Error, Reason, Scope};
use futures_util::future::BoxFuture;
use tokio::time::sleep;

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
async fn an_error_on_the_way_out_outranks_the_cancellation_of_the_scope() {
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

#[ballet::test]
async fn a_job_that_has_run_for_months_shows_when_it_was_last_polled() -> Result<(), Error> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    ballet::scope(async |s: Scope| {
        let daily = s.named("daily").spawn(async {
            loop {
                sleep(DAY).await;
            }
        });
        let _: &ballet::Deferred<()> = &daily;
        sleep(90 * DAY + DAY / 2).await;
        let tree = s.tree();
        let idle = tree.iter().find(|node| node.path.ends_with("daily")).and_then(|node| node.idle);
        let idle = idle.expect("it is alive and was polled");
        assert!(idle.abs_diff(DAY / 2) < Duration::from_secs(1), "{idle:?}");
        s.cancel_children();
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_name_with_a_line_break_is_one_line_of_the_tree() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let forger = s.named("a\nroot · job\u{1b}[2J").spawn(pending::<Result<(), _>>());
        assert_eq!(forger.job().name(), "a\nroot · job\u{1b}[2J");
        let tree = s.tree().to_string();
        assert_eq!(tree.lines().count(), 2, "{tree}");
        assert!(tree.contains(r"a\nroot · job\u{1b}[2J"), "{tree}");
        s.cancel_children();
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_scope_says_whether_it_is_open_and_why_it_is_not() -> Result<(), Error> {
    let ended = ballet::scope(async |s: Scope| {
        assert!(s.is_open() && s.reason().is_none());
        Ok(s)
    });
    let ended = ended.await?;
    assert!(!ended.is_open());
    assert!(matches!(ended.reason(), Some(Reason::ParentEnded(_))));
    assert_eq!(ended.reason().unwrap().origin().place().file(), file!());

    let mut handle = None;
    let cancelled = ballet::scope(async |s: Scope| {
        s.cancel();
        assert!(!s.is_open());
        handle = Some(s);
        pending::<Result<(), Error>>().await
    });
    assert!(cancelled.await.is_err());
    assert!(matches!(handle.unwrap().reason(), Some(Reason::Requested(_))));
    Ok(())
}

#[ballet::test]
async fn a_scope_that_waits_for_its_last_child_is_open() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let handle = s.clone();
        s.spawn(async move {
            sleep(Duration::from_secs(1)).await;
            assert!(handle.is_open());
            Ok(())
        });
        Ok(())
    })
    .await?;
    Ok(())
}

/// A job in a scope in a job, and so on: `left` of them below this one. The last says so and waits.
fn chain(left: usize, arrived: tokio::sync::oneshot::Sender<()>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        if left == 0 {
            drop(arrived);
            return pending().await;
        }
        ballet::scope(async move |s: Scope| {
            s.spawn(chain(left - 1, arrived));
            Ok(())
        })
        .await?;
        Ok(())
    })
}

#[ballet::test]
async fn a_chain_of_jobs_deeper_than_the_stack_is_looked_at_and_cancelled() -> Result<(), Error> {
    const LENGTH: usize = 2_000;
    let (arrived, arrives) = tokio::sync::oneshot::channel();
    ballet::scope(async |s: Scope| {
        s.spawn(chain(LENGTH, arrived));
        drop(arrives.await);
        // For each of the chain a job, for all but the last a scope in it, and the scope here.
        assert_eq!(s.tree().iter().count(), 2 * (LENGTH + 1));
        s.cancel_children();
        Ok(())
    })
    .await?;
    Ok(())
}
