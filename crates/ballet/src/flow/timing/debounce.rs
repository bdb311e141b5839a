//! Items after which it was quiet.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::Timer;
use crate::flow::basis::{Flow, Polled};
use crate::flow::describe;
use crate::flow::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::debounce`](crate::FlowExt::debounce).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Debounce<S, T> {
        #[pin]
        source: Upstream<S>,
        quiet: Duration,
        // Since when the latest item waits for the quiet to have lasted.
        #[pin]
        timer: Timer,
        latest: Option<T>,
    }
}

impl<S, T> Debounce<S, T> {
    pub(in crate::flow) fn new(source: S, quiet: Duration) -> Self {
        Self { source: Upstream::new(source), quiet, timer: Timer::new(), latest: None }
    }
}

impl<S: Flow<Item = T>, T> Flow for Debounce<S, T> {
    type Item = T;
    type Error = S::Error;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if me.quiet.is_zero() {
            return me.source.poll_each(cx, sink);
        }
        let (latest, mut is_new) = (me.latest, false);
        let polled = me.source.poll_each(cx, &mut |item| {
            *latest = Some(item);
            is_new = true;
            ControlFlow::Continue(())
        });
        if is_new {
            me.timer.as_mut().set(*me.quiet);
        }
        let is_over = polled.is_ready();
        if matches!(polled, Poll::Ready(Err(_))) || !is_over && me.timer.poll(cx).is_pending() {
            return polled;
        }
        if latest.take().is_some_and(|item| sink(item).is_break()) {
            return Poll::Ready(Ok(ControlFlow::Break(())));
        }
        polled
    }
}

impl<S: Clone, T> Clone for Debounce<S, T> {
    fn clone(&self) -> Self {
        Self { source: self.source.clone(), quiet: self.quiet, timer: Timer::new(), latest: None }
    }
}

describe!(Debounce<S, T>);
