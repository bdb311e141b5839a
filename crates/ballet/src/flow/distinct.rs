//! Flows without repeats in a row, and flows that remember.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::describe;
use super::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::distinct_until_changed`](crate::FlowExt::distinct_until_changed).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Distinct<S, T> {
        #[pin]
        source: S,
        last: Option<T>,
    }
}

impl<S, T> Distinct<S, T> {
    pub(super) fn new(source: S) -> Self {
        Self { source, last: None }
    }
}

impl<S: Flow<Item = T>, T: Clone + PartialEq> Flow for Distinct<S, T> {
    type Item = T;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        let me = self.project();
        let last = me.last;
        me.source.poll_each(cx, &mut |item| {
            if last.as_ref() == Some(&item) {
                return ControlFlow::Continue(());
            }
            *last = Some(item.clone());
            sink(item)
        })
    }
}

describe!(Distinct<S, T>);

pin_project! {
    /// The flow of [`FlowExt::distinct_until_changed_by`](crate::FlowExt::distinct_until_changed_by).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct DistinctBy<S, V, F> {
        #[pin]
        source: S,
        key: F,
        last: Option<V>,
    }
}

impl<S, V, F> DistinctBy<S, V, F> {
    pub(super) fn new(source: S, key: F) -> Self {
        Self { source, key, last: None }
    }
}

impl<S: Flow, V: PartialEq, F: FnMut(&S::Item) -> V> Flow for DistinctBy<S, V, F> {
    type Item = S::Item;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let me = self.project();
        let (key, last) = (me.key, me.last);
        me.source.poll_each(cx, &mut |item| {
            let key = Some(key(&item));
            if *last == key {
                return ControlFlow::Continue(());
            }
            *last = key;
            sink(item)
        })
    }
}

describe!(DistinctBy<S, V, F>);

pin_project! {
    /// The flow of [`FlowExt::scan`](crate::FlowExt::scan).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Scan<S, A, F> {
        #[pin]
        source: Upstream<S>,
        state: A,
        step: F,
    }
}

impl<S, A, F> Scan<S, A, F> {
    pub(super) fn new(source: S, state: A, step: F) -> Self {
        Self { source: Upstream::new(source), state, step }
    }
}

impl<S: Flow, A, U, F: FnMut(&mut A, S::Item) -> Option<U>> Flow for Scan<S, A, F> {
    type Item = U;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(U) -> ControlFlow<()>,
    {
        let mut me = self.project();
        let (state, step) = (me.state, me.step);
        let mut is_over = false;
        let polled = me.source.as_mut().poll_each(cx, &mut |item| {
            if let Some(next) = step(state, item) {
                return sink(next);
            }
            is_over = true;
            ControlFlow::Break(())
        });
        if !is_over {
            return polled;
        }
        me.source.stop();
        Poll::Ready(Ok(ControlFlow::Continue(())))
    }
}

describe!(Scan<S, A, F>);
