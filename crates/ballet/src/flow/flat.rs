//! One flow after another.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::describe;
use super::error::{Both, Unify};
use super::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::chain`](crate::FlowExt::chain).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Chain<A, B> {
        #[pin]
        first: Upstream<A>,
        #[pin]
        second: B,
    }
}

impl<A, B> Chain<A, B> {
    pub(super) fn new(first: A, second: B) -> Self {
        Self { first: Upstream::new(first), second }
    }
}

impl<A, B> Flow for Chain<A, B>
where
    A: Flow<Error: Unify<B::Error>>,
    B: Flow<Item = A::Item>,
{
    type Item = A::Item;
    type Error = Both<A::Error, B::Error>;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut(A::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if !me.first.is_ended()
            && ready!(me.first.as_mut().poll_each(cx, sink)).map_err(Unify::first)?.is_break()
        {
            return Poll::Ready(Ok(ControlFlow::Break(())));
        }
        me.second.poll_each(cx, sink).map_err(A::Error::second)
    }
}

describe!(Chain<A, B>);

pin_project! {
    /// The flow of [`FlowExt::flat_map`](crate::FlowExt::flat_map).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct FlatMap<S, F, I> {
        #[pin]
        source: S,
        map: F,
        #[pin]
        inner: Option<I>,
    }
}

impl<S, F, I> FlatMap<S, F, I> {
    pub(super) fn new(source: S, map: F) -> Self {
        Self { source, map, inner: None }
    }
}

impl<S, F, I> Flow for FlatMap<S, F, I>
where
    S: Flow<Error: Unify<I::Error>>,
    F: FnMut(S::Item) -> I,
    I: Flow,
{
    type Item = I::Item;
    type Error = Both<S::Error, I::Error>;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut(I::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if let Some(inner) = me.inner.as_mut().as_pin_mut() {
            if ready!(inner.poll_each(cx, sink)).map_err(S::Error::second)?.is_break() {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
            me.inner.set(None);
        }
        let (map, mut inner, waker) = (me.map, me.inner, cx.waker());
        let mut rests = None;
        let polled = me.source.poll_each(cx, &mut |item| {
            inner.set(Some(map(item)));
            let Some(begun) = inner.as_mut().as_pin_mut() else { unreachable!("it was put there just now") };
            match begun.poll_each(&mut Poller::from_waker(waker), sink) {
                Poll::Ready(Ok(ControlFlow::Continue(()))) => {
                    inner.set(None);
                    ControlFlow::Continue(())
                }
                rest => {
                    rests = Some(rest);
                    ControlFlow::Break(())
                }
            }
        });
        match rests {
            Some(rest) => rest.map_err(S::Error::second),
            None => polled.map_err(Unify::first),
        }
    }
}

impl<S: Clone, F: Clone, I> Clone for FlatMap<S, F, I> {
    fn clone(&self) -> Self {
        Self::new(self.source.clone(), self.map.clone())
    }
}

describe!(FlatMap<S, F, I>);
