//! A flow whose type is not written out, and one that is pinned elsewhere.

use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::Context as Poller;

use super::basis::{Flow, Polled};
use super::error::{FlowError, Never};

/// A flow of `T`s that fails with `E`, whatever it is made of; see [`FlowExt::boxed`](crate::FlowExt::boxed).
pub struct BoxFlow<'a, T, E = Never>(Pin<Box<dyn Erased<T, E> + Send + 'a>>);

impl<'a, T, E> BoxFlow<'a, T, E> {
    pub(super) fn new<S>(flow: S) -> Self
    where
        S: Flow<Item = T, Error = E> + Send + 'a,
    {
        Self(Box::pin(flow))
    }
}

/// A flow with a sink of one type.
trait Erased<T, E> {
    fn poll_erased(
        self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
        sink: &mut dyn FnMut(T) -> ControlFlow<()>,
    ) -> Polled<E>;
}

impl<S: Flow> Erased<S::Item, S::Error> for S {
    fn poll_erased(
        self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
        mut sink: &mut dyn FnMut(S::Item) -> ControlFlow<()>,
    ) -> Polled<S::Error> {
        self.poll_each(cx, &mut sink)
    }
}

impl<T, E: FlowError> Flow for BoxFlow<'_, T, E> {
    type Item = T;
    type Error = E;

    fn poll_each<K>(mut self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<E>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        self.0.as_mut().poll_erased(cx, sink)
    }
}

impl<T, E> fmt::Debug for BoxFlow<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxFlow")
    }
}

/// A flow that is pinned elsewhere, so that its items can be taken one by one or in parts.
impl<S: Flow> Flow for Pin<&mut S> {
    type Item = S::Item;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        self.get_mut().as_mut().poll_each(cx, sink)
    }
}
