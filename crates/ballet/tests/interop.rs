//! Scopes beside the means that other code has for the same: Tokio's tasks, tokio-util's tokens, combinators of
//! `futures`.

use std::future::{pending, ready};
use std::time::Duration;

use ballet::{Error, Outcome, Reason, Scope, SupervisorScope};
use futures_util::future::{join_all, select_all, try_join_all};
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use futures_util::{FutureExt, select};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A task that no scope owns, as a library spawns it.
fn foreign<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    #[expect(clippy::disallowed_methods, reason = "the tests adopt what other code spawned")]
    tokio::spawn(future)
}

/// Tells that it was dropped.
struct Tells(mpsc::UnboundedSender<&'static str>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

/// A task that never ends by itself, and what hears of its end.
fn endless() -> (JoinHandle<()>, mpsc::UnboundedReceiver<&'static str>) {
    let (tell, told) = mpsc::unbounded_channel();
    let tells = Tells(tell);
    let task = foreign(async move {
        let _tells = tells;
        pending::<()>().await;
    });
    (task, told)
}

#[ballet::test]
async fn an_adopted_task_gives_its_value() -> Result<(), Error> {
    let task = foreign(async {
        sleep(seconds(1)).await;
        42
    });
    let adopted = ballet::adopt(task);
    let answer =
        ballet::scope(async |s: Scope| Ok(s.named("adopted").spawn(async { Ok(adopted.await?) }).await));
    assert_eq!(answer.await?, 42);
    Ok(())
}

#[ballet::test]
async fn an_adopted_task_has_ended_when_the_scope_that_was_cancelled_returns() {
    let (task, mut told) = endless();
    let adopted = ballet::adopt(task);
    let scope = ballet::scope(async |s: Scope| {
        s.spawn(async { Ok(adopted.await?) });
        sleep(seconds(1)).await;
        s.cancel();
        pending::<Result<(), Error>>().await
    });
    assert!(scope.await.unwrap_err().is_cancelled());
    assert_eq!(told.try_recv().ok(), Some("dropped"));
}

#[ballet::test]
async fn the_scope_around_waits_for_an_adopted_task_whose_future_was_dropped() -> Result<(), Error> {
    let (task, mut told) = endless();
    ballet::scope(async |_: Scope| {
        assert!(timeout(seconds(1), ballet::adopt(task)).await.is_err());
        Ok(())
    })
    .await?;
    assert_eq!(told.try_recv()?, "dropped");
    Ok(())
}

#[ballet::test]
async fn a_task_that_was_adopted_and_never_awaited_is_aborted() {
    let (task, mut told) = endless();
    drop(ballet::adopt(task));
    assert_eq!(told.recv().await, Some("dropped"));
}

#[ballet::test]
async fn a_scope_that_has_ended_aborts_the_task_that_it_refuses() -> Result<(), Error> {
    let (task, mut told) = endless();
    let ended = ballet::scope(async |s: Scope| Ok(s)).await?;
    let adopted = ballet::adopt(task);
    ended.spawn(async { Ok(adopted.await?) });
    assert_eq!(told.recv().await, Some("dropped"));
    Ok(())
}

#[ballet::test]
async fn a_panic_of_an_adopted_task_is_that_of_the_child() -> Result<(), Error> {
    let adopted = ballet::adopt(foreign(async { panic!("slipped") }));
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let child = s.named("clown").spawn(async move {
            let () = adopted.await?;
            Ok(())
        });
        let Outcome::Panicked(panic) = child.outcome().await else { panic!("it did not panic") };
        assert_eq!(panic.message().as_deref(), Some("slipped"));
        assert_eq!(panic.path().to_string().rsplit('/').next(), Some("clown"));
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn an_adopted_task_that_somebody_else_aborts_is_an_error() {
    let (task, _told) = endless();
    task.abort();
    let failure = ballet::adopt(task).await.unwrap_err();
    assert!(failure.error().is_some_and(JoinError::is_cancelled));
}

#[ballet::test]
async fn a_shield_holds_off_the_abort_of_an_adopted_task() -> Result<(), Error> {
    let charge = ballet::adopt(foreign(async {
        sleep(seconds(5)).await;
        "charged"
    }));
    let (tell, told) = oneshot::channel();
    let scope = ballet::scope(async |s: Scope| {
        s.spawn(async {
            let charged = ballet::shield(charge).await?;
            let _ = tell.send(charged);
            Ok(())
        });
        sleep(seconds(1)).await;
        s.cancel();
        pending::<Result<(), Error>>().await
    });
    assert!(scope.await.is_err());
    assert_eq!(told.await?, "charged");
    Ok(())
}

#[ballet::test]
async fn a_token_is_cancelled_with_its_scope() {
    let scope = ballet::scope(async |s: Scope| {
        let token = s.token();
        s.spawn(ballet::shield(async move {
            token.cancelled().await;
            sleep(seconds(1)).await;
            Err::<(), _>(Error::msg("heard"))
        }));
        sleep(seconds(1)).await;
        assert!(!s.token().is_cancelled());
        s.cancel();
        pending::<Result<(), Error>>().await
    });
    let failure = timeout(seconds(60), scope).await.unwrap().unwrap_err();
    assert_eq!(failure.error().map(Error::to_string).as_deref(), Some("heard"));
}

#[ballet::test]
async fn a_token_is_cancelled_when_a_sibling_fails() {
    let mut kept = None;
    let scope = ballet::scope(async |s: Scope| {
        kept = Some(s.token());
        s.spawn(async { Err::<(), _>(Error::msg("boom")) });
        pending::<Result<(), Error>>().await
    });
    assert!(scope.await.is_err());
    assert!(kept.is_some_and(|token| token.is_cancelled()));
}

#[ballet::test]
async fn a_token_is_cancelled_when_its_scope_has_ended_and_one_of_an_ended_scope_at_once() -> Result<(), Error>
{
    let (token, s) = ballet::scope(async |s: Scope| Ok((s.token(), s))).await?;
    assert!(token.is_cancelled() && s.token().is_cancelled());
    Ok(())
}

#[ballet::test]
async fn a_token_is_cancelled_when_its_scope_is_dropped_whatever_is_left_in_it() {
    for has_children in [false, true] {
        let mut kept = None;
        let scope = ballet::scope(async |s: Scope| {
            kept = Some(s.token());
            if has_children {
                s.spawn(ballet::shield(async {
                    sleep(seconds(5)).await;
                    Ok(())
                }));
            }
            pending::<Result<(), Error>>().await
        });
        assert!(timeout(seconds(1), scope).await.is_err());
        let Some(token) = kept else { panic!("the body did not run") };
        assert!(timeout(seconds(1), token.cancelled()).await.is_ok(), "children: {has_children}");
    }
}

#[ballet::test]
async fn a_token_tells_a_graceful_job_that_it_was_asked() -> Result<(), Error> {
    let said = ballet::scope(async |s: Scope| {
        let server = s.named("server").graceful(seconds(10)).spawn(async {
            let served = ballet::scope(async |s: Scope| {
                s.token().cancelled().await;
                sleep(seconds(5)).await;
                Ok("drained")
            });
            Ok(served.await?)
        });
        sleep(seconds(1)).await;
        server.job().cancel();
        Ok(server.await)
    });
    assert_eq!(said.await?, "drained");
    Ok(())
}

#[ballet::test]
async fn cancelling_a_token_leaves_its_scope_alone() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        s.token().cancel();
        sleep(seconds(1)).await;
        assert!(s.is_open() && !s.token().is_cancelled());
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_scope_is_cancelled_when_the_signal_ends() {
    let token = CancellationToken::new();
    let signal = token.clone().cancelled_owned();
    let scope = ballet::scope(async |s: Scope| {
        s.cancel_when(signal);
        s.spawn(async move {
            sleep(seconds(1)).await;
            token.cancel();
            pending::<Result<(), Error>>().await
        });
        pending::<Result<(), Error>>().await
    });
    let failure = timeout(seconds(60), scope).await.unwrap().unwrap_err();
    let Some(Reason::Requested(origin)) = failure.reason() else { panic!("{failure:?}") };
    assert_eq!(origin.place().file(), file!());
}

#[ballet::test]
async fn a_signal_can_be_given_from_elsewhere_while_the_scope_waits() {
    let scope = ballet::scope(async |s: Scope| {
        let handle = s.clone();
        s.spawn(async move {
            sleep(seconds(1)).await;
            handle.cancel_when(ready(()));
            pending::<Result<(), Error>>().await
        });
        Ok("the body had its value")
    });
    assert_eq!(timeout(seconds(60), scope).await.unwrap().ok(), Some("the body had its value"));
}

#[ballet::test]
async fn a_signal_does_not_hold_its_scope_open_and_is_dropped_with_it() -> Result<(), Error> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let tells = Tells(tell);
    let ended = ballet::scope(async |s: Scope| {
        s.cancel_when(async move {
            let _tells = tells;
            pending::<()>().await;
        });
        Ok(s)
    });
    let ended = ended.await?;
    assert_eq!(told.try_recv()?, "dropped");

    let (tell, mut told) = mpsc::unbounded_channel();
    let tells = Tells(tell);
    ended.cancel_when(async move { drop(tells) });
    assert_eq!(told.try_recv()?, "dropped");
    Ok(())
}

#[ballet::test]
async fn a_signal_may_add_another() {
    let scope = ballet::scope(async |s: Scope| {
        let handle = s.clone();
        s.cancel_when(async move {
            handle.cancel_when(sleep(seconds(1)));
            pending::<()>().await;
        });
        pending::<Result<(), Error>>().await
    });
    assert!(timeout(seconds(60), scope).await.is_ok_and(|ended| ended.is_err()));
}

#[ballet::test]
#[should_panic(expected = "the signal slipped")]
async fn a_panic_of_a_signal_is_that_of_the_scope() {
    let _ = ballet::scope(async |s: Scope| {
        s.cancel_when(async { panic!("the signal slipped") });
        pending::<Result<(), Error>>().await
    })
    .await;
}

#[ballet::test]
#[should_panic(expected = "the signal's destructor")]
async fn a_panic_of_a_signals_destructor_is_that_of_the_scope() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "the signal's destructor");
        }
    }
    let _ = ballet::scope(async |s: Scope| {
        s.cancel_when(async {
            let _bomb = Bomb;
            pending::<()>().await;
        });
        Ok(())
    })
    .await;
}

#[ballet::test]
async fn a_token_that_runs_a_scope_until_it_is_cancelled_leaves_it_to_the_scope_around() -> Result<(), Error>
{
    let (tell, mut told) = mpsc::unbounded_channel();
    ballet::scope(async |_: Scope| {
        let token = CancellationToken::new();
        let stops = token.clone();
        let scope = ballet::scope(async |s: Scope| {
            let _tells = Tells(tell);
            s.spawn(ballet::shield(async {
                sleep(seconds(5)).await;
                Ok(())
            }));
            stops.cancel();
            pending::<Result<(), Error>>().await
        });
        assert!(token.run_until_cancelled(scope).await.is_none());
        Ok(())
    })
    .await?;
    assert_eq!(told.try_recv()?, "dropped");
    Ok(())
}

#[ballet::test]
async fn deferred_values_can_be_joined_in_order() -> Result<(), Error> {
    let squares = ballet::scope(async |s: Scope| {
        let children = (1..=4u64).map(|n| {
            s.spawn(async move {
                sleep(seconds(10 - n)).await;
                Ok(n * n)
            })
        });
        Ok(join_all(children).await)
    });
    assert_eq!(squares.await?, [1, 4, 9, 16]);
    Ok(())
}

#[ballet::test]
async fn deferred_values_can_be_taken_as_they_come() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let spawn = |n: u64| {
            s.spawn(async move {
                sleep(seconds(n)).await;
                Ok(n)
            })
        };
        let unordered: FuturesUnordered<_> = [3, 1, 2].map(spawn).into_iter().collect();
        assert_eq!(unordered.collect::<Vec<_>>().await, [1, 2, 3]);
        let two_at_a_time = stream::iter([3, 1, 2]).map(spawn).buffer_unordered(2);
        assert_eq!(two_at_a_time.collect::<Vec<_>>().await, [1, 3, 2]);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn the_loser_of_a_select_goes_on_and_can_be_awaited_again() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let after = |count| async move {
            sleep(seconds(count)).await;
            Ok(count)
        };
        let (mut slow, mut quick) = (s.spawn(after(2)).fuse(), s.spawn(after(1)).fuse());
        let first = select! { count = slow => count, count = quick => count };
        assert_eq!((first, slow.await), (1, 2));

        let (first, _, rest) = select_all([s.spawn(after(4)), s.spawn(after(3))]).await;
        assert_eq!((first, join_all(rest).await), (3, vec![4]));
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn under_a_supervisor_a_try_join_stops_at_the_first_failure() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let children = [s.spawn(async { Err(Error::msg("boom")) }), s.spawn(pending::<Result<u32, Error>>())];
        let failure = try_join_all(children).await.unwrap_err();
        assert_eq!(failure.error().map(Error::to_string).as_deref(), Some("boom"));
        s.cancel_children();
        Ok(())
    })
    .await?;
    Ok(())
}
