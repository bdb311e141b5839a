//! What children do. Each takes its number and gives it back, so that a wave's sum shows that all of them ran.

use std::hint::black_box;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use atomic_waker::AtomicWaker;

pub(crate) async fn nothing(number: u64) -> u64 {
    black_box(number)
}

/// Wakes itself and steps back `times` times.
pub(crate) async fn yielding(number: u64, times: u32) -> u64 {
    for _ in 0..times {
        yield_now().await;
    }
    black_box(number)
}

/// The plain way to yield, which asks nothing of any runtime.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(crate) async fn yielding_by_tokio(number: u64, times: u32) -> u64 {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
    black_box(number)
}

/// Computes for about so long; not by the clock, since a child that lost its core still has its work to do.
pub(crate) async fn working(number: u64, micros: u32) -> u64 {
    compute(*STEPS_PER_MICRO * micros);
    black_box(number)
}

static STEPS_PER_MICRO: LazyLock<u32> = LazyLock::new(|| {
    const STEPS: u32 = 1_000_000;
    let timed = || {
        let start = Instant::now();
        compute(STEPS);
        start.elapsed()
    };
    // The quickest of several is the one that nothing interrupted.
    let quickest = (0..5).map(|_| timed()).min().unwrap_or_default();
    (f64::from(STEPS) / (quickest.as_nanos() as f64 / 1_000.0)) as u32
});

/// A chain of steps of which each needs the one before.
fn compute(steps: u32) {
    let mut state = black_box(1_u64);
    for _ in 0..steps {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    }
    black_box(state);
}

pub(crate) async fn sleeping(number: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(1 + number % 16)).await;
    number
}

/// What two children hand to each other: each waits for its turn and gives it to the other.
#[derive(Default)]
pub(crate) struct Baton {
    with_second: AtomicBool,
    waiting: [AtomicWaker; 2],
}

impl Baton {
    /// Child 0 or 1 has the baton `times` times.
    pub(crate) async fn carry(&self, number: u64, times: u32) -> u64 {
        let second = number == 1;
        let [own, other] = if second { [1, 0] } else { [0, 1] };
        for _ in 0..times {
            std::future::poll_fn(|cx| {
                self.waiting[own].register(cx.waker());
                let mine = self.with_second.load(Ordering::Acquire) == second;
                if mine { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            self.with_second.store(!second, Ordering::Release);
            self.waiting[other].wake();
        }
        number
    }
}

/// How many children wait for ever. One measurement runs at a time in a process, so one counter is enough.
static AT_REST: AtomicUsize = AtomicUsize::new(0);

/// Counts the child that holds it, until the child is dropped.
struct AtRest;

impl AtRest {
    fn enter() -> Self {
        AT_REST.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for AtRest {
    fn drop(&mut self) {
        AT_REST.fetch_sub(1, Ordering::Release);
    }
}

/// Waits for ever once it is polled, and holds on to 64 bytes as a real child would.
pub(crate) async fn idle<T>() -> T {
    let kept = black_box([0_u8; 64]);
    let _counted = AtRest::enter();
    let value = std::future::pending().await;
    black_box(kept);
    value
}

/// Waits until `count` idle children have been polled.
pub(crate) async fn all_at_rest(count: usize) {
    while at_rest() < count {
        tokio::task::yield_now().await;
    }
}

/// How many idle children have been polled and not yet dropped.
pub(crate) fn at_rest() -> usize {
    AT_REST.load(Ordering::Acquire)
}
