//! Timeouts and deadlines, beyond the cases in `conformance`: R14.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::{Context, Error, Reason, Scope};
use tokio::time::{Instant, sleep};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[ballet::test]
async fn an_inner_timeout_that_elapses_leaves_the_outer_one_alone() {
    let outer = ballet::timeout(seconds(5), async {
        ballet::timeout(seconds(1), pending::<()>()).await.unwrap_err();
        "went on"
    });
    assert_eq!(outer.await.unwrap(), "went on");
}

#[ballet::test]
async fn the_nearest_deadline_is_inherited_by_children() -> Result<(), Error> {
    let began = Instant::now();
    ballet::timeout(seconds(5), async {
        ballet::timeout(seconds(60), async {
            ballet::scope(async |s: Scope| {
                let deadline = s.spawn(async { Ok(Context::current().deadline()) }).await;
                assert_eq!(deadline, Some(began + seconds(5)));
                Ok(())
            })
            .await
        })
        .await
    })
    .await???;
    assert_eq!(Context::current().deadline(), None);
    Ok(())
}

#[ballet::test]
async fn a_scope_in_an_elapsed_timeout_is_cancelled_with_that_reason() -> Result<(), Error> {
    let seen = Arc::new(Mutex::new(None));
    let reason = Arc::clone(&seen);
    ballet::scope(async |_: Scope| {
        let inner = ballet::scope(async |s: Scope| {
            s.spawn(async move {
                *reason.lock().unwrap() = Some(ballet::shield(ballet::cancelled()).await);
                Ok(())
            });
            pending::<Result<(), Error>>().await
        });
        ballet::timeout(seconds(1), inner).await.unwrap_err();
        Ok(())
    })
    .await?;
    assert!(matches!(seen.lock().unwrap().as_ref(), Some(Reason::Timeout(_))));
    Ok(())
}

#[ballet::test]
async fn a_shield_is_finished_before_the_timeout_drops_it() {
    let began = Instant::now();
    let mut finished = false;
    let elapsed = ballet::timeout(seconds(1), async {
        ballet::shield(sleep(seconds(3))).await;
        finished = true;
        pending::<()>().await;
    });
    assert!(elapsed.await.is_err());
    assert!(finished);
    assert_eq!(began.elapsed(), seconds(3));
}
