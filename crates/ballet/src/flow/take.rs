//! Parts of a flow: its beginning, and what comes after it.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::describe;
use super::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::take`](crate::FlowExt::take).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Take<S> {
        #[pin]
        source: Upstream<S>,
        left: usize,
    }
}

impl<S> Take<S> {
    pub(super) fn new(source: S, count: usize) -> Self {
        Self { source: Upstream::new(source), left: count }
    }
}

impl<S: Flow> Flow for Take<S> {
    type Item = S::Item;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        let left = me.left;
        let mut step = ControlFlow::Continue(());
        if *left > 0 {
            let polled = me.source.as_mut().poll_each(cx, &mut |item| {
                *left -= 1;
                step = sink(item);
                if *left == 0 { ControlFlow::Break(()) } else { step }
            });
            if *left > 0 {
                return polled;
            }
        }
        me.source.stop();
        Poll::Ready(Ok(step))
    }
}

describe!(Take<S>);

pin_project! {
    /// The flow of [`FlowExt::take_while`](crate::FlowExt::take_while).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct TakeWhile<S, F> {
        #[pin]
        source: Upstream<S>,
        wanted: F,
    }
}

impl<S, F> TakeWhile<S, F> {
    pub(super) fn new(source: S, wanted: F) -> Self {
        Self { source: Upstream::new(source), wanted }
    }
}

impl<S: Flow, F: FnMut(&S::Item) -> bool> Flow for TakeWhile<S, F> {
    type Item = S::Item;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        let wanted = me.wanted;
        let mut is_over = false;
        let polled = me.source.as_mut().poll_each(cx, &mut |item| {
            if wanted(&item) {
                return sink(item);
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

describe!(TakeWhile<S, F>);

pin_project! {
    /// The flow of [`FlowExt::drop`](crate::FlowExt::drop).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Drop<S> {
        #[pin]
        source: S,
        left: usize,
    }
}

impl<S> Drop<S> {
    pub(super) fn new(source: S, count: usize) -> Self {
        Self { source, left: count }
    }
}

impl<S: Flow> Flow for Drop<S> {
    type Item = S::Item;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let me = self.project();
        let left = me.left;
        me.source.poll_each(cx, &mut |item| {
            if *left == 0 {
                return sink(item);
            }
            *left -= 1;
            ControlFlow::Continue(())
        })
    }
}

describe!(Drop<S>);

pin_project! {
    /// The flow of [`FlowExt::drop_while`](crate::FlowExt::drop_while).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct DropWhile<S, F> {
        #[pin]
        source: S,
        unwanted: F,
        is_over: bool,
    }
}

impl<S, F> DropWhile<S, F> {
    pub(super) fn new(source: S, unwanted: F) -> Self {
        Self { source, unwanted, is_over: false }
    }
}

impl<S: Flow, F: FnMut(&S::Item) -> bool> Flow for DropWhile<S, F> {
    type Item = S::Item;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let me = self.project();
        let (unwanted, is_over) = (me.unwanted, me.is_over);
        me.source.poll_each(cx, &mut |item| {
            *is_over = *is_over || !unwanted(&item);
            if *is_over { sink(item) } else { ControlFlow::Continue(()) }
        })
    }
}

describe!(DropWhile<S, F>);
