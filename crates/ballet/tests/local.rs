//! Scopes whose children borrow: R5.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ballet::{Error, LocalScope, Scope};
use futures_util::poll;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

#[ballet::test]
async fn children_borrow_from_the_caller_and_run_concurrently() -> Result<(), Error> {
    let began = Instant::now();
    let words = [String::from("plié"), String::from("jeté")];
    let mut total = 0;
    ballet::local_scope(async |s: LocalScope<'_>| {
        let lengths: Vec<_> = words
            .iter()
            .map(|word| {
                s.spawn(async move {
                    sleep(Duration::from_secs(1)).await;
                    Ok(word.len())
                })
            })
            .collect();
        for length in lengths {
            total += length.await;
        }
        Ok(())
    })
    .await?;
    assert_eq!((total, words.len()), (10, 2));
    assert_eq!(began.elapsed().as_secs(), 1);
    Ok(())
}

#[ballet::test]
async fn the_first_failure_cancels_the_rest() {
    let failure = ballet::local_scope(async |s: LocalScope<'_, &str>| {
        s.spawn(pending::<Result<(), _>>());
        s.spawn_named("faller", async { Err::<(), _>("fell") });
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"fell"));
}

#[ballet::test]
async fn a_child_spawns_a_sibling_after_the_body_has_returned() -> Result<(), Error> {
    let seen = std::sync::atomic::AtomicBool::new(false);
    ballet::local_scope(async |s: LocalScope<'_>| {
        let handle = s.clone();
        let seen = &seen;
        s.spawn(async move {
            sleep(Duration::from_secs(1)).await;
            handle.spawn(async move {
                seen.store(true, Ordering::Relaxed);
                Ok(())
            });
            Ok(())
        });
        Ok(())
    })
    .await?;
    assert!(seen.into_inner());
    Ok(())
}

#[ballet::test]
async fn dropping_it_half_way_drops_the_children_and_keeps_the_finalizer() -> Result<(), Error> {
    let (done, finalized) = oneshot::channel();
    let scope = ballet::local_scope(async |s: LocalScope<'_>| {
        s.defer(async move {
            sleep(Duration::from_secs(1)).await;
            let _ = done.send(());
            Ok(())
        });
        s.spawn(pending::<Result<(), _>>());
        pending::<Result<(), Error>>().await
    });
    assert!(tokio::time::timeout(Duration::from_secs(1), scope).await.is_err());
    finalized.await?;
    Ok(())
}

#[ballet::test]
async fn a_thousand_children_that_yield_forever_starve_nobody() -> Result<(), Error> {
    ballet::local_scope(async |s: LocalScope<'_>| {
        for _ in 0..1_000 {
            s.spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
                #[expect(unreachable_code, reason = "gives the block its type")]
                Ok(())
            });
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        s.cancel();
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_shield_in_a_child_holds_off_the_cut_of_the_job_around_the_scope() -> Result<(), Error> {
    let (done, finished) = oneshot::channel();
    ballet::scope(async |s: Scope| {
        let job = s.spawn(async move {
            ballet::local_scope(async |s: LocalScope<'_>| {
                s.spawn(async move {
                    ballet::shield(sleep(Duration::from_secs(1))).await;
                    let _ = done.send(());
                    pending::<Result<(), Error>>().await
                });
                Ok(())
            })
            .await
            .map_err(Error::from)
        });
        tokio::task::yield_now().await;
        job.job().cancel();
        Ok(())
    })
    .await?;
    finished.await?;
    Ok(())
}

/// Sets a flag of the caller's stack when it is dropped.
struct Borrower<'a>(&'a AtomicU32);

impl Drop for Borrower<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_borrow_ends_before_the_scope_is_gone_whatever_other_threads_wake() {
    const ROUNDS: usize = 2_000;
    const CHILDREN: u32 = 3;
    let (wakers, to_wake) = mpsc::channel::<oneshot::Sender<()>>();
    let waking = thread::spawn(move || {
        let mut woken = 0;
        for sender in to_wake {
            // A send fails where the child is gone already, which is the other half of the race.
            woken += u32::from(sender.send(()).is_ok());
        }
        woken
    });
    for _ in 0..ROUNDS {
        let dropped = AtomicU32::new(0);
        {
            let scope = ballet::local_scope(async |s: LocalScope<'_>| {
                for _ in 0..CHILDREN {
                    let borrower = Borrower(&dropped);
                    let (sender, receiver) = oneshot::channel();
                    let wakers = wakers.clone();
                    s.spawn(async move {
                        wakers.send(sender)?;
                        let _borrower = borrower;
                        receiver.await?;
                        pending::<Result<(), Error>>().await
                    });
                }
                pending::<Result<(), Error>>().await
            });
            let mut scope = pin!(scope);
            // Once, so that the children wait, and are being woken as the scope is dropped.
            assert!(poll!(&mut scope).is_pending());
        }
        assert_eq!(dropped.load(Ordering::SeqCst), CHILDREN);
    }
    drop(wakers);
    waking.join().unwrap();
}
