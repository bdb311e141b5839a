//! The start handshake: whoever starts a child goes on when the child has said that it is ready, and is told when it
//! never will. Case numbers are those of the conformance list.

#[path = "support/cut.rs"]
mod cut;

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::observe::State;
use ballet::{Error, Job, Ready, Reason, Scope, SupervisorScope};
use futures_util::poll;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use cut::cut_at_yield;

const SECOND: Duration = Duration::from_secs(1);

/// Counts how often it is dropped.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

async fn ready_at_once(ready: Ready) -> Result<(), Error> {
    ready.announce(());
    Ok(())
}

async fn wait_state(job: &Job, state: State) {
    while job.state() != state {
        sleep(Duration::from_millis(1)).await;
    }
}

#[ballet::test]
async fn gives_what_the_child_said_and_later_what_it_returned() -> Result<(), Error> {
    let began = Instant::now();
    ballet::scope(async |s: Scope| {
        let child = async |ready: Ready<u16>| {
            sleep(SECOND).await;
            ready.announce(8080);
            sleep(SECOND).await;
            Ok("served")
        };
        let (port, server) = s.named("server").start(child).await?;
        assert_eq!((port, began.elapsed()), (8080, SECOND));
        assert!(server.job().path().to_string().ends_with("/server"));
        assert_eq!(server.await, "served");
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_child_may_say_it_and_end_at_once() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let child = async |ready: Ready<&str>| {
            ready.announce("ready");
            Ok("done")
        };
        let (word, job) = s.start(child).await?;
        wait_state(job.job(), State::Completed).await;
        assert_eq!((word, job.await?), ("ready", "done"));
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_child_can_be_started_while_the_scope_waits_for_its_last_and_not_after() -> Result<(), Error> {
    let started = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&started);
    let scope = ballet::scope(async |s: Scope| {
        let handle = s.clone();
        s.spawn(async move {
            sleep(SECOND).await; // the body has returned
            handle.start(ready_at_once).await?;
            seen.store(true, Ordering::Relaxed);
            Ok(())
        });
        Ok(s)
    })
    .await?;
    assert!(started.load(Ordering::Relaxed));

    let late = scope.named("late").start(ready_at_once).await;
    let not_ready = late.unwrap_err();
    assert_eq!(not_ready.job().state(), State::Cancelled);
    assert!(not_ready.failure().is_none());

    let scope = ballet::supervisor_scope(async |s: SupervisorScope| Ok(s)).await?;
    let late = scope.named("late").start(ready_at_once).await;
    let failure = late.unwrap_err().into_failure().unwrap();
    assert!(matches!(failure.reason(), Some(Reason::ParentEnded(_))), "{failure}");
    Ok(())
}

#[ballet::test]
async fn c17_a_child_that_returns_without_saying_it_gives_its_starter_an_error() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let not_ready = s.named("mute").start(async |_: Ready| Ok(())).await.unwrap_err();
        let line = line!() - 1;
        assert_eq!((not_ready.job().place().file(), not_ready.job().place().line()), (file!(), line));
        let text = not_ready.to_string();
        assert!(text.contains("/mute` ended (completed) without having said that it was ready"), "{text}");
        Ok(())
    })
    .await?;
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let not_ready = s.start(async |_: Ready| Ok(())).await.unwrap_err();
        assert!(not_ready.failure().is_none());
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_child_that_fails_first_fails_the_scope_and_its_starter_adds_nothing() {
    let resumed = AtomicBool::new(false);
    let failure = ballet::scope(async |s: Scope| {
        let child = async |_: Ready| Err::<(), _>(Error::msg("the port is taken"));
        let started = s.start(child).await;
        resumed.store(true, Ordering::Relaxed);
        started?;
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error().map(Error::to_string).as_deref(), Some("the port is taken"));
    assert!(failure.suppressed().is_empty() && !resumed.load(Ordering::Relaxed));
}

#[ballet::test]
async fn a_supervised_starter_is_told_whether_the_child_failed_panicked_or_was_cancelled() -> Result<(), Error>
{
    ballet::supervisor_scope(async |s: SupervisorScope<&'static str>| {
        let failed = s.start(async |_: Ready| Err::<(), _>("taken")).await.unwrap_err();
        assert_eq!(failed.failure().and_then(|failure| failure.error()), Some(&"taken"));

        let panicked = s.start::<(), (), _, _>(async |_| panic!("slipped")).await.unwrap_err();
        assert!(panicked.failure().is_some_and(ballet::Failure::is_panic));

        let handle = s.clone();
        let cancels_itself = async move |_: Ready| {
            handle.cancel_children();
            pending::<Result<(), _>>().await
        };
        let cancelled = s.start(cancels_itself).await.unwrap_err();
        assert!(cancelled.into_failure().is_some_and(|failure| failure.is_cancelled()));
        Ok(())
    })
    .await
    .unwrap();
    Ok(())
}

#[ballet::test]
#[should_panic(expected = "slipped")]
async fn a_child_that_panics_first_resumes_in_the_owner_of_the_scope() {
    let scope = ballet::scope(async |s: Scope| {
        s.start::<(), (), _, _>(async |_| panic!("slipped")).await?;
        Ok(())
    });
    drop(scope.await);
}

#[ballet::test]
async fn a_child_that_is_cancelled_first_ends_the_scope_as_awaiting_it_would() {
    let failure = ballet::scope(async |s: Scope| {
        let handle = s.clone();
        let cancels_itself = async move |_: Ready| {
            handle.cancel_children();
            pending::<Result<(), _>>().await
        };
        s.start(cancels_itself).await?;
        Ok(())
    })
    .await
    .unwrap_err();
    assert!(failure.is_cancelled(), "{failure}");
}

#[ballet::test]
async fn a_starter_that_cannot_be_ended_with_the_scope_gets_the_error() {
    let told = Mutex::new(String::new());
    let failure = ballet::scope(async |s: Scope| {
        let child = async |_: Ready| Err::<(), _>(Error::msg("the port is taken"));
        let not_ready = ballet::shield(s.named("server").start(child)).await.unwrap_err();
        *told.lock().unwrap() = not_ready.to_string();
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error().map(Error::to_string).as_deref(), Some("the port is taken"));
    let told = told.into_inner().unwrap();
    assert!(told.contains("/server` ended (failed)"), "{told}");
}

#[ballet::test]
async fn a_ready_that_is_dropped_says_nothing_until_the_child_has_ended() -> Result<(), Error> {
    let began = Instant::now();
    ballet::scope(async |s: Scope| {
        let forgetful = async |ready: Ready| {
            drop(ready);
            sleep(SECOND).await;
            Ok(())
        };
        s.start(forgetful).await.unwrap_err();
        assert_eq!(began.elapsed(), SECOND);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_child_that_ends_is_not_waited_for_though_its_ready_lives_on() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let (give, ready) = oneshot::channel();
        let giver = async move |ready: Ready<u8>| Ok(give.send(ready).ok());
        s.start(giver).await.unwrap_err();
        ready.await?.announce(1); // into the void
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_grandchild_may_say_it() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let handle = s.clone();
        let child = async move |ready: Ready<&'static str>| {
            handle.spawn(async move {
                ready.announce("said below");
                Ok(())
            });
            sleep(SECOND).await;
            Ok(())
        };
        assert_eq!(s.start(child).await?.0, "said below");
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_starter_that_is_dropped_at_any_yield_cancels_its_child_and_nothing_else() -> Result<(), Error> {
    for limit in 1.. {
        let dropped = Arc::new(AtomicU32::new(0));
        let (body, word) = (Counted(Arc::clone(&dropped)), Counted(Arc::clone(&dropped)));
        let said = Arc::new(AtomicBool::new(false));
        let says = Arc::clone(&said);
        let started = ballet::scope(async |s: Scope| {
            let bystander = s.spawn(async {
                sleep(SECOND * 10).await;
                Ok("untouched")
            });
            let child = async move |ready: Ready<Counted>| {
                let _body = body;
                tokio::task::yield_now().await;
                sleep(SECOND).await;
                says.store(true, Ordering::Relaxed);
                ready.announce(word);
                Ok(())
            };
            let started = cut_at_yield(limit, s.start(child)).await;
            assert_eq!(bystander.await, "untouched");
            Ok(started.transpose()?.is_some())
        })
        .await?;
        assert_eq!(dropped.load(Ordering::Relaxed), 2, "at yield {limit}");
        assert_eq!(said.load(Ordering::Relaxed), started, "at yield {limit}");
        if started {
            assert!(limit > 1, "it never yielded");
            break;
        }
    }
    Ok(())
}

#[ballet::test]
async fn a_starter_that_is_dropped_leaves_its_line_as_the_reason() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let (tell, told) = oneshot::channel();
        let child = async move |_: Ready| Ok(tell.send(ballet::shield(ballet::cancelled()).await).ok());
        let (start, line) = (s.start(child), line!());
        ballet::timeout(SECOND, start).await.unwrap_err();
        let reason = told.await?;
        assert!(matches!(reason, Reason::Dropped(_)), "{reason}");
        assert_eq!((reason.origin().place().file(), reason.origin().place().line()), (file!(), line));
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn what_is_said_when_the_starter_has_gone_is_dropped_once() -> Result<(), Error> {
    let dropped = Arc::new(AtomicU32::new(0));
    let word = Counted(Arc::clone(&dropped));
    ballet::scope(async |s: Scope| {
        let stubborn = async move |ready: Ready<Counted>| {
            ballet::shield(sleep(SECOND)).await;
            ready.announce(word);
            Ok(())
        };
        {
            let mut start = pin!(s.start(stubborn));
            assert!(poll!(&mut start).is_pending());
        }
        Ok(())
    })
    .await?;
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    Ok(())
}

#[ballet::test]
async fn a_scope_that_is_cancelled_ends_the_starter_and_the_child() {
    let alive = Arc::new(AtomicU32::new(0));
    let count = Counted(Arc::clone(&alive));
    let failure = ballet::scope(async |s: Scope| {
        let handle = s.clone();
        s.spawn(async move {
            sleep(SECOND).await;
            handle.cancel();
            Ok(())
        });
        let never = async move |_ready: Ready| {
            let _count = count;
            pending::<Result<(), _>>().await
        };
        s.start(never).await?;
        Ok(())
    })
    .await
    .unwrap_err();
    assert!(failure.is_cancelled() && failure.suppressed().is_empty(), "{failure}");
    assert_eq!(alive.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_workers_no_word_is_lost_and_no_starter_hangs() -> Result<(), Error> {
    let owner = async {
        ballet::supervisor_scope(async |s: SupervisorScope| {
            let starters = s.spawn_all((0..500_u32).map(|number| {
                let s = s.clone();
                async move {
                    let child = async move |ready: Ready<u32>| {
                        tokio::task::yield_now().await;
                        match number % 3 {
                            0 => ready.announce(number),
                            1 => return Err(Error::msg("failed first")),
                            _ => {}
                        }
                        Ok(())
                    };
                    Ok(s.start(child).await.ok().map(|(word, _)| word))
                }
            }));
            for (number, starter) in (0..).zip(starters) {
                assert_eq!(starter.await?, (number % 3 == 0).then_some(number));
            }
            Ok(())
        })
        .await
    };
    tokio::time::timeout(Duration::from_secs(60), owner).await??;
    Ok(())
}
