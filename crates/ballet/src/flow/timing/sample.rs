//! The latest item, at regular times.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::super::describe;
use super::super::operators::{Flow, Polled};
use super::Timer;

pin_project! {
    /// The flow of [`Flow::sample`].
    pub struct Sample<S, T> {
        #[pin]
        source: S,
        period: Duration,
        #[pin]
        timer: Timer,
        // When it rings.
        next: Option<Instant>,
        latest: Option<T>,
    }
}

impl<S, T> Sample<S, T> {
    #[track_caller]
    pub(in super::super) fn new(source: S, period: Duration) -> Self {
        assert!(!period.is_zero(), "a flow cannot be sampled with a period of zero");
        Self { source, period, timer: Timer::new(), next: None, latest: None }
    }
}

impl<S: Flow<Item = T>, T> Flow for Sample<S, T> {
    type Item = T;
    type Error = S::Error;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if me.next.is_none() {
            set(me.timer.as_mut(), me.next, *me.period);
        }
        let latest = me.latest;
        let polled = me.source.as_mut().poll_each(cx, &mut |item| {
            *latest = Some(item);
            ControlFlow::Continue(())
        });
        if polled.is_ready() {
            return polled;
        }
        loop {
            ready!(me.timer.as_mut().poll(cx));
            set(me.timer.as_mut(), me.next, *me.period);
            if latest.take().is_some_and(|item| sink(item).is_break()) {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
    }
}

/// Sets the timer for the next time of the grid that began at the first poll; times that have passed are left out.
fn set(timer: Pin<&mut Timer>, next: &mut Option<Instant>, period: Duration) {
    let now = Instant::now();
    let on_grid = next.and_then(|last| last.checked_add(period)).filter(|next| *next > now);
    match on_grid.or_else(|| now.checked_add(period)) {
        Some(at) => {
            *next = Some(at);
            timer.set_at(at);
        }
        // Beyond what the clock can say.
        None => timer.set(period),
    }
}

impl<S: Clone, T> Clone for Sample<S, T> {
    fn clone(&self) -> Self {
        let source = self.source.clone();
        Self { source, period: self.period, timer: Timer::new(), next: None, latest: None }
    }
}

describe!(Sample<S, T>);
