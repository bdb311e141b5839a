//! Time that a test steers by hand.
//!
//! `tokio::time::sleep` lets time pass and everything happen that happens meanwhile; it cannot stop just before
//! something happens, nor say that all has happened. These functions can.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, advance, sleep_until};

use super::rehearsal::this_test;

/// The grain of Tokio's timers: they fire on whole milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// Waits until nothing else can run, at this time: every other job and task waits for a timer, for IO, or for good.
///
/// In a test that has sockets or pipes open this includes [`IO_QUIET`](super::IO_QUIET) of real time in which nothing came.
///
/// # Panics
///
/// Outside of a `#[ballet::test]`.
///
/// # Cancel safety
///
/// Nothing is lost.
///
/// # Examples
///
/// ```
/// use ballet::{Scope, testing};
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// static LIT: AtomicBool = AtomicBool::new(false);
///
/// testing::run("a child has run when nothing can run", async {
///     ballet::scope(async |s: Scope| {
///         s.spawn(async { Ok(LIT.store(true, Ordering::SeqCst)) });
///         testing::wait_idle().await;
///         assert!(LIT.load(Ordering::SeqCst));
///         Ok(())
///     })
///     .await
///     .unwrap();
/// });
/// ```
pub async fn wait_idle() {
    let test = this_test();
    let moments = test.moments();
    poll_fn(|cx| test.poll_moment(moments, cx)).await;
}

/// Lets `duration` pass, with everything that happens *before* its end, and nothing that happens at its end.
///
/// What is due exactly then, as a timer of the same duration, happens when the test waits next: after
/// [`wait_idle`] it has. Everything that could run before time moves has run, at each step on the way. Durations are
/// rounded up to whole milliseconds, as Tokio's timers are.
///
/// # Panics
///
/// Outside of a `#[ballet::test]`.
///
/// # Cancel safety
///
/// Dropped half-way it leaves the time where it came to.
///
/// # Examples
///
/// ```
/// use ballet::testing::{self, advance_by, wait_idle};
/// use ballet::{Scope, observe::State};
/// use std::time::Duration;
///
/// testing::run("a child is still asleep at the stroke of its hour", async {
///     ballet::scope(async |s: Scope| {
///         let sleeper = s.spawn(async { Ok(tokio::time::sleep(Duration::from_secs(5)).await) });
///         wait_idle().await;
///         advance_by(Duration::from_secs(5)).await;
///         assert_eq!(sleeper.job().state(), State::Running);
///         wait_idle().await;
///         assert_eq!(sleeper.job().state(), State::Completed);
///         Ok(())
///     })
///     .await
///     .unwrap();
/// });
/// ```
pub async fn advance_by(duration: Duration) {
    let end = Instant::now() + whole_ticks(duration);
    // What is due at an instant is woken there; the last of it runs before the test finds that nothing can.
    wait_idle().await;
    if let Some(before) = end.checked_sub(TICK).filter(|before| *before > Instant::now()) {
        sleep_until(before).await;
        wait_idle().await;
    }
    let left = end.saturating_duration_since(Instant::now());
    // One poll moves the clock; a second would give way to what is due now.
    let mut moving = pin!(advance(left));
    poll_fn(|cx| {
        let _ = moving.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
}

fn whole_ticks(duration: Duration) -> Duration {
    let millis = duration.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(millis).map_or(Duration::MAX, Duration::from_millis)
}

/// Awaits `future` in real time: the test's clock stands still until it is ready, however long that takes.
///
/// For what comes from outside of the test's runtime and is neither a blocking call of it nor sure to answer within
/// [`IO_QUIET`](super::IO_QUIET): another process, a thread of its own, a slow peer.
///
/// # Cancel safety
///
/// As the future's; the clock is released.
///
/// # Panics
///
/// Outside of a Tokio runtime.
///
/// # Examples
///
/// ```
/// use ballet::testing::{self, real};
/// use std::time::Duration;
/// use tokio::sync::oneshot;
/// use tokio::time::{Instant, timeout};
///
/// testing::run("a thread takes its time", async {
///     let (tx, rx) = oneshot::channel();
///     std::thread::spawn(move || {
///         std::thread::park_timeout(Duration::from_millis(20));
///         tx.send("here")
///     });
///     let before = Instant::now();
///     let answer = timeout(Duration::from_millis(1), real(rx)).await;
///     assert_eq!(answer.unwrap().unwrap(), "here");
///     assert_eq!(before.elapsed(), Duration::ZERO);
/// });
/// ```
pub async fn real<F: Future>(future: F) -> F::Output {
    let (_release, held) = mpsc::channel::<()>();
    // Tokio holds time back for as long as a blocking call is out; this one ends when its sender is dropped.
    drop(spawn_blocking(move || held.recv()));
    future.await
}
