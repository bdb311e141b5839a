//! How each scenario is measured, whoever the contender is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stats_alloc::INSTRUMENTED_SYSTEM;

use crate::case::{Scenario, Work};
use crate::child::{self, Baton};
use crate::peer::Contender;

/// A measurement of waves goes on for so long, so that the clock and the first wave do not matter.
const LONG_ENOUGH: Duration = Duration::from_millis(10);
/// Children between two looks at the clock.
const CHILDREN_PER_LOOK: usize = 1_000;
const YIELDING_CHILDREN: usize = 16;
const YIELDS: u32 = 2_000;
const CARRIES: u32 = 20_000;
const CANCELLED: usize = 1_000;
const TIMERS: usize = 100_000;
const IDLE: usize = 100_000;

/// The figure of a scenario, in its unit.
pub(crate) async fn measure<C: Contender>(scenario: Scenario) -> f64 {
    let contender = C::default();
    // Lanes, caches and thread-locals come into being here and not under the clock.
    contender.wave(16, child::nothing).await;
    match scenario {
        Scenario::SpawnAndJoin { wave, work } => spawn_and_join(&contender, wave, work).await,
        Scenario::Yield => yields(&contender, |number| child::yielding(number, YIELDS)).await,
        Scenario::TokioYield => yields(&contender, |number| child::yielding_by_tokio(number, YIELDS)).await,
        Scenario::Switch => switch(&contender).await,
        Scenario::CancelAndJoin => cancel_and_join(&contender).await,
        Scenario::Timers => timed_wave(&contender, TIMERS, child::sleeping).await / TIMERS as f64,
        Scenario::Idle => idle(&contender).await,
    }
}

async fn spawn_and_join<C: Contender>(contender: &C, size: usize, work: Work) -> f64 {
    match work {
        Work::Nothing => waves(contender, size, child::nothing).await,
        Work::YieldOnce => waves(contender, size, |number| child::yielding(number, 1)).await,
        Work::Micros(micros) => waves(contender, size, move |number| child::working(number, micros)).await,
    }
}

/// Nanoseconds for a child, over as many waves as take long enough.
async fn waves<C: Contender, F>(contender: &C, size: usize, child: impl Fn(u64) -> F + Send + Sync) -> f64
where
    F: Future<Output = u64> + Send + 'static,
{
    let waves_per_look = (CHILDREN_PER_LOOK / size).max(1);
    let mut waves = 0;
    let start = Instant::now();
    while start.elapsed() < LONG_ENOUGH {
        for _ in 0..waves_per_look {
            let sum = contender.wave(size, &child).await;
            assert_eq!(sum, expected(size), "a child's result was lost");
        }
        waves += waves_per_look;
    }
    nanos(start.elapsed()) / (waves * size) as f64
}

/// What the results of a wave add up to.
fn expected(size: usize) -> u64 {
    (0..size as u64).sum()
}

/// Nanoseconds for one wave.
async fn timed_wave<C: Contender, F>(
    contender: &C,
    size: usize,
    child: impl Fn(u64) -> F + Send + Sync,
) -> f64
where
    F: Future<Output = u64> + Send + 'static,
{
    let start = Instant::now();
    let sum = contender.wave(size, child).await;
    assert_eq!(sum, expected(size), "a child's result was lost");
    nanos(start.elapsed())
}

async fn yields<C: Contender, F>(contender: &C, child: impl Fn(u64) -> F + Send + Sync) -> f64
where
    F: Future<Output = u64> + Send + 'static,
{
    timed_wave(contender, YIELDING_CHILDREN, child).await / (YIELDING_CHILDREN as f64 * f64::from(YIELDS))
}

async fn switch<C: Contender>(contender: &C) -> f64 {
    let baton = Arc::new(Baton::default());
    let carrier = |number| {
        let baton = Arc::clone(&baton);
        async move { baton.carry(number, CARRIES).await }
    };
    timed_wave(contender, 2, carrier).await / f64::from(CARRIES)
}

/// Nanoseconds for a child, only of cancelling and joining.
async fn cancel_and_join<C: Contender>(contender: &C) -> f64 {
    let mut cancelling = Duration::ZERO;
    let mut cancelled = 0;
    let start = Instant::now();
    while start.elapsed() < LONG_ENOUGH {
        let mut at_rest = start;
        contender.cancel(CANCELLED, || at_rest = Instant::now()).await;
        cancelling += at_rest.elapsed();
        assert_eq!(child::at_rest(), 0, "joined before a cancelled child was dropped");
        cancelled += CANCELLED;
    }
    nanos(cancelling) / cancelled as f64
}

/// Bytes for a child at rest, without its future. What the peer lets its user keep, such as a handle, counts.
async fn idle<C: Contender>(contender: &C) -> f64 {
    let before = live_bytes();
    assert!(before > 0, "only the program with the counting allocator knows what a child takes");
    let mut at_rest = 0;
    contender.cancel(IDLE, || at_rest = live_bytes()).await;
    let future = size_of_val(&child::idle::<()>());
    (at_rest - before) as f64 / IDLE as f64 - future as f64
}

fn live_bytes() -> i64 {
    let stats = INSTRUMENTED_SYSTEM.stats();
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}

fn nanos(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}
