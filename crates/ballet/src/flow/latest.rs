//! Only the newest counts: a new item ends the work for the one before it.

use std::mem;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::budget::is_spent;
use super::describe;
use super::error::{Both, Unify};
use super::then::poll_in;
use super::upstream::{Burst, Upstream};

pin_project! {
    /// The flow of [`FlowExt::map_latest`](crate::FlowExt::map_latest).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct MapLatest<S, F, W> {
        #[pin]
        source: Upstream<S>,
        map: F,
        // For the newest item.
        #[pin]
        work: Option<W>,
        // Nothing was left of the last poll after the source, so the work comes first in the next; then the source again.
        source_owes: bool,
    }
}

impl<S, F, W> MapLatest<S, F, W> {
    pub(super) fn new(source: S, map: F) -> Self {
        Self { source: Upstream::new(source), map, work: None, source_owes: false }
    }
}

impl<S, F, W> Flow for MapLatest<S, F, W>
where
    S: Flow,
    F: FnOnce(S::Item) -> W + Clone,
    W: Future,
{
    type Item = W::Output;
    type Error = S::Error;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(W::Output) -> ControlFlow<()>,
    {
        let mut me = self.project();
        let (map, waker) = (&*me.map, cx.waker());
        let owed = mem::take(me.source_owes);
        if owed
            && let Some(work) = me.work.as_mut().as_pin_mut()
            && let Poll::Ready(mapped) = work.poll(cx)
        {
            me.work.set(None);
            if sink(mapped).is_break() {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
        let polled = me.source.as_mut().poll_each(cx, &mut |item| {
            // The work before has ended when the next one begins.
            me.work.set(None);
            me.work.set(Some(map.clone()(item)));
            match poll_in(me.work.as_mut(), waker) {
                Poll::Ready(mapped) => {
                    me.work.set(None);
                    sink(mapped)
                }
                Poll::Pending => ControlFlow::Continue(()),
            }
        });
        if matches!(polled, Poll::Ready(Ok(ControlFlow::Break(())) | Err(_))) {
            return polled;
        }
        *me.source_owes = !owed && is_spent();
        if let Some(work) = me.work.as_mut().as_pin_mut() {
            let mapped = ready!(work.poll(cx));
            me.work.set(None);
            if sink(mapped).is_break() {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
        polled
    }
}

impl<S: Clone, F: Clone, W> Clone for MapLatest<S, F, W> {
    fn clone(&self) -> Self {
        Self { source: self.source.clone(), map: self.map.clone(), work: None, source_owes: false }
    }
}

describe!(MapLatest<S, F, W>);

pin_project! {
    /// The flow of [`FlowExt::flat_map_latest`](crate::FlowExt::flat_map_latest).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct FlatMapLatest<S, F, I> {
        #[pin]
        source: Upstream<S>,
        map: F,
        // Of the newest item.
        #[pin]
        inner: Upstream<I>,
        // Nothing was left of the last poll after the source, so the inner flow comes first in the next; then the source
        // again.
        source_owes: bool,
    }
}

impl<S, F, I> FlatMapLatest<S, F, I> {
    pub(super) fn new(source: S, map: F) -> Self {
        Self { source: Upstream::new(source), map, inner: Upstream::none(), source_owes: false }
    }
}

impl<S, F, I> Flow for FlatMapLatest<S, F, I>
where
    S: Flow<Error: Unify<I::Error>>,
    F: FnMut(S::Item) -> I,
    I: Flow,
{
    type Item = I::Item;
    type Error = Both<S::Error, I::Error>;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut(I::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        let waker = cx.waker();
        let owed = mem::take(me.source_owes);
        if owed {
            match me.inner.as_mut().poll_burst(cx, sink) {
                Burst::Paused => return Poll::Ready(Ok(ControlFlow::Break(()))),
                Burst::Failed(error) => return Poll::Ready(Err(S::Error::second(error))),
                Burst::Waits | Burst::Spent | Burst::Ended => {}
            }
        }
        loop {
            let mut turn = None;
            let polled = me.source.as_mut().poll_each(cx, &mut |item| {
                // The flow before has ended when the next one begins.
                me.inner.as_mut().stop();
                me.inner.as_mut().begin((me.map)(item));
                match me.inner.as_mut().poll_burst(&mut Poller::from_waker(waker), sink) {
                    end @ (Burst::Paused | Burst::Failed(_)) => {
                        turn = Some(end);
                        ControlFlow::Break(())
                    }
                    Burst::Waits | Burst::Spent | Burst::Ended => ControlFlow::Continue(()),
                }
            });
            if let Poll::Ready(Err(error)) = polled {
                return Poll::Ready(Err(error.first()));
            }
            *me.source_owes = !owed && is_spent();
            match turn.unwrap_or_else(|| me.inner.as_mut().poll_burst(cx, sink)) {
                Burst::Waits => return Poll::Pending,
                Burst::Paused => return Poll::Ready(Ok(ControlFlow::Break(()))),
                Burst::Failed(error) => return Poll::Ready(Err(S::Error::second(error))),
                Burst::Ended => return polled.map_err(Unify::first),
                Burst::Spent => {}
            }
        }
    }
}

impl<S: Clone, F: Clone, I> Clone for FlatMapLatest<S, F, I> {
    fn clone(&self) -> Self {
        let (source, map) = (self.source.clone(), self.map.clone());
        Self { source, map, inner: Upstream::none(), source_owes: false }
    }
}

describe!(FlatMapLatest<S, F, I>);
