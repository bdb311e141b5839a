//! Groups of a bounded size and a bounded age.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::chunked::add;
use crate::flow::basis::{Flow, Polled};
use crate::flow::describe;
use crate::flow::timing::Timer;
use crate::flow::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::grouped_within`](crate::FlowExt::grouped_within).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct GroupedWithin<S, T> {
        #[pin]
        source: Upstream<S>,
        size: usize,
        time: Duration,
        group: Vec<T>,
        // Runs while the group has an item.
        #[pin]
        timer: Timer,
    }
}

impl<S, T> GroupedWithin<S, T> {
    #[track_caller]
    pub(in crate::flow) fn new(source: S, size: usize, time: Duration) -> Self {
        assert!(size > 0, "a group holds at least one item");
        Self { source: Upstream::new(source), size, time, group: Vec::new(), timer: Timer::new() }
    }
}

impl<S: Flow<Item = T>, T> Flow for GroupedWithin<S, T> {
    type Item = Vec<T>;
    type Error = S::Error;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(Vec<T>) -> ControlFlow<()>,
    {
        let mut me = self.project();
        let (group, size) = (me.group, *me.size);
        let polled = me.source.poll_each(cx, &mut |item| {
            if group.is_empty() {
                me.timer.as_mut().set(*me.time);
            }
            if add(group, item, size) { sink(std::mem::take(group)) } else { ControlFlow::Continue(()) }
        });
        let is_over = match polled {
            Poll::Ready(Ok(ControlFlow::Continue(()))) => true,
            Poll::Ready(_) => return polled,
            Poll::Pending if group.is_empty() => return Poll::Pending,
            Poll::Pending => me.timer.poll(cx).is_ready(),
        };
        if is_over && !group.is_empty() && sink(std::mem::take(group)).is_break() {
            return Poll::Ready(Ok(ControlFlow::Break(())));
        }
        polled
    }
}

impl<S: Clone, T> Clone for GroupedWithin<S, T> {
    fn clone(&self) -> Self {
        let source = self.source.clone();
        Self { source, size: self.size, time: self.time, group: Vec::new(), timer: Timer::new() }
    }
}

describe!(GroupedWithin<S, T>);
