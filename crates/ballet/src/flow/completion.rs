//! What is told at the end of a flow, however it comes about.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::error::FlowError;
use super::upstream::Upstream;
use crate::job::{Reason, current};

/// How the run of a flow ended, for [`FlowExt::on_completion`](crate::FlowExt::on_completion).
#[derive(Clone, Debug)]
pub enum Completion<'a, E> {
    /// It gave its last item.
    Ended,
    /// It failed.
    Failed(&'a E),
    /// It was dropped before its end: with the reason where the job that collected it is being cancelled, without where
    /// its collector has had enough, or has failed or panicked itself.
    Stopped(Option<Reason>),
}

pin_project! {
    /// The flow of [`FlowExt::on_completion`](crate::FlowExt::on_completion).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct OnCompletion<S, F, E>
    where
        F: FnOnce(Completion<'_, E>),
    {
        #[pin]
        source: Upstream<S>,
        // Until it has been told.
        tell: Option<F>,
        has_begun: bool,
        error: PhantomData<fn(E)>,
    }

    impl<S, F, E> PinnedDrop for OnCompletion<S, F, E>
    where
        F: FnOnce(Completion<'_, E>),
    {
        fn drop(this: Pin<&mut Self>) {
            let mut me = this.project();
            if !*me.has_begun {
                return;
            }
            let Some(tell) = me.tell.take() else { return };
            // What stands above ends first, as on every other way.
            me.source.as_mut().stop();
            let node = current();
            tell(Completion::Stopped(node.asked().or_else(|| node.surrounding_reason())));
        }
    }
}

impl<S, F, E> OnCompletion<S, F, E>
where
    F: FnOnce(Completion<'_, E>),
{
    pub(super) fn new(source: S, tell: F) -> Self {
        Self { source: Upstream::new(source), tell: Some(tell), has_begun: false, error: PhantomData }
    }
}

impl<S, F, E> Flow for OnCompletion<S, F, E>
where
    S: Flow<Error = E>,
    F: FnOnce(Completion<'_, E>),
    E: FlowError,
{
    type Item = S::Item;
    type Error = E;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<E>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let me = self.project();
        *me.has_begun = true;
        let polled = me.source.poll_each(cx, sink);
        let completion = match &polled {
            Poll::Pending | Poll::Ready(Ok(ControlFlow::Break(()))) => return polled,
            Poll::Ready(Ok(ControlFlow::Continue(()))) => Completion::Ended,
            Poll::Ready(Err(error)) => Completion::Failed(error),
        };
        if let Some(tell) = me.tell.take() {
            tell(completion);
        }
        polled
    }
}

impl<S: Clone, F: Clone, E> Clone for OnCompletion<S, F, E>
where
    F: FnOnce(Completion<'_, E>),
{
    fn clone(&self) -> Self {
        Self { source: self.source.clone(), tell: self.tell.clone(), has_begun: false, error: PhantomData }
    }
}

impl<S, F, E> std::fmt::Debug for OnCompletion<S, F, E>
where
    F: FnOnce(Completion<'_, E>),
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnCompletion").finish_non_exhaustive()
    }
}
