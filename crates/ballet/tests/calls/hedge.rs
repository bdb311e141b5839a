//! When a copy of a call is made, which one counts, and that none is left.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ballet::{Error, Hedge, RetryBudget, Scope};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// Counts the copies that are alive, and those that were made.
#[derive(Clone, Default)]
struct Copies {
    made: Arc<AtomicU32>,
    alive: Arc<AtomicU32>,
}

struct Alive(Copies);

impl Copies {
    fn live(&self) -> Alive {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.alive.fetch_add(1, Ordering::Relaxed);
        Alive(self.clone())
    }

    fn made(&self) -> u32 {
        self.made.load(Ordering::Relaxed)
    }

    fn alive(&self) -> u32 {
        self.alive.load(Ordering::Relaxed)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[ballet::test]
async fn a_call_that_ends_in_time_is_made_once() -> Result<(), Error> {
    let copies = Copies::default();
    let counts = copies.clone();
    let answer = Hedge::after(SECOND).copies(5).run(async move |copy| {
        let _alive = counts.live();
        sleep(SECOND - Duration::from_millis(1)).await;
        Ok::<_, Error>(copy)
    });
    assert_eq!((answer.await?, copies.made()), (1, 1));
    Ok(())
}

#[ballet::test]
async fn copies_are_made_one_after_the_other_and_the_losers_have_ended_when_it_returns() -> Result<(), Error>
{
    let copies = Copies::default();
    let counts = copies.clone();
    let began = Instant::now();
    let answer = Hedge::after(SECOND).copies(4).run(async move |copy| {
        let _alive = counts.live();
        if copy < 3 {
            pending::<()>().await;
        }
        sleep(SECOND / 2).await;
        Ok::<_, Error>(copy)
    });
    assert_eq!((answer.await?, began.elapsed()), (3, SECOND * 5 / 2));
    assert_eq!((copies.made(), copies.alive()), (3, 0));
    Ok(())
}

#[ballet::test]
async fn the_slow_first_one_may_still_win() -> Result<(), Error> {
    let answer = Hedge::after(SECOND).run(async |copy: u32| {
        sleep(if copy == 1 { SECOND * 2 } else { SECOND * 10 }).await;
        Ok::<_, Error>(copy)
    });
    assert_eq!(answer.await?, 1);
    Ok(())
}

#[ballet::test]
async fn a_copy_that_fails_brings_the_next_one_forward() -> Result<(), Error> {
    let began = Instant::now();
    let answer = Hedge::after(SECOND * 10).copies(3).run(async |copy| {
        sleep(SECOND).await;
        if copy < 3 { Err(Error::msg("reset")) } else { Ok(copy) }
    });
    assert_eq!((answer.await?, began.elapsed()), (3, SECOND * 3));
    Ok(())
}

#[ballet::test]
async fn where_all_fail_the_first_failure_is_told_and_the_others_with_it() {
    let failure = Hedge::after(SECOND)
        .copies(3)
        .run(async |copy| {
            sleep(SECOND * [10, 5, 1][copy as usize - 1]).await;
            Err::<(), _>(copy)
        })
        .await
        .unwrap_err();
    assert_eq!(failure.error(), Some(&3), "the third begins after two seconds and fails first");
    let others: Vec<_> = failure.suppressed().iter().filter_map(|failure| failure.error()).collect();
    assert_eq!(others, [&2, &1]);
    assert!(failure.path().to_string().ends_with("/copy-3"), "{failure:?}");
    assert!(failure.place().file().ends_with("hedge.rs"), "its place of birth is the caller's line");
}

#[ballet::test]
async fn copies_come_out_of_a_budget_and_calls_pay_in() -> Result<(), Error> {
    let budget = RetryBudget::new(50, 1);
    let hedge = Hedge::after(SECOND).copies(3).budget(&budget);
    let made = async |slow: bool| {
        let copies = Copies::default();
        let counts = copies.clone();
        let answer = hedge.run(async move |_| {
            let _alive = counts.live();
            sleep(if slow { SECOND * 9 } else { SECOND / 2 }).await;
            Ok::<_, Error>(())
        });
        answer.await.map(|()| copies.made())
    };
    assert_eq!(made(true).await?, 2);
    assert_eq!(made(true).await?, 1, "half a copy is none");
    assert_eq!(made(false).await?, 1);
    assert_eq!((budget.left(), made(true).await?), (1, 2));
    Ok(())
}

#[ballet::test]
#[should_panic(expected = "slipped")]
async fn a_copy_that_panics_ends_the_call() {
    let answer = Hedge::after(SECOND).run(async |_| {
        sleep(SECOND * 2).await;
        panic!("slipped");
        #[expect(unreachable_code, reason = "names the type of a call that panics")]
        Ok::<(), Error>(())
    });
    drop(answer.await);
}

#[ballet::test]
async fn a_hedge_that_is_cut_leaves_no_copy_behind() -> Result<(), Error> {
    let copies = Copies::default();
    let counts = copies.clone();
    ballet::scope(async |s: Scope| {
        let call = s.named("call").spawn(async move {
            let answer = Hedge::after(SECOND).run(async move |_| {
                let _alive = counts.live();
                pending::<Result<(), Error>>().await
            });
            Ok(answer.await?)
        });
        sleep(SECOND * 3 / 2).await;
        let tree = s.tree().to_string();
        assert!(tree.contains("/call/copy-1 ") && tree.contains("/call/copy-2 "), "{tree}");
        call.job().cancel();
        Ok(())
    })
    .await?;
    assert_eq!((copies.made(), copies.alive()), (2, 0));
    Ok(())
}
