//! A bound on how long an item may take.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::Timer;
use crate::flow::basis::{Flow, Polled};
use crate::flow::describe;
use crate::flow::error::{FlowError, Raise};
use crate::flow::upstream::Upstream;
use crate::scope::Elapsed;

pin_project! {
    /// The flow of [`FlowExt::timeout`](crate::FlowExt::timeout).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Timeout<S, E> {
        #[pin]
        source: Upstream<S>,
        limit: Duration,
        place: &'static Location<'static>,
        // Runs while an item is wanted.
        #[pin]
        timer: Timer,
        error: PhantomData<fn() -> E>,
    }
}

impl<S, E> Timeout<S, E> {
    #[track_caller]
    pub(in crate::flow) fn new(source: S, limit: Duration) -> Self {
        let (source, place) = (Upstream::new(source), Location::caller());
        Self { source, limit, place, timer: Timer::new(), error: PhantomData }
    }
}

impl<S, E> Flow for Timeout<S, E>
where
    S: Flow<Error: Raise<E>>,
    E: FlowError + From<Elapsed>,
{
    type Item = S::Item;
    type Error = E;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<E>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if me.limit.is_zero() {
            me.source.stop();
            return Poll::Ready(Err(E::from(Elapsed::new(*me.limit, me.place))));
        }
        let mut came = false;
        let polled = me.source.as_mut().poll_each(cx, &mut |item| {
            came = true;
            sink(item)
        });
        if polled.is_ready() {
            // Nothing is wanted until the next poll.
            me.timer.stop();
            return polled.map_err(Raise::raise);
        }
        if came || !me.timer.is_set() {
            me.timer.as_mut().set(*me.limit);
        }
        if me.timer.poll(cx).is_pending() {
            return Poll::Pending;
        }
        me.source.stop();
        Poll::Ready(Err(E::from(Elapsed::new(*me.limit, me.place))))
    }
}

impl<S: Clone, E> Clone for Timeout<S, E> {
    fn clone(&self) -> Self {
        let source = self.source.clone();
        Self { source, limit: self.limit, place: self.place, timer: Timer::new(), error: PhantomData }
    }
}

describe!(Timeout<S, E>);
