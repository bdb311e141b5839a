//! Whichever is first.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use pin_project_lite::pin_project;
use tokio::task::coop::poll_proceed;

use super::Turn;
use crate::flow::basis::{Flow, Polled};
use crate::flow::budget::is_spent;
use crate::flow::describe;
use crate::flow::error::{Both, Unify};
use crate::flow::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::race`](crate::FlowExt::race).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Race<A, B> {
        #[pin]
        first: Upstream<A>,
        #[pin]
        second: Upstream<B>,
        winner: Option<Turn>,
        // Who is asked first, while nobody has won.
        turn: Turn,
    }
}

impl<A, B> Race<A, B> {
    pub(in crate::flow) fn new(first: A, second: B) -> Self {
        let (first, second) = (Upstream::new(first), Upstream::new(second));
        Self { first, second, winner: None, turn: Turn::First }
    }
}

impl<A, B> Flow for Race<A, B>
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
        loop {
            match me.winner {
                Some(Turn::First) => return me.first.poll_each(cx, sink).map_err(Unify::first),
                Some(Turn::Second) => return me.second.poll_each(cx, sink).map_err(A::Error::second),
                None => {}
            }
            // Both give way, or none: one that is ready must not lose to one that asks for no budget.
            drop(ready!(poll_proceed(cx)));
            let order = [*me.turn, me.turn.next()];
            *me.turn = Turn::First;
            for turn in order {
                // The first event of either decides: an item, its end or its failure. The loser is dropped before the
                // item goes on.
                let next = match turn {
                    Turn::First => me.first.as_mut().poll_next(cx).map_err(Unify::first)?,
                    Turn::Second => me.second.as_mut().poll_next(cx).map_err(A::Error::second)?,
                };
                if let Poll::Ready(next) = next {
                    *me.winner = Some(turn);
                    match turn {
                        Turn::First => me.second.as_mut().stop(),
                        Turn::Second => me.first.as_mut().stop(),
                    }
                    if next.is_some_and(|item| sink(item).is_break()) {
                        return Poll::Ready(Ok(ControlFlow::Break(())));
                    }
                    break;
                }
                if turn == order[0] && is_spent() {
                    // Nothing is left for the other one, which is the first to be asked in the next poll.
                    *me.turn = turn.next();
                }
            }
            if me.winner.is_none() {
                return Poll::Pending;
            }
        }
    }
}

describe!(Race<A, B>);
