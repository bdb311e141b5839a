//! Items in pairs.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

use crate::flow::basis::{Flow, Polled};
use crate::flow::describe;
use crate::flow::error::{Both, Unify};
use crate::flow::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::zip`](crate::FlowExt::zip).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Zip<A, B, X, Y> {
        #[pin]
        first: Upstream<A>,
        #[pin]
        second: Upstream<B>,
        // Taken, and waiting for their other halves.
        left: Option<X>,
        right: Option<Y>,
    }
}

impl<A, B, X, Y> Zip<A, B, X, Y> {
    pub(in crate::flow) fn new(first: A, second: B) -> Self {
        Self { first: Upstream::new(first), second: Upstream::new(second), left: None, right: None }
    }
}

impl<A, B, X, Y> Flow for Zip<A, B, X, Y>
where
    A: Flow<Item = X, Error: Unify<B::Error>>,
    B: Flow<Item = Y>,
{
    type Item = (X, Y);
    type Error = Both<A::Error, B::Error>;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut((X, Y)) -> ControlFlow<()>,
    {
        let mut me = self.project();
        loop {
            // Both are asked each time: the end of one ends the other, though that one may be waiting.
            if me.left.is_none()
                && let Poll::Ready(next) = me.first.as_mut().poll_next(cx).map_err(Unify::first)?
            {
                *me.left = next;
            }
            if me.right.is_none()
                && let Poll::Ready(next) = me.second.as_mut().poll_next(cx).map_err(A::Error::second)?
            {
                *me.right = next;
            }
            let is_over =
                me.left.is_none() && me.first.is_ended() || me.right.is_none() && me.second.is_ended();
            if is_over {
                me.first.as_mut().stop();
                me.second.as_mut().stop();
                return Poll::Ready(Ok(ControlFlow::Continue(())));
            }
            if me.left.is_none() || me.right.is_none() {
                return Poll::Pending;
            }
            let (Some(left), Some(right)) = (me.left.take(), me.right.take()) else {
                unreachable!("looked just now")
            };
            if sink((left, right)).is_break() {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
    }
}

describe!(Zip<A, B, X, Y>);
