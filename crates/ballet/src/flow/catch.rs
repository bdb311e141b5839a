//! What happens when a flow fails or ends.

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
use super::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::catch`](crate::FlowExt::catch).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Catch<S, B, E, T, F> {
        #[pin]
        source: Upstream<S>,
        // Until the source fails.
        code: Option<B>,
        begin: fn(B, E, Arc<Slot<T>>) -> F,
        #[pin]
        body: Body<T, F>,
    }
}

/// Makes the flow of [`FlowExt::catch`](crate::FlowExt::catch). A function, because the code's future has no name that a trait could say.
pub(super) fn catch<S, B, E, T, R>(source: S, code: B) -> Catch<S, B, E, T, impl Future<Output = R>>
where
    B: AsyncFnOnce(E, &mut Emitter<'_, T>) -> R,
    R: Verdict,
{
    let begin =
        |code: B, error, slot: Arc<Slot<T>>| async move { code(error, &mut Emitter::new(&slot)).await };
    Catch { source: Upstream::new(source), code: Some(code), begin, body: Body::new() }
}

impl<S, B, E, T, F> Flow for Catch<S, B, E, T, F>
where
    S: Flow<Item = T, Error = E>,
    F: Future<Output: Verdict>,
{
    type Item = T;
    type Error = <F::Output as Verdict>::Error;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if !me.body.is_running() {
            match ready!(me.source.poll_each(cx, sink)) {
                Ok(step) => return Poll::Ready(Ok(step)),
                Err(error) => {
                    let Some(code) = me.code.take() else { unreachable!("a source fails once") };
                    me.body.as_mut().begin(|slot| (me.begin)(code, error, slot));
                }
            }
        }
        me.body.poll_each(cx, sink)
    }
}

impl<S: Clone, B: Clone, E, T, F> Clone for Catch<S, B, E, T, F> {
    fn clone(&self) -> Self {
        let (source, code) = (self.source.clone(), self.code.clone());
        Self { source, code, begin: self.begin, body: Body::new() }
    }
}

describe!(Catch<S, B, E, T, F>);

pin_project! {
    /// The flow of [`FlowExt::on_empty`](crate::FlowExt::on_empty).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct OnEmpty<S, I> {
        #[pin]
        source: Upstream<S>,
        is_empty: bool,
        // What comes where nothing came.
        #[pin]
        instead: I,
    }
}

impl<S, I> OnEmpty<S, I> {
    pub(super) fn new(source: S, instead: I) -> Self {
        Self { source: Upstream::new(source), is_empty: true, instead }
    }
}

impl<S, I> Flow for OnEmpty<S, I>
where
    S: Flow<Error: Unify<I::Error>>,
    I: Flow<Item = S::Item>,
{
    type Item = S::Item;
    type Error = Both<S::Error, I::Error>;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if !me.source.is_ended() {
            let is_empty = &mut *me.is_empty;
            let step = ready!(me.source.as_mut().poll_each(cx, &mut |item| {
                *is_empty = false;
                sink(item)
            }))
            .map_err(Unify::first)?;
            if step.is_break() || !*is_empty {
                return Poll::Ready(Ok(step));
            }
        }
        if !*me.is_empty {
            return Poll::Ready(Ok(ControlFlow::Continue(())));
        }
        me.instead.poll_each(cx, sink).map_err(S::Error::second)
    }
}

describe!(OnEmpty<S, I>);
