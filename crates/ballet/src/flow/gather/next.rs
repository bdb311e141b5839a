//! One item after another, for a loop.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use crate::flow::basis::Flow;
use crate::flow::error::{FlowError, Output};

/// The future of [`FlowExt::next`](crate::FlowExt::next).
#[must_use = "a flow runs only when it is awaited"]
pub struct Next<'a, S>(pub(in crate::flow) &'a mut S);

impl<S: Flow + Unpin> Future for Next<'_, S> {
    type Output = Output<S::Error, Option<S::Item>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let mut next = None;
        let polled = Pin::new(&mut *self.0).poll_each(cx, &mut |item| {
            next = Some(item);
            ControlFlow::Break(())
        });
        Poll::Ready(S::Error::output(ready!(polled).map(|_| next)))
    }
}

impl<S> std::fmt::Debug for Next<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Next")
    }
}
