//! Failure domains of one child each: R7–R9.

use std::future::pending;
use std::time::Duration;

use ballet::observe::State;
use ballet::{Error, Scope, SupervisorScope};
use tokio::time::sleep;

use crate::words::Words;

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
    let words = Words::default();
    let cleanup = words.clone();
    let failure = ballet::supervisor_scope(async |s: SupervisorScope<&str>| {
        s.spawn(async move {
            ballet::shield(async {
                ballet::cancelled().await;
                sleep(Duration::from_secs(1)).await;
                cleanup.say("cleaned up");
            })
            .await;
            Ok(())
        });
        tokio::task::yield_now().await;
        Err::<(), _>("the body")
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"the body"));
    assert_eq!(words.said(), ["cleaned up"]);
}

/// A supervisor scope that fails fails the job it is in. One that is cancelled hands a cancelled `Failure` to its
/// caller, who decides, and nobody else is touched.
#[ballet::test]
async fn c21_a_supervisor_that_fails_fails_its_parent_and_one_that_is_cancelled_does_not() {
    let failure = ballet::scope(async |s: Scope| {
        s.named("supervisor").spawn(async {
            let broken = async |_: SupervisorScope| Err::<(), _>(Error::msg("broken"));
            ballet::supervisor_scope(broken).await?;
            Ok(())
        });
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert!(failure.to_string().ends_with("/supervisor: broken"), "{failure}");

    let value = ballet::scope(async |s: Scope| {
        s.named("supervisor").spawn(async {
            let cancelled = ballet::supervisor_scope(async |s: SupervisorScope| {
                s.cancel();
                pending::<Result<(), _>>().await
            });
            assert!(cancelled.await.unwrap_err().is_cancelled());
            Ok(())
        });
        sleep(Duration::from_secs(1)).await;
        assert!(s.reason().is_none());
        Ok("alive")
    });
    assert_eq!(value.await.unwrap(), "alive");
}
