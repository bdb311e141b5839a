//! Supervisor scopes: a panic is an outcome, and no failure is silent. R7–R9.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::{Error, Outcome, SupervisorScope};
use tokio::time::sleep;

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
