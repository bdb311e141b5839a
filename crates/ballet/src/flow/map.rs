//! Operators that look at one item at a time and never wait.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::Context as Poller;

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::describe;

pin_project! {
    /// The flow of [`FlowExt::map`](crate::FlowExt::map).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Map<S, F> {
        #[pin]
        source: S,
        map: F,
    }
}

impl<S, F> Map<S, F> {
    pub(super) fn new(source: S, map: F) -> Self {
        Self { source, map }
    }
}

impl<S: Flow, U, F: FnMut(S::Item) -> U> Flow for Map<S, F> {
    type Item = U;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(U) -> ControlFlow<()>,
    {
        let me = self.project();
        let map = me.map;
        me.source.poll_each(cx, &mut |item| sink(map(item)))
    }
}

describe!(Map<S, F>);

pin_project! {
    /// The flow of [`FlowExt::filter`](crate::FlowExt::filter).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Filter<S, F> {
        #[pin]
        source: S,
        wanted: F,
    }
}

impl<S, F> Filter<S, F> {
    pub(super) fn new(source: S, wanted: F) -> Self {
        Self { source, wanted }
    }
}

impl<S: Flow, F: FnMut(&S::Item) -> bool> Flow for Filter<S, F> {
    type Item = S::Item;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let me = self.project();
        let wanted = me.wanted;
        me.source
            .poll_each(cx, &mut |item| if wanted(&item) { sink(item) } else { ControlFlow::Continue(()) })
    }
}

describe!(Filter<S, F>);

pin_project! {
    /// The flow of [`FlowExt::filter_map`](crate::FlowExt::filter_map).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct FilterMap<S, F> {
        #[pin]
        source: S,
        map: F,
    }
}

impl<S, F> FilterMap<S, F> {
    pub(super) fn new(source: S, map: F) -> Self {
        Self { source, map }
    }
}

impl<S: Flow, U, F: FnMut(S::Item) -> Option<U>> Flow for FilterMap<S, F> {
    type Item = U;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(U) -> ControlFlow<()>,
    {
        let me = self.project();
        let map = me.map;
        me.source.poll_each(cx, &mut |item| match map(item) {
            Some(mapped) => sink(mapped),
            None => ControlFlow::Continue(()),
        })
    }
}

describe!(FilterMap<S, F>);

pin_project! {
    /// The flow of [`FlowExt::tap`](crate::FlowExt::tap).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Tap<S, F> {
        #[pin]
        source: S,
        look: F,
    }
}

impl<S, F> Tap<S, F> {
    pub(super) fn new(source: S, look: F) -> Self {
        Self { source, look }
    }
}

impl<S: Flow, F: FnMut(&S::Item)> Flow for Tap<S, F> {
    type Item = S::Item;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let me = self.project();
        let look = me.look;
        me.source.poll_each(cx, &mut |item| {
            look(&item);
            sink(item)
        })
    }
}

describe!(Tap<S, F>);
