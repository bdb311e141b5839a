//! How often a call is tried again, when, and what stops it.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use ballet::{Again, Backoff, Error, Retries, Retry, RetryBudget, SERVER_DELAY_MAX, Scope};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);
const STEADY: Backoff = Backoff::constant(SECOND).without_jitter();

#[ballet::test]
async fn a_call_that_succeeds_is_made_once() {
    let calls = Cell::new(0);
    let answer = Retry::new(5, STEADY).run(async |attempt| {
        calls.set(calls.get() + 1);
        Ok::<_, Error>(attempt)
    });
    assert_eq!((answer.await.ok(), calls.get()), (Some(1), 1));
}

#[ballet::test]
async fn attempts_are_counted_and_delays_double_between_them() {
    let (began, attempts) = (Instant::now(), RefCell::new(Vec::new()));
    let retry = Retry::new(5, Backoff::exponential(SECOND, SECOND * 4).without_jitter());
    let failed = retry.run(async |attempt| {
        attempts.borrow_mut().push((attempt, began.elapsed().as_secs()));
        Err::<(), _>(attempt)
    });
    assert_eq!(failed.await, Err(5), "the last error, as it is");
    assert_eq!(*attempts.borrow(), [(1, 0), (2, 1), (3, 3), (4, 7), (5, 11)]);
}

#[ballet::test]
async fn at_least_one_attempt_is_made() {
    let failed = Retry::new(0, STEADY).run(async |attempt| Err::<(), _>(attempt)).await;
    assert_eq!(failed, Err(1));
}

#[ballet::test]
async fn an_error_that_is_not_worth_it_is_returned_at_once() {
    let began = Instant::now();
    let retry = Retry::new(9, STEADY).when(|attempt: &u32| *attempt < 3);
    let failed = retry.run(async |attempt| Err::<(), _>(attempt)).await;
    assert_eq!((failed, began.elapsed()), (Err(3), SECOND * 2));
}

#[ballet::test]
async fn a_server_is_never_asked_before_the_time_it_named() {
    let spread = Backoff::constant(SECOND);
    for _ in 0..50 {
        let began = Instant::now();
        let retry = Retry::new(2, spread).when(|_: &&str| Again::After(SECOND * 7));
        let _ = retry.run(async |_| Err::<(), _>("busy")).await;
        assert!((SECOND * 7..=SECOND * 8).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}

#[ballet::test]
async fn a_server_that_asks_for_too_long_a_delay_is_not_waited_for() {
    for (asked, attempts) in [(SERVER_DELAY_MAX, 2), (SERVER_DELAY_MAX + SECOND, 1), (Duration::MAX, 1)] {
        let retry = Retry::new(2, Backoff::NONE).when(move |_: &u32| Again::After(asked));
        assert_eq!(retry.run(async |attempt| Err::<(), _>(attempt)).await, Err(attempts));
    }
}

#[ballet::test]
async fn no_attempt_begins_at_or_after_a_deadline() {
    let last = async |retry: &Retry| retry.run(async |attempt| Err::<(), _>(attempt)).await.unwrap_err();
    let retry = Retry::new(9, STEADY);
    for limit in [SECOND * 3, SECOND * 7 / 2] {
        let began = Instant::now();
        let attempts = last(&retry.clone().until(began + limit)).await;
        let expected = if limit == SECOND * 3 { 3 } else { 4 };
        assert_eq!((attempts, began.elapsed()), (expected, SECOND * (expected - 1)), "an own deadline");

        let began = Instant::now();
        let attempts = ballet::timeout(limit, last(&retry)).await;
        assert_eq!(attempts.ok(), Some(expected), "that of a timeout around, which does not elapse");
        assert_eq!(began.elapsed(), SECOND * (expected - 1));
    }
    let past = Instant::now();
    sleep(SECOND).await;
    assert_eq!(last(&retry.until(past)).await, 1, "one attempt is made in any case");
}

#[ballet::test]
async fn all_clones_of_a_budget_share_it_and_calls_fill_it() {
    let budget = RetryBudget::new(50, 2);
    let attempts = Cell::new(0);
    let call = async |policy: &Retry, succeeds: bool| {
        let answer = policy.run(async |_| {
            attempts.set(attempts.get() + 1);
            if succeeds { Ok(()) } else { Err("down") }
        });
        let _ = answer.await;
        attempts.take()
    };
    let (one, other) = (Retry::new(9, STEADY).budget(&budget), Retry::new(9, STEADY).budget(&budget.clone()));
    assert_eq!(call(&one, false).await, 3); // the burst
    assert_eq!((call(&other, false).await, budget.left()), (1, 0));
    // Two failed calls have paid a half each; the first one into a full purse.
    assert_eq!(call(&one, true).await, 1);
    assert_eq!(budget.left(), 1);
    assert_eq!(call(&one, false).await, 2);
    for _quiet in 0..100 {
        call(&other, true).await;
    }
    assert_eq!(budget.left(), 2, "never more than the burst");
}

#[ballet::test]
async fn the_budget_of_the_context_is_shared_by_all_below_unless_one_has_its_own() -> Result<(), Error> {
    let (around, own) = (RetryBudget::new(0, 3), RetryBudget::new(0, 5));
    let inside = own.clone();
    let scope = ballet::scope(async |s: Scope| {
        let down =
            async |retry: Retry| Ok(retry.run(async |attempt| Err::<(), _>(attempt)).await.unwrap_err());
        let first = s.spawn(down(Retry::new(3, STEADY))).await;
        let second = s.spawn(down(Retry::new(3, STEADY))).await;
        let third = s.spawn(down(Retry::new(3, STEADY).budget(&inside))).await;
        Ok([first, second, third])
    });
    assert_eq!(ballet::with(Retries, around.clone(), scope).await?, [3, 2, 3]);
    assert_eq!((around.left(), own.left()), (0, 3));
    Ok(())
}

#[ballet::test]
async fn a_budget_of_nothing_allows_nothing() {
    let retry = Retry::new(9, STEADY).budget(&RetryBudget::new(0, 0));
    assert_eq!(retry.run(async |attempt| Err::<(), _>(attempt)).await, Err(1));
}

#[ballet::test]
async fn a_job_that_waits_to_try_again_says_so() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let caller = s.named("caller").spawn(async {
            let flaky = async |attempt| if attempt < 3 { Err(Error::msg("down")) } else { Ok(attempt) };
            Retry::new(5, Backoff::constant(SECOND * 10).without_jitter()).run(flaky).await
        });
        sleep(SECOND * 4).await;
        assert_eq!(s.tree().children[0].remarks, ["waits for its attempt 2 of 5, in 6.0s"]);
        sleep(SECOND * 10).await;
        assert_eq!(s.tree().children[0].remarks, ["waits for its attempt 3 of 5, in 6.0s"]);
        assert_eq!(caller.await, 3);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_retry_is_cut_where_it_stands() -> Result<(), Error> {
    let elapsed = ballet::timeout(
        SECOND / 2,
        Retry::new(9, STEADY).run(async |_| {
            sleep(SECOND * 60).await;
            Ok::<(), Error>(())
        }),
    );
    assert!(elapsed.await.is_err());
    ballet::scope(async |s: Scope| {
        let caller =
            s.spawn(async { Retry::new(9, STEADY).run(async |_| Err::<(), _>(Error::msg("down"))).await });
        sleep(SECOND / 2).await;
        caller.job().cancel();
        Ok(())
    })
    .await?;
    Ok(())
}
