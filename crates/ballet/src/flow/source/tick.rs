//! A flow that keeps time.

use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::flow::basis::{Flow, Polled};
use crate::flow::error::Never;
use crate::flow::timing::{Timer, until_next};

/// A flow that emits once in each period, for ever: first when one period has passed since it began. It cannot fail.
///
/// Its items say how many periods have passed. It keeps to the times of the beginning, however long its collector takes;
/// periods that pass while the collector is busy are left out, so a gap in the numbers says how many were missed.
///
/// # Panics
///
/// When the period is zero; polled, outside a Tokio runtime with its timer on.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::{FlowExt, flow};
/// use std::time::Duration;
///
/// let ticks = flow::tick(Duration::from_millis(1)).take(2).collect::<Vec<_>>().await;
/// assert!(ticks[0] < ticks[1]);
/// # }
/// ```
#[track_caller]
pub fn tick(period: Duration) -> Tick {
    assert!(!period.is_zero(), "a flow cannot tick with a period of zero");
    Tick { period, timer: Timer::new(), began: None }
}

pin_project! {
    /// The flow of [`tick`].
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Tick {
        period: Duration,
        #[pin]
        timer: Timer,
        began: Option<Instant>,
    }
}

impl Flow for Tick {
    type Item = u64;
    type Error = Never;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Never>
    where
        K: FnMut(u64) -> ControlFlow<()>,
    {
        let mut me = self.project();
        loop {
            let began = *me.began.get_or_insert_with(Instant::now);
            if !me.timer.is_set() {
                me.timer.as_mut().set(until_next(*me.period, began.elapsed()));
            }
            ready!(me.timer.as_mut().poll(cx));
            if sink(periods(*me.period, began.elapsed())).is_break() {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
    }
}

/// How many whole periods have passed.
fn periods(period: Duration, passed: Duration) -> u64 {
    u64::try_from(passed.as_nanos() / period.as_nanos()).unwrap_or(u64::MAX)
}

impl Clone for Tick {
    fn clone(&self) -> Self {
        Self { period: self.period, timer: Timer::new(), began: None }
    }
}

impl fmt::Debug for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tick").field("period", &self.period).finish_non_exhaustive()
    }
}
