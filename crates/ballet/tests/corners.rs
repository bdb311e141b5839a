//! Corners in which a scope could hang, leak or lose: futures that use up Tokio's budget, destructors and sinks that
//! panic, awaits that nothing can end, and shutdowns that meet stubborn jobs.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::testing::take_unobserved;
use ballet::{Ending, Error, LocalScope, Phase, Scope, Stage, SupervisorScope};
use futures_util::FutureExt;
use futures_util::future::join;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Runs for ever, yields often, and leaves nothing of Tokio's cooperative budget to whoever polls after it.
async fn busy<T>() -> T {
    loop {
        tokio::task::coop::consume_budget().await;
    }
}

/// Ignores being cancelled for longer than a stage has patience.
async fn stubborn() -> Result<(), Error> {
    ballet::shield(sleep(seconds(60))).await;
    Ok(())
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "bomb");
    }
}

#[tokio::test]
async fn a_timeout_elapses_though_its_future_uses_up_the_budget() {
    assert!(ballet::timeout(Duration::from_millis(20), busy::<()>()).await.is_err());
}

#[tokio::test]
async fn a_finalizer_that_uses_up_the_budget_is_cut_by_its_own_clock() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        s.defer_within(Duration::from_millis(20), busy());
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_stage_ends_though_its_body_uses_up_the_budget() {
    let stage = Stage::new().drain(Duration::from_millis(20));
    stage.phases().shut_down();
    let curtain = stage.run(async |_| busy().await).await;
    assert!(matches!(curtain.ending(), Ending::Cancelled), "{curtain}");
}

#[ballet::test]
async fn a_sink_that_panics_keeps_no_scope_open() -> Result<(), Error> {
    let scope = ballet::supervisor_scope(async |s: SupervisorScope| {
        s.on_failure(|_| panic!("the sink"));
        s.spawn(async { Err::<(), _>(Error::msg("unseen")) });
        Ok(())
    });
    timeout(seconds(60), scope).await??;
    assert_eq!(take_unobserved().len(), 1, "what the sink did not take goes to the default end");
    Ok(())
}

#[ballet::test]
async fn a_failure_of_an_adopted_scope_is_told_before_the_scope_around_it_can_return() -> Result<(), Error> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    ballet::scope(async |s: Scope| {
        let around = s.clone();
        let inner = ballet::supervisor_scope(async move |s: SupervisorScope| {
            s.on_failure(move |failure| {
                told.lock().unwrap().push((failure.to_string(), around.tree().to_string()));
            });
            s.defer(async {
                sleep(Duration::from_millis(1)).await;
                Err(Error::msg("not put back"))
            });
            pending::<Result<(), Error>>().await
        });
        let lost = timeout(Duration::from_millis(1), inner).await;
        assert!(lost.is_err());
        Ok(())
    })
    .await?;
    let seen = seen.lock().unwrap();
    let [(failure, tree)] = &seen[..] else { panic!("told {} times", seen.len()) };
    assert!(failure.contains("not put back"), "{failure}");
    assert!(tree.contains("adopted scope"), "{tree}");
    Ok(())
}

#[ballet::test]
async fn a_value_whose_destructor_panics_keeps_no_scope_open() -> Result<(), Error> {
    let scope = ballet::scope(async |s: Scope| {
        drop(s.spawn(async { Ok(Bomb) }));
        Ok(())
    });
    timeout(seconds(60), scope).await??;
    assert!(take_unobserved().concat().contains("bomb"));
    Ok(())
}

#[ballet::test]
async fn a_destructor_that_panics_in_a_cut_finalizer_does_not_stop_the_next() {
    let ran = Arc::new(AtomicBool::new(false));
    let runs = Arc::clone(&ran);
    let scope = ballet::scope(async move |s: Scope| {
        s.defer(async move {
            runs.store(true, Ordering::Relaxed);
            Ok(())
        });
        s.defer_within(seconds(1), async {
            let _bomb = Bomb;
            pending().await
        });
        pending::<Result<(), Error>>().await
    });
    assert!(timeout(seconds(1), scope).await.is_err());
    sleep(seconds(5)).await;
    assert!(ran.load(Ordering::Relaxed));
    assert!(take_unobserved().concat().contains("bomb"));
}

/// Panics when it is dropped, whatever else panics.
struct LoudBomb;

impl Drop for LoudBomb {
    fn drop(&mut self) {
        panic!("loud bomb");
    }
}

#[ballet::test]
async fn a_value_that_nobody_gets_may_panic_in_its_destructor() -> Result<(), Error> {
    ballet::scope(async |outer: Scope| {
        let failing = ballet::scope(async |s: Scope| {
            s.spawn(async { Err::<(), _>(Error::msg("out of tune")) });
            Ok(Bomb)
        });
        assert!(AssertUnwindSafe(failing).catch_unwind().await.is_err(), "the bomb is not told");
        // The failure that came first is not lost, and the scope has left the tree.
        assert!(take_unobserved().concat().contains("out of tune"));
        assert!(outer.tree().children.is_empty(), "{}", outer.tree());
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
#[should_panic(expected = "a child fell")]
async fn a_panic_resumes_though_the_value_panics_too() {
    let _ = ballet::scope(async |s: Scope| {
        s.spawn(async {
            sleep(seconds(1)).await;
            panic!("a child fell");
            #[expect(unreachable_code, reason = "it gives the block its type")]
            Ok(())
        });
        Ok::<_, Error>(LoudBomb)
    })
    .await;
}

#[ballet::test]
#[should_panic(expected = "the conductor fell")]
async fn a_body_that_panics_and_is_no_async_block_lets_go_before_the_scope_waits() {
    let (hold, released) = oneshot::channel::<()>();
    let _ = ballet::scope(|s: Scope| {
        s.spawn(ballet::shield(async {
            let _ = released.await;
            Ok(())
        }));
        let holds = async {
            let _hold = hold;
            pending::<()>().await;
        };
        let falls = async {
            sleep(seconds(1)).await;
            panic!("the conductor fell")
        };
        // A join keeps the half that did not panic.
        join(holds, falls).map(|_| Ok::<(), Error>(()))
    })
    .await;
}

#[ballet::test]
async fn a_finalizer_goes_on_beside_the_scope_that_it_left_behind() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        s.defer(async {
            let (release, released) = oneshot::channel::<()>();
            let left = ballet::scope(async |inner: Scope| {
                inner.spawn(ballet::shield(async {
                    let _ = released.await;
                    Ok(())
                }));
                pending::<Result<(), Error>>().await
            });
            assert!(timeout(seconds(1), left).await.is_err());
            // The shielded child is waited for by the scope of this finalizer now, and ends only if this goes on.
            sleep(seconds(1)).await;
            release.send(()).map_err(|()| Error::msg("the child is gone"))
        });
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
#[should_panic(expected = "a finalizer of it")]
async fn a_finalizer_that_awaits_a_failed_child_panics_instead_of_hanging() {
    let _ = ballet::scope(async |s: Scope| {
        let doomed = s.spawn(async { Err::<(), _>(Error::msg("no value")) });
        s.defer(async move {
            doomed.await;
            Ok(())
        });
        Ok(())
    })
    .await;
}

#[ballet::test]
async fn a_scope_inside_a_shield_fails_as_any_other() {
    let scope = ballet::scope(async |s: Scope| {
        let child = s.spawn(pending::<Result<u32, Error>>());
        child.job().cancel();
        Ok(child.await)
    });
    assert!(ballet::shield(scope).await.unwrap_err().is_cancelled());
}

#[ballet::test]
async fn shielded_code_learns_that_the_timeout_around_it_has_elapsed() -> Result<(), Error> {
    let elapsed = ballet::timeout(seconds(1), ballet::shield(ballet::cancelled()));
    let reason = timeout(seconds(60), elapsed).await??;
    assert!(matches!(reason, ballet::Reason::Timeout(_)));
    Ok(())
}

#[ballet::test]
async fn a_handle_of_a_local_scope_spawns_from_another_task() -> Result<(), Error> {
    let scope = ballet::local_scope(async |s: LocalScope<'static>| {
        let handle = s.clone();
        let (give, take) = oneshot::channel();
        ballet::scope(async |outer: Scope| {
            outer.spawn(async move {
                handle.spawn(async {
                    let _ = give.send("polled");
                    Ok(())
                });
                Ok(())
            });
            Ok(())
        })
        .await?;
        Ok(take.await?)
    });
    assert_eq!(timeout(seconds(60), scope).await??, "polled");
    Ok(())
}

#[ballet::test]
async fn finalizers_of_the_stage_run_though_a_job_ignores_its_cancellation() {
    let ran = Arc::new(AtomicBool::new(false));
    let runs = Arc::clone(&ran);
    let stage = Stage::new();
    let phases = stage.phases();
    let curtain = stage
        .run(async |s: Scope| {
            s.defer(async move {
                runs.store(true, Ordering::Relaxed);
                Ok(())
            });
            s.named("stubborn").spawn(stubborn());
            phases.shut_down();
            Ok(())
        })
        .await;
    assert!(ran.load(Ordering::Relaxed) && curtain.is_lossy(), "{curtain}");
}

#[ballet::test]
async fn a_stage_that_fails_is_not_ready_and_waits_no_longer_than_its_budgets() {
    let stage = Stage::new().cancel(seconds(5)).finalize(seconds(10));
    let phases = stage.phases();
    let began = Instant::now();
    let curtain = stage
        .run(async |s: Scope| {
            s.named("stubborn").spawn(stubborn());
            tokio::task::yield_now().await;
            Err(Error::msg("boom"))
        })
        .await;
    assert_eq!(began.elapsed(), seconds(15));
    assert!(!phases.is_ready() && !curtain.was_asked() && curtain.is_lossy(), "{curtain}");
}

#[ballet::test]
async fn a_second_signal_skips_the_phase_that_is_on_whichever_it_is() {
    let stage = Stage::new().drain(seconds(1)).cancel(seconds(1_000)).finalize(seconds(1));
    let phases = stage.phases();
    let began = Instant::now();
    let _curtain = stage
        .run(async |s: Scope| {
            s.named("stubborn").spawn(ballet::shield(async move {
                phases.shut_down();
                phases.reached(Phase::Cancelling).await;
                phases.shut_down();
                sleep(seconds(30)).await;
                Ok(())
            }));
            Ok(())
        })
        .await;
    assert!(began.elapsed() <= seconds(3), "{:?}", began.elapsed());
}

#[ballet::test]
async fn a_job_born_during_the_drain_is_named_when_it_is_abandoned() {
    let stage = Stage::new();
    let phases = stage.phases();
    let curtain = stage
        .run(async |s: Scope| {
            phases.shut_down();
            ballet::draining().await;
            s.named("late").spawn(stubborn());
            Ok(())
        })
        .await;
    assert!(curtain.to_string().contains("late"), "{curtain}");
}

#[ballet::test]
async fn a_finalizer_that_was_cut_is_a_loss() {
    let stage = Stage::new();
    let curtain = stage
        .run(async |s: Scope| {
            s.defer_within(seconds(2), pending());
            Ok(())
        })
        .await;
    assert!(curtain.is_lossy(), "{curtain}");
}

#[ballet::test]
async fn a_curtain_tells_the_path_of_the_job_that_panicked() {
    let curtain = Stage::new()
        .run(async |s: Scope| {
            s.named("clown").spawn::<(), _>(async { panic!("slipped") });
            Ok(())
        })
        .await;
    let Ending::Panicked(panic) = curtain.ending() else { panic!("{curtain}") };
    assert!(panic.path().to_string().ends_with("/clown"));
    assert_eq!(panic.message().as_deref(), Some("slipped"));
}
