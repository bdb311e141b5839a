//! Flows that begin again after a failure.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::budget::poll_unit;
use super::describe;
use super::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::retry`](crate::FlowExt::retry).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Retry<S> {
        // As it was before it began.
        source: S,
        #[pin]
        running: Upstream<S>,
        has_begun: bool,
        left: u64,
    }
}

impl<S> Retry<S> {
    pub(super) fn new(source: S, times: u64) -> Self {
        Self { source, running: Upstream::none(), has_begun: false, left: times }
    }
}

impl<S: Flow + Clone> Flow for Retry<S> {
    type Item = S::Item;
    type Error = S::Error;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if !*me.has_begun {
            *me.has_begun = true;
            me.running.as_mut().begin(me.source.clone());
        }
        loop {
            match ready!(me.running.as_mut().poll_each(cx, sink)) {
                Err(_) if *me.left > 0 => {
                    *me.left -= 1;
                    me.running.as_mut().begin(me.source.clone());
                    // One that fails at once, again and again, is a loop as well.
                    ready!(poll_unit(cx));
                }
                ended => return Poll::Ready(ended),
            }
        }
    }
}

describe!(Retry<S>);

pin_project! {
    /// The flow of [`FlowExt::retry_when`](crate::FlowExt::retry_when).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct RetryWhen<S, F, W> {
        // As it was before it began.
        source: S,
        #[pin]
        running: Upstream<S>,
        has_begun: bool,
        attempts: u64,
        decide: F,
        // The decision on the last failure.
        #[pin]
        decision: Option<W>,
    }
}

impl<S, F, W> RetryWhen<S, F, W> {
    pub(super) fn new(source: S, decide: F) -> Self {
        Self { source, running: Upstream::none(), has_begun: false, attempts: 0, decide, decision: None }
    }
}

impl<S, F, W> Flow for RetryWhen<S, F, W>
where
    S: Flow + Clone,
    F: FnOnce(S::Error, u64) -> W + Clone,
    W: Future<Output = Result<(), S::Error>>,
{
    type Item = S::Item;
    type Error = S::Error;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if !*me.has_begun {
            *me.has_begun = true;
            me.running.as_mut().begin(me.source.clone());
        }
        loop {
            if let Some(decision) = me.decision.as_mut().as_pin_mut() {
                let decided = ready!(decision.poll(cx));
                me.decision.set(None);
                decided?;
                me.running.as_mut().begin(me.source.clone());
                ready!(poll_unit(cx));
            }
            match ready!(me.running.as_mut().poll_each(cx, sink)) {
                Ok(step) => return Poll::Ready(Ok(step)),
                Err(error) => {
                    *me.attempts += 1;
                    me.decision.set(Some(me.decide.clone()(error, *me.attempts)));
                }
            }
        }
    }
}

impl<S: Clone, F: Clone, W> Clone for RetryWhen<S, F, W> {
    fn clone(&self) -> Self {
        Self::new(self.source.clone(), self.decide.clone())
    }
}

describe!(RetryWhen<S, F, W>);
