//! Items in pairs.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

use super::Turn;
use crate::flow::basis::{Flow, Polled};
use crate::flow::budget::is_spent;
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
        // Who is asked first.
        turn: Turn,
    }
}

impl<A, B, X, Y> Zip<A, B, X, Y> {
    pub(in crate::flow) fn new(first: A, second: B) -> Self {
        let (first, second) = (Upstream::new(first), Upstream::new(second));
        Self { first, second, left: None, right: None, turn: Turn::First }
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
            let mut is_unfair = false;
            for turn in [*me.turn, me.turn.next()] {
                match turn {
                    Turn::First if me.left.is_none() => {
                        *me.left = found(me.first.as_mut().poll_next(cx).map_err(Unify::first)?);
                    }
                    Turn::Second if me.right.is_none() => {
                        *me.right = found(me.second.as_mut().poll_next(cx).map_err(A::Error::second)?);
                    }
                    Turn::First | Turn::Second => {}
                }
                is_unfair |= turn == *me.turn && is_spent();
            }
            let is_over =
                me.left.is_none() && me.first.is_ended() || me.right.is_none() && me.second.is_ended();
            if is_over {
                me.first.as_mut().stop();
                me.second.as_mut().stop();
                return Poll::Ready(Ok(ControlFlow::Continue(())));
            }
            if me.left.is_none() || me.right.is_none() {
                if is_unfair {
                    // Nothing was left for the other one, which is the first to be asked in the next poll.
                    *me.turn = me.turn.next();
                }
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

fn found<T>(polled: Poll<Option<T>>) -> Option<T> {
    if let Poll::Ready(item) = polled { item } else { None }
}

describe!(Zip<A, B, X, Y>);
