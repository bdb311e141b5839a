//! Who waits for whom, and who is still let in: R1–R4.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ballet::observe::State;
use ballet::{Error, Reason, Scope};
use tokio::time::{Instant, sleep};

use crate::words::Words;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[ballet::test]
async fn c01_the_bodys_value_is_returned_only_after_every_descendant_has_ended() -> Result<(), Error> {
    let began = Instant::now();
    let words = Words::default();
    let (child, grandchild, other) = (words.clone(), words.clone(), words.clone());
    let value = ballet::scope(async |s: Scope| {
        s.spawn(async move {
            ballet::scope(async |s: Scope| {
                s.spawn(async move {
                    sleep(seconds(3)).await;
                    grandchild.say("grandchild");
                    Ok(())
                });
                sleep(seconds(1)).await;
                child.say("child");
                Ok(())
            })
            .await?;
            Ok(())
        });
        s.spawn(async move {
            sleep(seconds(2)).await;
            other.say("other child");
            Ok(())
        });
        Ok(42)
    })
    .await?;
    assert_eq!(value, 42);
    assert_eq!(words.said(), ["child", "other child", "grandchild"]);
    assert_eq!(began.elapsed(), seconds(3));
    Ok(())
}

#[ballet::test]
async fn c13_a_hydra_of_children_ends_and_late_spawns_are_refused() {
    type Head = Pin<Box<dyn Future<Output = Result<(), &'static str>> + Send>>;
    fn grow(s: Scope<&'static str>, grown: Arc<AtomicU32>) -> Head {
        Box::pin(async move {
            grown.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(10)).await;
            for _ in 0..2 {
                s.spawn(grow(s.clone(), Arc::clone(&grown)));
            }
            pending().await
        })
    }
    let grown = Arc::new(AtomicU32::new(0));
    let heads = Arc::clone(&grown);
    let mut kept = None;
    let failure = ballet::scope(async |s: Scope<&'static str>| {
        kept = Some(s.clone());
        s.spawn(grow(s.clone(), heads));
        s.spawn(async {
            sleep(Duration::from_millis(65)).await;
            Err::<(), _>("cut them all")
        });
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"cut them all"));
    // One head at first, and twice as many every ten milliseconds.
    assert_eq!(grown.load(Ordering::Relaxed), 1 + 2 + 4 + 8 + 16 + 32 + 64);
    let handle = kept.expect("the body ran");
    assert!(handle.tree().children.is_empty());
    assert!(handle.try_spawn(async { Ok(()) }).is_err());
}

#[ballet::test]
async fn c22_a_future_spawned_into_an_ended_or_cancelled_scope_is_dropped_unpolled() -> Result<(), Error> {
    let began = Instant::now();
    let words = Words::default();
    let never = |words: &Words| {
        let words = words.clone();
        async move {
            words.say("polled");
            pending::<Result<(), Error>>().await
        }
    };
    let failure = ballet::scope(async |s: Scope| {
        s.cancel();
        let refused = s.spawn(never(&words));
        assert_eq!(refused.job().state(), State::Cancelled);
        let refused = s.try_spawn(never(&words)).unwrap_err();
        assert!(matches!(refused.reason(), Reason::Requested(_)));
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert!(failure.is_cancelled());

    let ended = ballet::scope(async |s: Scope| Ok(s)).await?;
    assert_eq!(ended.spawn(never(&words)).job().state(), State::Cancelled);
    let refused = ended.try_spawn(never(&words)).unwrap_err();
    assert!(matches!(refused.reason(), Reason::ParentEnded(_)));

    assert!(words.said().is_empty());
    assert!(began.elapsed().is_zero(), "what was refused keeps no scope open");
    Ok(())
}

/// The source answers with an error when a scope is closed out of order. Here nothing can close one out of order
/// (R2): an outer scope that ends takes the inner ones with it, and waits for them.
#[ballet::test]
async fn c25_an_outer_scope_that_ends_takes_the_open_inner_one_with_it() {
    let began = Instant::now();
    let words = Words::default();
    let (cleanup, late) = (words.clone(), words.clone());
    let (give, take) = tokio::sync::oneshot::channel();
    let failure = ballet::scope(async |outer: Scope| {
        outer.spawn(async move {
            ballet::scope(async |inner: Scope| {
                inner.defer(async move {
                    sleep(seconds(1)).await;
                    cleanup.say("the inner scope is cleaned up");
                    Ok(())
                });
                let _ = give.send(inner);
                pending::<Result<(), Error>>().await
            })
            .await?;
            Ok(())
        });
        let inner = take.await?;
        outer.cancel();
        // At the yield in here everything in the outer scope is cut, but for what a shield holds.
        ballet::shield(async {
            sleep(Duration::from_millis(1)).await;
            assert!(inner.try_spawn(async { Ok(()) }).is_err(), "the inner scope is being cancelled");
            inner.spawn(async move {
                late.say("a late child ran");
                Ok(())
            });
        })
        .await;
        pending::<Result<(), Error>>().await
    })
    .await
    .unwrap_err();
    assert!(failure.is_cancelled());
    assert_eq!(words.said(), ["the inner scope is cleaned up"]);
    assert_eq!(began.elapsed(), seconds(1));
}

#[ballet::test]
async fn c26_an_owner_cancelled_while_it_waits_for_a_straggler_still_waits_and_stays_cancelled()
-> Result<(), Error> {
    let began = Instant::now();
    let words = Words::default();
    let (straggler, after) = (words.clone(), words.clone());
    let owner = ballet::scope(async |s: Scope| {
        let owner = s.spawn(async move {
            ballet::scope(async |s: Scope| {
                s.spawn(async move {
                    ballet::shield(sleep(seconds(10))).await;
                    straggler.say("the straggler has ended");
                    Ok(())
                });
                Ok(())
            })
            .await?;
            after.say("the owner went on");
            Ok(())
        });
        sleep(seconds(1)).await; // the owner's scope waits for its straggler
        let owner = owner.job().clone();
        owner.cancel();
        sleep(seconds(1)).await;
        assert_eq!(owner.state(), State::Cancelling);
        Ok(owner)
    })
    .await?;
    assert_eq!(words.said(), ["the straggler has ended"]);
    assert_eq!(began.elapsed(), seconds(10));
    assert_eq!(owner.state(), State::Cancelled);
    assert!(matches!(owner.reason(), Some(Reason::Requested(_))));
    Ok(())
}
