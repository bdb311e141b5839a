//! From and into the streams of `futures`.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use futures_util::Stream;
use pin_project_lite::pin_project;

use crate::flow::basis::{Flow, Polled};
use crate::flow::budget::Turns;
use crate::flow::describe;
use crate::flow::error::{FlowError, Never, Output};
use crate::flow::upstream::Upstream;

/// A flow of the items of a [`Stream`]. It cannot fail.
///
/// Where the items are `Result`s, [`or_fail`](crate::FlowExt::or_fail) makes their errors the flow's.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::{FlowExt, flow};
///
/// let lines = futures_util::stream::iter([Ok("one"), Err("torn"), Ok("three")]);
/// let read = flow::stream(lines).or_fail().collect::<Vec<_>>().await;
/// assert_eq!(read, Err("torn"));
/// # }
/// ```
pub fn stream<S: Stream>(stream: S) -> FromStream<S> {
    FromStream { stream, turns: Turns::new() }
}

pin_project! {
    /// The flow of [`stream`].
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct FromStream<S> {
        #[pin]
        stream: S,
        // Streams need not yield by themselves.
        turns: Turns,
    }
}

impl<S: Stream> Flow for FromStream<S> {
    type Item = S::Item;
    type Error = Never;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Never>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        loop {
            ready!(me.turns.poll(cx));
            let Poll::Ready(next) = me.stream.as_mut().poll_next(cx) else {
                me.turns.waits();
                return Poll::Pending;
            };
            let Some(item) = next else {
                return Poll::Ready(Ok(ControlFlow::Continue(())));
            };
            if sink(item).is_break() {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
    }
}

describe!(FromStream<S>);

pin_project! {
    /// The stream of [`FlowExt::into_stream`](crate::FlowExt::into_stream).
    #[derive(Clone)]
    pub struct IntoStream<S> {
        #[pin]
        source: Upstream<S>,
    }
}

impl<S> IntoStream<S> {
    pub(in crate::flow) fn new(source: S) -> Self {
        Self { source: Upstream::new(source) }
    }
}

impl<S: Flow> Stream for IntoStream<S> {
    type Item = Output<S::Error, S::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.project().source.poll_next(cx));
        Poll::Ready(next.transpose().map(S::Error::output))
    }
}

describe!(IntoStream<S>);
