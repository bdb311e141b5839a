//! Supervisor scopes: a child's failure stays the child's, and none is silent. R7–R9.

use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::observe::State;
use ballet::{Error, Outcome, SupervisorScope};
use tokio::time::sleep;

#[ballet::test]
async fn c18_a_child_fails_alone() -> Result<(), Error> {
    let value = ballet::supervisor_scope(async |s: SupervisorScope| {
        let sleeper = s.spawn(async {
            sleep(Duration::from_secs(1)).await;
            Ok("awake")
        });
        let faller = s.spawn(async { Err::<(), _>(Error::msg("fell")) });
        assert_eq!(faller.await.unwrap_err().error().map(ToString::to_string).as_deref(), Some("fell"));
        assert_eq!(sleeper.job().state(), State::Running);
        Ok(sleeper.await?)
    })
    .await?;
    assert_eq!(value, "awake");
    Ok(())
}

#[ballet::test]
async fn c19_when_the_body_fails_the_children_are_cancelled_and_clean_up_first() {
    let cleaned = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&cleaned);
    let failure = ballet::supervisor_scope(async |s: SupervisorScope<&str>| {
        s.spawn(async move {
            ballet::shield(ballet::cancelled()).await;
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        tokio::task::yield_now().await;
        Err::<(), _>("the body")
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"the body"));
    assert_eq!(cleaned.load(Ordering::Relaxed), 1);
}

#[ballet::test]
async fn c21_a_cancelled_child_does_not_touch_its_supervisor() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let child = s.spawn(pending::<Result<(), Error>>());
        child.job().cancel();
        assert!(child.await.unwrap_err().is_cancelled());
        assert!(s.reason().is_none());
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_panic_is_an_outcome_with_path_and_place() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let line = line!() + 1;
        let clown = s.named("clown").spawn::<(), _>(async { panic!("slipped") });
        match clown.outcome().await {
            Outcome::Panicked(panic) => {
                assert_eq!(panic.message().as_deref(), Some("slipped"));
                assert!(panic.path().to_string().ends_with("/clown"));
                assert_eq!(panic.place().line(), line);
            }
            other => panic!("expected a panic, not {other:?}"),
        }
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn each_unobserved_failure_reaches_the_sink_exactly_once() -> Result<(), Error> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    ballet::supervisor_scope(async |s: SupervisorScope| {
        s.on_failure(move |failure| sink.lock().unwrap().push(failure.to_string()));
        let dropped_first = s.named("dropped-first").spawn(async {
            sleep(Duration::from_secs(1)).await;
            Err::<(), _>(Error::msg("a"))
        });
        drop(dropped_first);
        let dropped_after = s.named("dropped-after").spawn(async { Err::<(), _>(Error::msg("b")) });
        let observed = s.named("observed").spawn(async { Err::<(), _>(Error::msg("c")) });
        let cancelled = s.named("cancelled").spawn(pending::<Result<(), Error>>());
        cancelled.job().cancel();
        assert!(observed.await.is_err());
        sleep(Duration::from_secs(2)).await;
        drop((dropped_after, cancelled));
        Ok(())
    })
    .await?;
    let seen = seen.lock().unwrap();
    let tails: Vec<_> = seen.iter().map(|failure| failure.rsplit('/').next().unwrap_or_default()).collect();
    assert_eq!(tails, ["dropped-first: a", "dropped-after: b"]);
    Ok(())
}
