//! One of each in turn.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use pin_project_lite::pin_project;

use super::Turn;
use crate::flow::basis::{Flow, Polled};
use crate::flow::describe;
use crate::flow::error::{Both, Unify};
use crate::flow::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::interleave`](crate::FlowExt::interleave).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Interleave<A, B> {
        #[pin]
        first: Upstream<A>,
        #[pin]
        second: Upstream<B>,
        turn: Turn,
    }
}

impl<A, B> Interleave<A, B> {
    pub(in crate::flow) fn new(first: A, second: B) -> Self {
        Self { first: Upstream::new(first), second: Upstream::new(second), turn: Turn::First }
    }
}

impl<A, B> Flow for Interleave<A, B>
where
    A: Flow<Error: Unify<B::Error>>,
    B: Flow<Item = A::Item>,
{
    type Item = A::Item;
    type Error = Both<A::Error, B::Error>;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut(A::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        while !me.first.is_ended() || !me.second.is_ended() {
            let next = match me.turn {
                Turn::First => ready!(me.first.as_mut().poll_next(cx)).map_err(Unify::first)?,
                Turn::Second => ready!(me.second.as_mut().poll_next(cx)).map_err(A::Error::second)?,
            };
            *me.turn = me.turn.next();
            if next.is_some_and(|item| sink(item).is_break()) {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
        Poll::Ready(Ok(ControlFlow::Continue(())))
    }
}

describe!(Interleave<A, B>);
