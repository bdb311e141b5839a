//! Operators on how a flow fails, without code of its own that emits.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::describe;
use super::error::{Both, FlowError, Unify};
use super::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::or_fail`](crate::FlowExt::or_fail).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct OrFail<S> {
        #[pin]
        source: Upstream<S>,
    }
}

impl<S> OrFail<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source: Upstream::new(source) }
    }
}

impl<S, T, E> Flow for OrFail<S>
where
    S: Flow<Item = Result<T, E>, Error: Unify<E>>,
    E: FlowError,
{
    type Item = T;
    type Error = Both<S::Error, E>;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        let mut me = self.project();
        let mut failure = None;
        let polled = me.source.as_mut().poll_each(cx, &mut |item| match item {
            Ok(item) => sink(item),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        });
        let Some(error) = failure else { return polled.map_err(Unify::first) };
        me.source.stop();
        Poll::Ready(Err(S::Error::second(error)))
    }
}

describe!(OrFail<S>);

pin_project! {
    /// The flow of [`FlowExt::map_err`](crate::FlowExt::map_err).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct MapErr<S, F> {
        #[pin]
        source: S,
        map: Option<F>,
    }
}

impl<S, F> MapErr<S, F> {
    pub(super) fn new(source: S, map: F) -> Self {
        Self { source, map: Some(map) }
    }
}

impl<S, E, F> Flow for MapErr<S, F>
where
    S: Flow,
    E: FlowError,
    F: FnOnce(S::Error) -> E,
{
    type Item = S::Item;
    type Error = E;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<E>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let me = self.project();
        me.source.poll_each(cx, sink).map_err(|error| match me.map.take() {
            Some(map) => map(error),
            None => panic!("a flow was polled after it had failed"),
        })
    }
}

describe!(MapErr<S, F>);
