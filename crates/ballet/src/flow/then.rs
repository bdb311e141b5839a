//! Operators that await something for each item before they ask for the next.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, ready};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::describe;
use super::emitter::Emitter;
use super::error::{Both, Unify, Verdict};
use super::generator::Body;
use super::slot::Slot;

pin_project! {
    /// The flow of [`FlowExt::then`](crate::FlowExt::then).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Then<S, F, W> {
        #[pin]
        source: S,
        map: F,
        // What is awaited, for the last item that was taken.
        #[pin]
        work: Option<W>,
    }
}

impl<S, F, W> Then<S, F, W> {
    pub(super) fn new(source: S, map: F) -> Self {
        Self { source, map, work: None }
    }
}

impl<S, F, W> Flow for Then<S, F, W>
where
    S: Flow,
    F: FnOnce(S::Item) -> W + Clone,
    W: Future,
{
    type Item = W::Output;
    type Error = S::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(W::Output) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if let Some(work) = me.work.as_mut().as_pin_mut() {
            let mapped = ready!(work.poll(cx));
            me.work.set(None);
            if sink(mapped).is_break() {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
        let (map, mut work, waker) = (&*me.map, me.work, cx.waker());
        let mut waits = false;
        let polled = me.source.poll_each(cx, &mut |item| {
            work.set(Some(map.clone()(item)));
            // What is ready at once does not leave the source's loop.
            match poll_in(work.as_mut(), waker) {
                Poll::Ready(mapped) => {
                    work.set(None);
                    sink(mapped)
                }
                Poll::Pending => {
                    waits = true;
                    ControlFlow::Break(())
                }
            }
        });
        if waits { Poll::Pending } else { polled }
    }
}

/// Polls what was just put there.
#[inline]
pub(super) fn poll_in<W: Future>(work: Pin<&mut Option<W>>, waker: &std::task::Waker) -> Poll<W::Output> {
    let work = work.as_pin_mut().unwrap_or_else(|| unreachable!("it was put there just now"));
    work.poll(&mut Poller::from_waker(waker))
}

impl<S: Clone, F: Clone, W> Clone for Then<S, F, W> {
    fn clone(&self) -> Self {
        Self::new(self.source.clone(), self.map.clone())
    }
}

describe!(Then<S, F, W>);

pin_project! {
    /// The flow of [`FlowExt::transform`](crate::FlowExt::transform).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Transform<S, B, T, U, F> {
        #[pin]
        source: S,
        code: B,
        begin: fn(B, T, Arc<Slot<U>>) -> F,
        #[pin]
        body: Body<U, F>,
    }
}

/// Makes the flow of [`FlowExt::transform`](crate::FlowExt::transform). A function, because the code's future has no name that a trait could say.
pub(super) fn transform<S, B, T, U, R>(source: S, code: B) -> Transform<S, B, T, U, impl Future<Output = R>>
where
    B: AsyncFnOnce(T, &mut Emitter<'_, U>) -> R,
    R: Verdict,
{
    let begin = |code: B, item, slot: Arc<Slot<U>>| async move { code(item, &mut Emitter::new(&slot)).await };
    Transform { source, code, begin, body: Body::new() }
}

impl<S, B, T, U, F, E> Flow for Transform<S, B, T, U, F>
where
    S: Flow<Item = T, Error: Unify<E>>,
    B: Clone,
    F: Future<Output: Verdict<Error = E>>,
    E: super::error::FlowError,
{
    type Item = U;
    type Error = Both<S::Error, E>;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut(U) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if me.body.is_running() {
            let rested = ready!(me.body.as_mut().poll_each(cx, sink)).map_err(S::Error::second)?;
            if rested.is_break() {
                return Poll::Ready(Ok(rested));
            }
        }
        let (code, begin, mut body, waker) = (&*me.code, *me.begin, me.body, cx.waker());
        let mut rests = None;
        let polled = me.source.poll_each(cx, &mut |item| {
            body.as_mut().begin(|slot| begin(code.clone(), item, slot));
            match body.as_mut().poll_each(&mut Poller::from_waker(waker), sink) {
                Poll::Ready(Ok(ControlFlow::Continue(()))) => ControlFlow::Continue(()),
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

impl<S: Clone, B: Clone, T, U, F> Clone for Transform<S, B, T, U, F> {
    fn clone(&self) -> Self {
        let (source, code) = (self.source.clone(), self.code.clone());
        Self { source, code, begin: self.begin, body: Body::new() }
    }
}

describe!(Transform<S, B, T, U, F>);
