//! The latest item, at regular times.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::{Timer, until_next};
use crate::flow::basis::{Flow, Polled};
use crate::flow::describe;

pin_project! {
    /// The flow of [`FlowExt::sample`](crate::FlowExt::sample).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Sample<S, T> {
        #[pin]
        source: S,
        period: Duration,
        #[pin]
        timer: Timer,
        // It rings at whole periods since then.
        began: Option<Instant>,
        latest: Option<T>,
    }
}

impl<S, T> Sample<S, T> {
    #[track_caller]
    pub(in crate::flow) fn new(source: S, period: Duration) -> Self {
        assert!(!period.is_zero(), "a flow cannot be sampled with a period of zero");
        Self { source, period, timer: Timer::new(), began: None, latest: None }
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
        let (began, period) = (*me.began.get_or_insert_with(Instant::now), *me.period);
        if !me.timer.is_set() {
            me.timer.as_mut().set(until_next(period, began.elapsed()));
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
            me.timer.as_mut().set(until_next(period, began.elapsed()));
            if latest.take().is_some_and(|item| sink(item).is_break()) {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
    }
}

impl<S: Clone, T> Clone for Sample<S, T> {
    fn clone(&self) -> Self {
        let source = self.source.clone();
        Self { source, period: self.period, timer: Timer::new(), began: None, latest: None }
    }
}

describe!(Sample<S, T>);
