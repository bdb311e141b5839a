//! Whom a rate limiter lets through, when, and in which order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::{Error, Rate, RateLimiter, Scope};
use tokio::time::{Instant, advance, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[ballet::test]
async fn a_burst_goes_through_at_once_and_then_one_for_each_interval() {
    let limiter = RateLimiter::new("host", Rate::new(4, SECOND));
    let (began, mut times) = (Instant::now(), Vec::new());
    for _call in 0..8 {
        limiter.acquire().await;
        times.push(began.elapsed().as_millis());
    }
    assert_eq!(times, [0, 0, 0, 0, 250, 500, 750, 1_000]);
}

#[ballet::test]
async fn quiet_times_fill_it_up_to_the_burst_and_no_further() {
    let limiter = RateLimiter::new("host", Rate::new(10, SECOND).burst(3));
    let at_once = || (0..100).take_while(|_| limiter.try_acquire().is_ok()).count();
    assert_eq!(at_once(), 3);
    advance(SECOND / 5).await;
    assert_eq!(at_once(), 2);
    advance(SECOND * 3_600).await;
    assert_eq!(at_once(), 3);
}

#[ballet::test]
async fn over_any_time_no_more_go_through_than_the_rate_and_a_burst() {
    for (calls, period) in [(3, SECOND), (7, SECOND), (1_000, SECOND), (1, SECOND * 60)] {
        let rate = Rate::new(calls, period).burst(2);
        let limiter = RateLimiter::new("host", rate);
        let began = Instant::now();
        for _call in 0..2 + 2 * calls {
            limiter.acquire().await;
        }
        assert!(began.elapsed() >= period * 2, "{calls} in {period:?}: {:?}", began.elapsed());
        assert!(began.elapsed() <= period * 2 + Duration::from_millis(2), "{calls}: {:?}", began.elapsed());
    }
}

#[ballet::test]
async fn callers_are_served_in_the_order_in_which_they_came_and_nobody_overtakes() -> Result<(), Error> {
    let limiter = RateLimiter::new("host", Rate::new(1, SECOND));
    limiter.acquire().await;
    let served = Arc::new(Mutex::new(Vec::new()));
    ballet::scope(async |s: Scope| {
        for number in 0..4 {
            let (limiter, served) = (limiter.clone(), Arc::clone(&served));
            s.spawn(async move {
                limiter.acquire().await;
                served.lock().unwrap().push(number);
                Ok(())
            });
            sleep(SECOND / 100).await;
        }
        assert_eq!(limiter.waiting(), 4);
        let limited = limiter.try_acquire().unwrap_err();
        assert!(limited.retry_after() >= SECOND, "{limited}");
        let remark = "waits for the rate limiter `host`, 4 in line";
        assert!(s.tree().children.iter().all(|job| job.remarks == [remark]));
        sleep(SECOND).await;
        assert!(limiter.try_acquire().is_err(), "somebody waits");
        Ok(())
    })
    .await?;
    assert_eq!(*served.lock().unwrap(), [0, 1, 2, 3]);
    assert_eq!(limiter.waiting(), 0);
    Ok(())
}

#[ballet::test]
async fn one_that_goes_away_while_it_waits_takes_no_token_along() -> Result<(), Error> {
    let limiter = RateLimiter::new("host", Rate::new(1, SECOND));
    limiter.acquire().await;
    let began = Instant::now();
    ballet::scope(async |s: Scope| {
        let wait = |limiter: RateLimiter| async move {
            limiter.acquire().await;
            Ok(began.elapsed())
        };
        let first = s.spawn(wait(limiter.clone()));
        sleep(SECOND / 4).await;
        let second = s.spawn(wait(limiter.clone()));
        sleep(SECOND / 4).await;
        first.job().cancel();
        assert_eq!(second.await, SECOND);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_pause_holds_up_everybody_also_those_who_wait() -> Result<(), Error> {
    let limiter = RateLimiter::new("host", Rate::new(1, SECOND).burst(5));
    let began = Instant::now();
    limiter.pause_for(SECOND * 10);
    limiter.pause_for(SECOND * 3); // the later end counts
    assert_eq!(limiter.try_acquire().unwrap_err().retry_after(), SECOND * 10);
    let prolongs = async {
        sleep(SECOND * 5).await;
        limiter.pause_for(SECOND * 10);
    };
    tokio::join!(limiter.acquire(), prolongs);
    assert_eq!(began.elapsed(), SECOND * 15);
    assert!(limiter.try_acquire().is_ok(), "the burst is still there");
    Ok(())
}

#[ballet::test]
async fn a_rate_that_the_clock_cannot_measure_lets_its_burst_through_and_then_nobody() {
    let limiter = RateLimiter::new("host", Rate::new(1, Duration::MAX));
    limiter.acquire().await;
    assert!(limiter.try_acquire().unwrap_err().retry_after() > SECOND * 3_600 * 24 * 365);
    let none = RateLimiter::new("host", Rate::new(1, Duration::ZERO));
    assert!((0..1_000).all(|_| none.try_acquire().is_ok()), "no time, no limit");
}

#[test]
#[should_panic(expected = "would never let anybody through")]
fn a_rate_of_nothing_is_refused() {
    let _ = Rate::new(0, SECOND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_workers_no_token_is_taken_twice() -> Result<(), Error> {
    let limiter = RateLimiter::new("host", Rate::new(100, SECOND * 3_600));
    let passed = ballet::scope(async |s: Scope| {
        let callers = s.spawn_all((0..16).map(|_| {
            let limiter = limiter.clone();
            async move { Ok((0..50).filter(|_| limiter.try_acquire().is_ok()).count()) }
        }));
        let mut passed = 0;
        for caller in callers {
            passed += caller.await;
        }
        Ok(passed)
    });
    assert_eq!(passed.await?, 100);
    Ok(())
}

#[ballet::test]
async fn whoever_comes_in_a_pause_is_told_to_come_after_it() {
    let limiter = RateLimiter::new("host", Rate::new(10, SECOND));
    limiter.pause_for(60 * SECOND);
    ballet::scope(async |s: Scope| {
        let first = limiter.clone();
        s.spawn(async move {
            first.acquire().await;
            Ok(())
        });
        sleep(SECOND).await;
        let limited = limiter.try_acquire().unwrap_err();
        assert!(limited.retry_after() > 58 * SECOND, "{limited}");
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}
