//! The latest of both, whenever one of them is new.

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
    /// The flow of [`FlowExt::combine`](crate::FlowExt::combine).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Combine<A, B, X, Y> {
        #[pin]
        first: Upstream<A>,
        #[pin]
        second: Upstream<B>,
        left: Option<X>,
        right: Option<Y>,
        turn: Turn,
    }
}

impl<A, B, X, Y> Combine<A, B, X, Y> {
    pub(in crate::flow) fn new(first: A, second: B) -> Self {
        let (first, second) = (Upstream::new(first), Upstream::new(second));
        Self { first, second, left: None, right: None, turn: Turn::First }
    }
}

impl<A, B, X, Y> Flow for Combine<A, B, X, Y>
where
    A: Flow<Item = X, Error: Unify<B::Error>>,
    B: Flow<Item = Y>,
    X: Clone,
    Y: Clone,
{
    type Item = (X, Y);
    type Error = Both<A::Error, B::Error>;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut((X, Y)) -> ControlFlow<()>,
    {
        let mut me = self.project();
        // One item of each in turn, so that neither runs away from the other.
        let (mut in_vain, mut is_unfair) = (0, false);
        while in_vain < 2 {
            let is_new = match me.turn {
                Turn::First => {
                    let next = me.first.as_mut().poll_next(cx).map_err(Unify::first)?;
                    renew(me.left, next)
                }
                Turn::Second => {
                    let next = me.second.as_mut().poll_next(cx).map_err(A::Error::second)?;
                    renew(me.right, next)
                }
            };
            *me.turn = me.turn.next();
            let never_left = me.left.is_none() && me.first.is_ended();
            let never_right = me.right.is_none() && me.second.is_ended();
            if never_left || never_right || me.first.is_ended() && me.second.is_ended() && !is_new {
                me.first.stop();
                me.second.stop();
                return Poll::Ready(Ok(ControlFlow::Continue(())));
            }
            if !is_new {
                is_unfair |= in_vain == 0 && is_spent();
                in_vain += 1;
                continue;
            }
            (in_vain, is_unfair) = (0, false);
            if let (Some(left), Some(right)) = (&*me.left, &*me.right)
                && sink((left.clone(), right.clone())).is_break()
            {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
        if is_unfair {
            // Nothing was left for the other one, which is the first to be asked in the next poll.
            *me.turn = me.turn.next();
        }
        Poll::Pending
    }
}

/// Whether there is something new.
fn renew<T>(latest: &mut Option<T>, polled: Poll<Option<T>>) -> bool {
    let Poll::Ready(Some(new)) = polled else { return false };
    *latest = Some(new);
    true
}

describe!(Combine<A, B, X, Y>);
