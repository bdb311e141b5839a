//! A timer that is part of an operator.

use std::pin::{Pin, pin};
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep};

pin_project! {
    /// Set or not set; rings once.
    pub(in crate::flow) struct Timer {
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Timer {
    pub(in crate::flow) fn new() -> Self {
        Self { sleep: None }
    }

    pub(in crate::flow) fn is_set(&self) -> bool {
        self.sleep.is_some()
    }

    /// Sets it anew.
    pub(in crate::flow) fn set(self: Pin<&mut Self>, time: Duration) {
        self.project().sleep.set(Some(sleep(time)));
    }

    pub(in crate::flow) fn stop(self: Pin<&mut Self>) {
        self.project().sleep.set(None);
    }

    /// Ready when it rings; then it is not set any more. Pending also where it is not set.
    pub(in crate::flow) fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let mut sleep = self.project().sleep;
        let Some(running) = sleep.as_mut().as_pin_mut() else { return Poll::Pending };
        // Outside the cooperative budget: a source that uses it up must not silence the clock.
        let polled = pin!(unconstrained(running)).poll(cx);
        if polled.is_ready() {
            sleep.set(None);
        }
        polled
    }
}

/// How long it is until one more period has passed.
pub(in crate::flow) fn until_next(period: Duration, passed: Duration) -> Duration {
    let into_it = passed.as_nanos() % period.as_nanos();
    period.saturating_sub(Duration::from_nanos(u64::try_from(into_it).unwrap_or(u64::MAX)))
}
