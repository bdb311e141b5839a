//! When a breaker opens, whom it lets through, and what closes it again.

use std::future::pending;
use std::time::Duration;

use ballet::{Backoff, Breaker, BreakerOpen, BreakerState, Error, Scope, Trip};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_secs(10);

fn breaker(trip: Trip) -> Breaker {
    Breaker::new("database", trip, Backoff::constant(REST).without_jitter())
}

fn fail(breaker: &Breaker, times: usize) {
    (0..times).for_each(|_| breaker.try_admit().expect("it is closed, or rested").failed());
}

fn is_open(breaker: &Breaker) -> bool {
    matches!(breaker.state(), BreakerState::Open { .. })
}

#[ballet::test]
async fn it_opens_after_so_many_failures_in_a_row_and_only_then() {
    let breaker = breaker(Trip::in_a_row(3));
    fail(&breaker, 2);
    breaker.try_admit().unwrap().succeeded();
    fail(&breaker, 2);
    assert_eq!(breaker.state(), BreakerState::Closed { failures: 2 });
    fail(&breaker, 1);
    assert_eq!(breaker.state(), BreakerState::Open { until: Instant::now() + REST });
    sleep(SECOND * 4).await;
    let open = breaker.try_admit().unwrap_err();
    assert_eq!((open.breaker(), open.retry_after()), ("database", Some(SECOND * 6)));
    assert_eq!(open.to_string(), "the breaker `database` is open for another 6s");
}

#[ballet::test]
async fn rested_it_lets_one_through_and_closes_when_that_one_succeeds() {
    let breaker = breaker(Trip::in_a_row(1));
    fail(&breaker, 1);
    sleep(REST).await;
    let probe = breaker.try_admit().unwrap();
    let open = breaker.try_admit().unwrap_err();
    assert_eq!((breaker.state(), open.retry_after()), (BreakerState::HalfOpen, None));
    assert_eq!(open.to_string(), "the breaker `database` is half-open, and another call is under way");
    probe.succeeded();
    assert_eq!(breaker.state(), BreakerState::Closed { failures: 0 });
}

#[ballet::test]
async fn a_probe_that_fails_opens_it_again_and_its_rests_grow_until_it_closes() {
    let backoff = Backoff::exponential(SECOND, SECOND * 4).without_jitter();
    let breaker = Breaker::new("database", Trip::in_a_row(1), backoff);
    let mut rests = Vec::new();
    for _opening in 0..4 {
        fail(&breaker, 1);
        let rest = breaker.try_admit().unwrap_err().retry_after().unwrap();
        rests.push(rest.as_secs());
        sleep(rest).await;
    }
    assert_eq!(rests, [1, 2, 4, 4]);
    breaker.try_admit().unwrap().succeeded();
    fail(&breaker, 1);
    assert_eq!(breaker.try_admit().unwrap_err().retry_after(), Some(SECOND));
}

#[ballet::test]
async fn a_call_that_is_dropped_says_nothing_and_its_place_goes_to_the_next() {
    let breaker = breaker(Trip::in_a_row(3));
    fail(&breaker, 2);
    drop(breaker.try_admit().unwrap());
    let cut = ballet::timeout(SECOND, breaker.run(pending::<Result<(), Error>>())).await;
    assert!(cut.is_err());
    assert_eq!(breaker.state(), BreakerState::Closed { failures: 2 });
    fail(&breaker, 1);
    sleep(REST).await;
    drop(breaker.try_admit().unwrap());
    breaker.try_admit().unwrap().succeeded();
    assert_eq!(breaker.state(), BreakerState::Closed { failures: 0 });
}

#[ballet::test]
async fn answers_to_what_was_asked_before_it_opened_change_nothing() {
    let breaker = breaker(Trip::in_a_row(3));
    let late = [breaker.try_admit().unwrap(), breaker.try_admit().unwrap(), breaker.try_admit().unwrap()];
    let [success, failure, trip] = late;
    fail(&breaker, 3);
    success.succeeded();
    assert!(is_open(&breaker));
    sleep(REST).await;
    let probe = breaker.try_admit().unwrap();
    failure.failed();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    probe.succeeded();
    trip.trip();
    assert_eq!(breaker.state(), BreakerState::Closed { failures: 0 });
}

#[ballet::test]
async fn some_failures_open_it_at_once() {
    let breaker = breaker(Trip::in_a_row(100));
    breaker.try_admit().unwrap().trip();
    assert!(is_open(&breaker));
}

#[ballet::test]
async fn it_opens_when_a_share_of_the_calls_of_late_has_failed() {
    let trip = Trip::in_a_row(u32::MAX).or_share(50, 4, SECOND * 20);
    let call = |breaker: &Breaker, failed: bool| {
        let admission = breaker.try_admit().unwrap();
        if failed { admission.failed() } else { admission.succeeded() }
    };
    let few = breaker(trip);
    [true, true, true].into_iter().for_each(|failed| call(&few, failed));
    assert!(!is_open(&few), "too few calls to tell");
    call(&few, false);
    assert!(!is_open(&few), "a success opens nothing");
    call(&few, true);
    assert!(is_open(&few));

    let well = breaker(trip);
    for _round in 0..50 {
        [false, true, false].into_iter().for_each(|failed| call(&well, failed));
    }
    assert!(!is_open(&well), "a third of them");

    let old = breaker(trip);
    [true, true, true].into_iter().for_each(|failed| call(&old, failed));
    sleep(SECOND * 20).await;
    [false, false, true].into_iter().for_each(|failed| call(&old, failed));
    assert!(!is_open(&old), "what is older no longer counts");
    call(&old, true);
    assert!(is_open(&old));
}

#[ballet::test]
async fn a_share_is_forgotten_when_it_closes() {
    let breaker = breaker(Trip::in_a_row(u32::MAX).or_share(50, 2, SECOND * 60));
    fail(&breaker, 2);
    sleep(REST).await;
    breaker.try_admit().unwrap().succeeded();
    fail(&breaker, 1);
    assert!(!is_open(&breaker));
}

#[ballet::test]
async fn who_waits_is_let_through_one_first_and_the_others_when_it_has_closed() -> Result<(), Error> {
    let breaker = breaker(Trip::in_a_row(1));
    fail(&breaker, 1);
    let began = Instant::now();
    ballet::scope(async |s: Scope| {
        let callers = s.spawn_all((0..5).map(|_| {
            let breaker = breaker.clone();
            async move {
                let admission = breaker.admit().await;
                let at = began.elapsed();
                sleep(SECOND).await;
                admission.succeeded();
                Ok(at)
            }
        }));
        sleep(SECOND * 4).await;
        let waits = "waits for the breaker `database`: open for another 6.0s";
        assert!(s.tree().children.iter().all(|job| job.remarks == [waits]));
        let mut times = Vec::new();
        for caller in callers {
            times.push(caller.await);
        }
        times.sort();
        assert_eq!(times, [REST, REST + SECOND, REST + SECOND, REST + SECOND, REST + SECOND]);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn who_waits_behind_a_probe_that_fails_waits_on_and_behind_one_that_is_dropped_is_next()
-> Result<(), Error> {
    let breaker = breaker(Trip::in_a_row(1));
    fail(&breaker, 1);
    sleep(REST).await;
    let began = Instant::now();
    let probe = breaker.try_admit()?;
    let waits = async {
        let admission = breaker.admit().await;
        (began.elapsed(), admission)
    };
    let fails = async {
        sleep(SECOND).await;
        probe.failed();
    };
    let ((at, probe), ()) = tokio::join!(waits, fails);
    assert_eq!(at, SECOND + REST);
    let gives_up = async {
        sleep(SECOND).await;
        drop(probe);
    };
    let (admission, ()) = tokio::join!(breaker.admit(), gives_up);
    assert_eq!(began.elapsed(), SECOND * 2 + REST);
    admission.succeeded();
    Ok(())
}

#[ballet::test]
async fn a_call_gets_its_own_error_or_that_of_the_breaker() {
    #[derive(Debug)]
    enum Fault {
        Down,
        Open(BreakerOpen),
    }
    impl From<BreakerOpen> for Fault {
        fn from(open: BreakerOpen) -> Self {
            Fault::Open(open)
        }
    }
    let breaker = breaker(Trip::in_a_row(1));
    assert!(matches!(breaker.run(async { Err::<(), _>(Fault::Down) }).await, Err(Fault::Down)));
    match breaker.run(async { Ok::<_, Fault>(()) }).await {
        Err(Fault::Open(open)) => assert_eq!(open.breaker(), "database"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_workers_a_half_open_breaker_lets_one_through() -> Result<(), Error> {
    for _round in 0..200 {
        let breaker = Breaker::new("database", Trip::in_a_row(1), Backoff::NONE);
        fail(&breaker, 1);
        let probes = ballet::scope(async |s: Scope| {
            let callers: Vec<_> = (0..8)
                .map(|_| {
                    let breaker = breaker.clone();
                    s.spawn(async move { Ok(breaker.try_admit().ok()) })
                })
                .collect();
            let mut admitted = Vec::new();
            for caller in callers {
                admitted.extend(caller.await);
            }
            Ok(admitted.len())
        });
        assert_eq!(probes.await?, 1);
    }
    Ok(())
}
