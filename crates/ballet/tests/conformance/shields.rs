//! What must not be cut, and when it may be again: R13.

use std::future::pending;
use std::time::Duration;

use ballet::observe::State;
use ballet::{Error, Scope};
use tokio::time::{Instant, sleep};

use crate::words::Words;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A shield is taken away by dropping it.
#[ballet::test]
async fn c33_when_the_shield_is_taken_away_the_job_is_cut_at_its_next_yield() -> Result<(), Error> {
    let began = Instant::now();
    let words = Words::default();
    let heard = words.clone();
    ballet::scope(async |s: Scope| {
        let job = s.spawn(async move {
            let _ = tokio::time::timeout(seconds(1), ballet::shield(sleep(seconds(100)))).await;
            heard.say("the shield is gone");
            sleep(seconds(100)).await;
            heard.say("never");
            Ok(())
        });
        tokio::task::yield_now().await;
        job.job().cancel();
        Ok(())
    })
    .await?;
    assert_eq!(words.said(), ["the shield is gone"]);
    assert_eq!(began.elapsed(), seconds(1));
    Ok(())
}

#[ballet::test]
async fn c35_two_shields_in_a_row_both_run_whole_and_the_next_await_is_cut() -> Result<(), Error> {
    let began = Instant::now();
    let words = Words::default();
    let heard = words.clone();
    ballet::scope(async |s: Scope| {
        let job = s.spawn(async move {
            for word in ["one", "two"] {
                ballet::shield(sleep(seconds(1))).await;
                heard.say(word);
            }
            sleep(seconds(100)).await;
            heard.say("never");
            Ok(())
        });
        tokio::task::yield_now().await;
        job.job().cancel();
        Ok(())
    })
    .await?;
    assert_eq!(words.said(), ["one", "two"]);
    assert_eq!(began.elapsed(), seconds(2));
    Ok(())
}

/// The source lends a `restore` to part of a masked region. Here shielded code that wants to be interrupted at some
/// point awaits [`ballet::cancelled`] there, beside its work.
#[ballet::test]
async fn c43_a_pending_cancellation_is_delivered_where_shielded_code_asks_and_the_rest_stays_shielded()
-> Result<(), Error> {
    let began = Instant::now();
    let words = Words::default();
    let heard = words.clone();
    ballet::scope(async |s: Scope| {
        let job = s.spawn(async move {
            ballet::shield(async {
                sleep(seconds(1)).await;
                heard.say("shielded");
                tokio::select! {
                    reason = ballet::cancelled() => {
                        assert!(matches!(reason, ballet::Reason::Requested(_)));
                        heard.say("delivered");
                    }
                    () = sleep(seconds(100)) => heard.say("never"),
                }
                sleep(seconds(1)).await;
                heard.say("shielded again");
            })
            .await;
            sleep(seconds(100)).await;
            heard.say("never");
            Ok(())
        });
        tokio::task::yield_now().await;
        job.job().cancel();
        Ok(())
    })
    .await?;
    assert_eq!(words.said(), ["shielded", "delivered", "shielded again"]);
    assert_eq!(began.elapsed(), seconds(2));
    Ok(())
}

/// In the source, shielded code does not see that it is cancelled unless it looks at its handle. Here it sees it
/// through [`ballet::cancelled`] and the handle alike (R12), and nothing in it is cut or asked to end.
#[ballet::test]
async fn c45_a_child_spawned_inside_a_shield_is_not_cancelled_unless_code_in_there_does_so()
-> Result<(), Error> {
    let began = Instant::now();
    let words = Words::default();
    let heard = words.clone();
    let job = ballet::scope(async |s: Scope| {
        let job = s.spawn(async move {
            ballet::shield(async {
                ballet::cancelled().await;
                ballet::scope(async |s: Scope| {
                    assert!(s.reason().is_none(), "the scope inside has not been asked to end");
                    let (spared, stopped) = (heard.clone(), heard.say_on_drop("stopped"));
                    let spared = s.spawn(async move {
                        sleep(seconds(1)).await;
                        spared.say("spared");
                        Ok(())
                    });
                    spared.await;
                    s.spawn(async move {
                        let _stopped = stopped;
                        pending::<Result<(), _>>().await
                    });
                    tokio::task::yield_now().await;
                    s.cancel_children();
                    Ok(())
                })
                .await
            })
            .await?;
            Ok(())
        });
        tokio::task::yield_now().await;
        let job = job.job().clone();
        job.cancel();
        sleep(Duration::from_millis(500)).await;
        assert_eq!(job.state(), State::Cancelling);
        assert!(job.reason().is_some());
        Ok(job)
    })
    .await?;
    assert_eq!(words.said(), ["spared", "stopped"]);
    assert_eq!(began.elapsed(), seconds(1));
    // It returned from the shield and did not yield again: a job that ends by itself has ended by itself.
    assert_eq!(job.state(), State::Completed);
    Ok(())
}
