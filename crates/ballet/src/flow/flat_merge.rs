//! A flow for each item, many of them at the same time.

use std::mem;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::budget::is_spent;
use super::describe;
use super::error::{Both, Unify};
use super::herd::{Herd, Round};
use super::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::flat_map_merge`](crate::FlowExt::flat_map_merge).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct FlatMapMerge<S, F, I> {
        #[pin]
        source: Upstream<S>,
        map: F,
        limit: usize,
        // Boxed: each member stands still in its seat.
        members: Herd<I>,
        // Nothing was left of the last poll after the source, so the members come first in the next; then the source again.
        source_owes: bool,
    }
}

impl<S, F, I> FlatMapMerge<S, F, I> {
    #[track_caller]
    pub(super) fn new(source: S, limit: usize, map: F) -> Self {
        assert!(limit > 0, "a merge of zero flows at a time could never give an item");
        Self { source: Upstream::new(source), map, limit, members: Herd::new(), source_owes: false }
    }
}

impl<S, F, I> Flow for FlatMapMerge<S, F, I>
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
        let owed = mem::take(me.source_owes);
        let mut is_asked = !owed;
        loop {
            while is_asked
                && me.members.len() < *me.limit
                && let Poll::Ready(Some(item)) = me.source.as_mut().poll_next(cx).map_err(Unify::first)?
            {
                me.members.let_in((me.map)(item));
            }
            *me.source_owes = !owed && is_spent();
            match me.members.poll_round(cx, sink) {
                Round::Spent | Round::Ended(_) => {}
                Round::Paused => return Poll::Ready(Ok(ControlFlow::Break(()))),
                Round::Failed(error) => return Poll::Ready(Err(S::Error::second(error))),
                Round::Waits if !is_asked => {}
                Round::Waits if me.members.is_empty() && me.source.is_ended() => {
                    return Poll::Ready(Ok(ControlFlow::Continue(())));
                }
                Round::Waits => return Poll::Pending,
            }
            is_asked = true;
        }
    }
}

impl<S: Clone, F: Clone, I> Clone for FlatMapMerge<S, F, I> {
    fn clone(&self) -> Self {
        let (source, map) = (self.source.clone(), self.map.clone());
        Self { source, map, limit: self.limit, members: Herd::new(), source_owes: false }
    }
}

describe!(FlatMapMerge<S, F, I>);
