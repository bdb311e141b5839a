//! Both at once, in the order in which their items come.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

use super::Turn;
use crate::flow::basis::{Flow, Polled};
use crate::flow::budget::is_spent;
use crate::flow::describe;
use crate::flow::error::{Both, Unify};
use crate::flow::upstream::{Burst, Upstream};

pin_project! {
    /// The flow of [`FlowExt::merge`](crate::FlowExt::merge).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Merge<A, B> {
        #[pin]
        first: Upstream<A>,
        #[pin]
        second: Upstream<B>,
        turn: Turn,
    }
}

impl<A, B> Merge<A, B> {
    pub(in crate::flow) fn new(first: A, second: B) -> Self {
        Self { first: Upstream::new(first), second: Upstream::new(second), turn: Turn::First }
    }
}

impl<A, B> Flow for Merge<A, B>
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
        let (mut in_vain, mut is_unfair) = (0, false);
        while in_vain < 2 {
            let turn = match me.turn {
                Turn::First => me.first.as_mut().poll_burst(cx, sink).map_err(Unify::first),
                Turn::Second => me.second.as_mut().poll_burst(cx, sink).map_err(A::Error::second),
            };
            *me.turn = me.turn.next();
            match turn {
                Burst::Waits | Burst::Ended => {
                    is_unfair |= in_vain == 0 && is_spent();
                    in_vain += 1;
                }
                Burst::Spent => (in_vain, is_unfair) = (0, false),
                Burst::Paused => return Poll::Ready(Ok(ControlFlow::Break(()))),
                Burst::Failed(error) => return Poll::Ready(Err(error)),
            }
        }
        if me.first.is_ended() && me.second.is_ended() {
            return Poll::Ready(Ok(ControlFlow::Continue(())));
        }
        if is_unfair {
            // Nothing was left for the other one, which is the first to be asked in the next poll.
            *me.turn = me.turn.next();
        }
        Poll::Pending
    }
}

describe!(Merge<A, B>);
