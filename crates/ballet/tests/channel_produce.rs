//! Children that fill channels: how they end, how their receivers learn of it, and how giving up travels.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use ballet::channel::{self, InContext, Receiver};
use ballet::observe::State;
use ballet::{Context, Error, Inheritance, Key, Scope, SupervisorScope};
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

/// Whether a cause is what the producer of this name said. Before its name stands the path of the test.
fn says(cause: &channel::Cause, name: &str, how: &str) -> bool {
    cause.to_string().ends_with(&format!("/{name}` {how}"))
}

async fn all<T>(rx: Receiver<T>) -> Result<Vec<T>, channel::Cause> {
    let mut all = Vec::new();
    while let Some(item) = rx.recv().await? {
        all.push(item);
    }
    Ok(all)
}

#[ballet::test]
async fn a_producer_closes_its_channel_when_it_has_ended() -> Result<(), Error> {
    let heard = ballet::scope(async |s: Scope| {
        let rx = s.produce(channel::bounded(2), |tx| async move {
            for number in 0..10 {
                tx.send(number).await?;
            }
            Ok(())
        });
        Ok(all(rx).await?)
    })
    .await?;
    assert!(heard.into_iter().eq(0..10));
    Ok(())
}

#[ballet::test]
async fn what_a_failed_producer_had_sent_is_followed_by_the_cause() -> Result<(), Error> {
    let failures = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&failures);
    ballet::supervisor_scope(async |s: SupervisorScope| {
        s.on_failure(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let rx = s.named("feed").produce(channel::bounded(4), |tx| async move {
            tx.send(1).await?;
            drop(tx);
            Err(Error::msg("the line is dead"))
        });
        assert_eq!(rx.recv().await?, Some(1));
        let cause = rx.recv().await.unwrap_err();
        assert!(says(&cause, "feed", "failed: the line is dead"), "{cause}");
        Ok(())
    })
    .await?;
    assert_eq!(failures.load(Ordering::SeqCst), 1);
    Ok(())
}

#[ballet::test]
async fn a_producer_that_panics_or_is_cancelled_does_not_look_like_one_that_is_done() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        s.on_failure(|_| {});
        let rx = s.named("clumsy").produce(channel::bounded::<u32>(4), |tx| async move {
            tx.send(1).await?;
            panic!("tripped")
        });
        assert_eq!(rx.recv().await?, Some(1));
        assert!(says(&rx.recv().await.unwrap_err(), "clumsy", "panicked"));

        let rx = s.named("slow").produce(channel::bounded::<u32>(4), |tx| async move {
            tx.closed().await;
            Ok(())
        });
        let in_time = s.produce(channel::bounded::<u32>(4), |tx| async move { Ok(tx.send(1).await?) });
        tokio::time::sleep(MS).await;
        s.cancel_children();
        assert!(says(&rx.recv().await.unwrap_err(), "slow", "was cancelled"));
        assert_eq!((in_time.recv().await?, in_time.recv().await?), (Some(1), None));

        let never = s.produce(channel::bounded::<u32>(4), |tx| async move { Ok(tx.send(1).await?) });
        s.cancel_children();
        assert_eq!(never.recv().await.unwrap_err().to_string(), "its producer did not begin");
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_producer_is_cancelled_when_its_last_receiver_has_gone() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let rx = s.named("clock").produce(channel::bounded::<u32>(1), |_tx| std::future::pending());
        let other = rx.clone();
        drop(rx);
        tokio::time::sleep(MS).await;
        let clock = |s: &Scope| {
            s.tree().iter().any(|node| node.path.ends_with("/clock") && node.state == State::Running)
        };
        assert!(clock(&s));
        drop(other);
        tokio::time::sleep(MS).await;
        assert!(!clock(&s));
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_producer_that_learns_first_that_its_receivers_have_gone_has_not_failed() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let (tx, rx) = channel::bounded(1);
        let leaves = s.produce((tx, rx), |tx| async move {
            tx.closed().await; // so it goes on to send before its job is asked
            tx.send(1).await?;
            Ok(())
        });
        let also_leaves = s.named("graceful").graceful(MS).produce(channel::bounded(1), |tx| async move {
            loop {
                tx.send(1).await?;
            }
        });
        tokio::time::sleep(MS).await;
        drop((leaves, also_leaves));
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_stage_fans_out_to_its_workers_and_fans_in_from_them() -> Result<(), Error> {
    let (busy, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let before = Instant::now();
    let mut squares = ballet::scope(async |s: Scope| {
        let numbers = s.produce(channel::bounded(4), |tx| async move {
            for number in 0..20_u32 {
                tx.send(number).await?;
            }
            Ok(())
        });
        let squares = s.named("square").pipe(numbers, 4, channel::bounded(4), async move |number| {
            most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(10 * MS).await;
            busy.fetch_sub(1, Ordering::SeqCst);
            Ok(number * number)
        });
        Ok(all(squares).await?)
    })
    .await?;
    squares.sort_unstable();
    assert!(squares.into_iter().eq((0..20).map(|number| number * number)));
    assert_eq!((seen.load(Ordering::SeqCst), before.elapsed()), (4, 50 * MS));
    Ok(())
}

#[ballet::test]
async fn many_producers_fan_in_to_one_channel() -> Result<(), Error> {
    let (tx, rx) = channel::bounded(2);
    let mut heard = ballet::scope(async |s: Scope| {
        for voice in 0..4 {
            let tx = tx.clone();
            s.spawn(async move {
                for note in 0..25 {
                    tx.send(voice * 25 + note).await?;
                }
                Ok(())
            });
        }
        drop(tx);
        Ok(all(rx).await?)
    })
    .await?;
    heard.sort_unstable();
    assert!(heard.into_iter().eq(0..100));
    Ok(())
}

#[ballet::test]
async fn the_end_and_the_giving_up_travel_along_a_pipeline() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let (tx, rx) = channel::bounded(1);
        let doubled = s.pipe(rx, 2, channel::bounded(1), async |n: u32| Ok(n * 2));
        let printed = s.pipe(doubled, 1, channel::bounded(1), async |n: u32| Ok(n.to_string()));
        tx.send(21).await?;
        assert_eq!(printed.recv().await?.as_deref(), Some("42"));
        tx.close_with(Error::msg("out of ink"));
        assert_eq!(printed.recv().await.unwrap_err().to_string(), "out of ink");

        let numbers = s.named("numbers").produce(channel::bounded(1), |tx| async move {
            for number in 1.. {
                tx.send(number).await?;
            }
            Ok(())
        });
        let doubled = s.pipe(numbers, 2, channel::bounded(1), async |n: u32| Ok(n * 2));
        let printed = s.pipe(doubled, 1, channel::bounded(1), async |n: u32| Ok(n.to_string()));
        assert!(printed.recv().await?.is_some());
        Ok(()) // the scope returns although the numbers never end
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_failing_worker_fails_its_scope_and_breaks_the_channel_under_a_supervisor() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        s.on_failure(|_| {});
        let (tx, rx) = channel::bounded(1);
        let halves = s.named("halve").pipe(rx, 1, channel::bounded(1), async |n: u32| {
            if n.is_multiple_of(2) { Ok(n / 2) } else { Err(Error::msg("odd")) }
        });
        tx.send(4).await?;
        assert_eq!(halves.recv().await?, Some(2));
        tx.send(3).await?;
        assert!(says(&halves.recv().await.unwrap_err(), "halve", "failed: odd"));
        Ok(())
    })
    .await?;
    let failure = ballet::scope(async |s: Scope| {
        let (tx, rx) = channel::bounded(1);
        let out = s.pipe(rx, 1, channel::bounded(1), async |_: u32| Err::<u32, _>(Error::msg("odd")));
        tx.send(3).await?;
        std::future::pending::<()>().await;
        drop(out);
        Ok(())
    });
    assert_eq!(failure.await.unwrap_err().error().unwrap().to_string(), "odd");
    Ok(())
}

#[test]
#[should_panic(expected = "a stage without workers")]
fn a_stage_without_workers_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stage = ballet::scope(async |s: Scope| {
        s.pipe(channel::bounded::<u32>(1).1, 0, channel::bounded(1), async |n| Ok(n));
        Ok(())
    });
    drop(runtime.block_on(stage));
}

struct Shared;
impl Key for Shared {
    type Value = u32;
}

struct Private;
impl Key for Private {
    type Value = u32;
    const INHERITANCE: Inheritance<u32> = Inheritance::Local;
}

#[ballet::test]
async fn an_item_that_asks_for_it_brings_the_context_of_its_sender() -> Result<(), Error> {
    let (tx, rx) = channel::bounded(2);
    ballet::scope(async |s: Scope| {
        let worker = s.named("worker").spawn(async move {
            let mut seen = Vec::new();
            while let Some(item) = rx.recv().await? {
                let item: InContext<&str> = item;
                let context = item.enter(async |name: &str| (name, Context::current())).await;
                let (name, context) = context;
                seen.push((
                    name,
                    context.get(Shared).copied(),
                    context.get(Private).copied(),
                    context.deadline(),
                ));
                assert!(context.path().to_string().ends_with("/worker"));
                assert_eq!(Context::current().get(Shared), None);
            }
            Ok(seen)
        });
        let deadline = Instant::now() + 50 * MS;
        ballet::timeout(50 * MS, async {
            let send = async { tx.send(InContext::new("within")).await };
            ballet::with(Private, 2, ballet::with(Shared, 1, send)).await
        })
        .await??;
        tx.send(InContext::new("without")).await?;
        drop(tx);
        assert_eq!(worker.await, [("within", Some(1), None, Some(deadline)), ("without", None, None, None)]);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_sender_that_was_given_away_does_not_keep_the_channel_open() -> Result<(), Error> {
    let (give, given) = tokio::sync::oneshot::channel();
    ballet::scope(async |s: Scope| {
        let rx = s.produce(channel::bounded(4), |tx| async move {
            tx.send(1).await?;
            drop(give.send(tx));
            Ok(())
        });
        let elsewhere = given.await.unwrap();
        assert_eq!(all(rx).await?, [1]);
        assert!(elsewhere.is_closed());
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn what_the_workers_have_taken_comes_before_the_cause() -> Result<(), Error> {
    let (tx, rx) = channel::bounded(4);
    ballet::scope(async |s: Scope| {
        let slow = s.pipe(rx, 3, channel::bounded(4), async |n: u32| {
            tokio::time::sleep(10 * MS).await;
            Ok(n)
        });
        tx.send(1).await?;
        tx.send(2).await?;
        tokio::time::sleep(MS).await;
        tx.close_with(Error::msg("broke off"));
        assert_eq!([slow.recv().await?, slow.recv().await?], [Some(1), Some(2)]);
        assert_eq!(slow.recv().await.unwrap_err().to_string(), "broke off");
        Ok(())
    })
    .await?;
    Ok(())
}
