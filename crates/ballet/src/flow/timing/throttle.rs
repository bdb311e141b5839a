//! At most one item in a while.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::Context as Poller;
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::flow::basis::{Flow, Polled};
use crate::flow::describe;

pin_project! {
    /// The flow of [`FlowExt::throttle`](crate::FlowExt::throttle).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Throttle<S> {
        #[pin]
        source: S,
        rest: Duration,
        // When the last item went through.
        passed: Option<Instant>,
    }
}

impl<S> Throttle<S> {
    pub(in crate::flow) fn new(source: S, rest: Duration) -> Self {
        Self { source, rest, passed: None }
    }
}

impl<S: Flow> Flow for Throttle<S> {
    type Item = S::Item;
    type Error = S::Error;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let me = self.project();
        let (rest, passed) = (*me.rest, me.passed);
        me.source.poll_each(cx, &mut |item| {
            let now = Instant::now();
            if passed.is_some_and(|passed| now.duration_since(passed) < rest) {
                return ControlFlow::Continue(());
            }
            *passed = Some(now);
            sink(item)
        })
    }
}

describe!(Throttle<S>);
