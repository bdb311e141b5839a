//! What comes too late: a spawn after the decision, a value after its waiter was cancelled, a body after its time.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::observe::State;
use ballet::{Error, Reason, Scope};
use futures_util::poll;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// Counts how often it is dropped.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Two were forked before the decision, of which one has completed; the third never starts.
#[ballet::test]
async fn c24_a_child_that_comes_after_the_first_success_has_ended_the_scope_never_starts() {
    let (started, completed) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (forks, ends) = (Arc::clone(&started), Arc::clone(&completed));
    let failure: Result<(), _> = ballet::scope(async |s: Scope| {
        let child = |time| {
            let (s, forks, ends) = (s.clone(), Arc::clone(&forks), Arc::clone(&ends));
            async move {
                forks.fetch_add(1, Ordering::Relaxed);
                sleep(time).await;
                ends.fetch_add(1, Ordering::Relaxed);
                s.cancel(); // the first success decides
                Ok(())
            }
        };
        s.spawn(child(SECOND));
        s.spawn(child(SECOND * 2));
        ballet::shield(sleep(SECOND)).await;
        while s.is_open() {
            ballet::shield(sleep(Duration::from_millis(1))).await;
        }
        assert!(matches!(s.try_spawn(child(SECOND)).unwrap_err().reason(), Reason::Requested(_)));
        assert_eq!(s.spawn(child(SECOND)).job().state(), State::Cancelled);
        pending().await
    })
    .await;
    assert!(failure.unwrap_err().is_cancelled());
    assert_eq!((started.load(Ordering::Relaxed), completed.load(Ordering::Relaxed)), (2, 1));
}

/// The waiter is a scope that is polled by hand, so that nothing lies between the end of the job and the
/// cancellation of the waiter but this test.
#[ballet::test]
async fn c36_a_waiter_that_is_cancelled_before_it_resumes_is_cancelled_and_the_value_dropped_once()
-> Result<(), Error> {
    let dropped = Arc::new(AtomicU32::new(0));
    let value = Counted(Arc::clone(&dropped));
    let resumed = Mutex::new(false);
    ballet::scope(async |s: Scope| {
        let (release, released) = oneshot::channel();
        let producer = s.spawn(async move {
            released.await?;
            Ok(value)
        });
        let job = producer.job().clone();
        let (give, handle) = oneshot::channel();
        let mut waiter = pin!(ballet::scope(async |inner: Scope| {
            give.send(inner).ok();
            let _value = producer.await;
            *resumed.lock().expect("nobody panics while holding it") = true;
            Ok(())
        }));
        assert!(poll!(&mut waiter).is_pending());
        release.send(()).ok();
        while job.state() != State::Completed {
            sleep(Duration::from_millis(1)).await;
        }
        handle.await?.cancel();
        assert!(waiter.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .await?;
    assert_eq!((dropped.load(Ordering::Relaxed), *resumed.lock().unwrap()), (1, false));
    Ok(())
}

/// R10 decides differently: a body has nothing to swallow, because it is dropped and never told. Only a shielded body
/// lives on past its time, and what it then gives without another yield is its caller's, a value as well as an error:
/// a timeout cannot tell the two apart.
#[ballet::test]
async fn c37_a_body_cannot_swallow_its_timeout_and_what_a_shield_finishes_is_not_lost() {
    let began = Instant::now();
    let swallows = async {
        loop {
            // Whatever the body catches and however it goes on, it is dropped at this yield.
            let _ = ballet::timeout(SECOND * 10, pending::<()>()).await;
        }
    };
    let elapsed: Result<(), _> = ballet::timeout(SECOND, swallows).await;
    assert_eq!((elapsed.unwrap_err().limit(), began.elapsed()), (SECOND, SECOND));

    let late_error = ballet::shield(async {
        ballet::cancelled().await;
        Err::<(), _>("could not roll back")
    });
    assert_eq!(ballet::timeout(SECOND, late_error).await.unwrap(), Err("could not roll back"));

    let goes_on = async {
        ballet::shield(ballet::cancelled()).await;
        pending::<()>().await;
    };
    assert!(ballet::timeout(SECOND, goes_on).await.is_err());
}
