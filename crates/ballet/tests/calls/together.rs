//! Nested in each other: a retry around a bulkhead around a breaker around a rate limiter around a timeout.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ballet::{
    Again, Backoff, Breaker, BreakerOpen, Bulkhead, Elapsed, Error, Rate, RateLimiter, Rejected, Retry,
    RetryBudget, Scope, Trip,
};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Fault {
    /// The server is busy, and says for how long.
    Busy(Duration),
    Slow,
    Open,
    Full,
}

impl From<BreakerOpen> for Fault {
    fn from(_: BreakerOpen) -> Self {
        Fault::Open
    }
}

impl From<Rejected> for Fault {
    fn from(_: Rejected) -> Self {
        Fault::Full
    }
}

impl From<Elapsed> for Fault {
    fn from(_: Elapsed) -> Self {
        Fault::Slow
    }
}

/// Everything that stands around the calls of one service.
#[derive(Clone)]
struct Service {
    retry: Retry,
    breaker: Breaker,
    limiter: RateLimiter,
    places: Bulkhead,
    asked: Arc<AtomicU32>,
}

impl Service {
    fn new() -> Self {
        let backoff = Backoff::constant(SECOND).without_jitter();
        Self {
            retry: Retry::new(4, backoff).budget(&RetryBudget::new(0, 100)),
            breaker: Breaker::new(
                "service",
                Trip::in_a_row(3),
                Backoff::constant(SECOND * 30).without_jitter(),
            ),
            limiter: RateLimiter::new("service", Rate::new(10, SECOND).burst(1)),
            places: Bulkhead::new("service", 2),
            asked: Arc::default(),
        }
    }

    /// Asks the service, which answers as `serve` does.
    async fn ask<F>(&self, serve: impl Fn(u32) -> F) -> Result<u32, Fault>
    where
        F: Future<Output = Result<u32, Fault>>,
    {
        let again = |fault: &Fault| match fault {
            Fault::Busy(time) => Again::After(*time),
            Fault::Slow | Fault::Full => Again::Backoff,
            Fault::Open => Again::Never,
        };
        let call = async |_attempt| {
            let place = self.places.try_acquire()?;
            let call = async {
                self.limiter.acquire().await;
                let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
                ballet::timeout(SECOND, serve(number)).await?
            };
            place.run(self.breaker.run(call)).await
        };
        self.retry.clone().when(again).run(call).await
    }
}

#[ballet::test]
async fn a_call_goes_through_all_of_them() {
    let service = Service::new();
    let began = Instant::now();
    let answer = service
        .ask(async |number| match number {
            1 => Err(Fault::Busy(SECOND * 5)),
            2 => std::future::pending().await,
            _ => Ok(number),
        })
        .await;
    assert_eq!(answer.unwrap(), 3);
    // A server's delay with ours, a timeout, and our delay.
    assert_eq!(began.elapsed(), SECOND * 6 + SECOND + SECOND);
    assert_eq!(service.places.occupancy().in_use, 0);
}

#[ballet::test]
async fn what_opens_the_breaker_ends_the_retries() {
    let service = Service::new();
    let down = async |_| std::future::pending().await;
    let fault = service.ask(down).await.unwrap_err();
    assert!(matches!(fault, Fault::Open), "{fault:?}");
    assert_eq!(service.asked.load(Ordering::Relaxed), 3);
    assert!(matches!(service.ask(async |number| Ok(number)).await, Err(Fault::Open)));
    sleep(SECOND * 30).await;
    assert_eq!(service.ask(async |number| Ok(number)).await.unwrap(), 4);
}

#[ballet::test]
async fn many_callers_share_them() -> Result<(), Error> {
    let service = Service::new();
    let began = Instant::now();
    let answers = ballet::scope(async |s: Scope| {
        let callers = s.spawn_all((0..6).map(|_| {
            let service = service.clone();
            async move { Ok(service.ask(async |number| Ok(number)).await.is_ok()) }
        }));
        let mut answered = 0;
        for caller in callers {
            answered += u32::from(caller.await);
        }
        Ok(answered)
    });
    let answered = answers.await?;
    // There are two places: the others come back after one second.
    assert_eq!(answered, 6);
    assert!((SECOND..SECOND * 2).contains(&began.elapsed()), "{:?}", began.elapsed());
    Ok(())
}
