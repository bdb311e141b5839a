//! Whichever is first.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use pin_project_lite::pin_project;

use crate::flow::basis::{Flow, Polled};
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
        winner: Winner,
    }
}

/// Who has won.
#[derive(Clone, Copy, Debug)]
enum Winner {
    Nobody,
    First,
    Second,
}

impl<A, B> Race<A, B> {
    pub(in crate::flow) fn new(first: A, second: B) -> Self {
        Self { first: Upstream::new(first), second: Upstream::new(second), winner: Winner::Nobody }
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
            // The first event of either decides: an item, its end or its failure. The loser is dropped before the item
            // goes on.
            let next = match me.winner {
                Winner::First => return me.first.poll_each(cx, sink).map_err(Unify::first),
                Winner::Second => return me.second.poll_each(cx, sink).map_err(A::Error::second),
                Winner::Nobody => {
                    if let Poll::Ready(next) = me.first.as_mut().poll_next(cx).map_err(Unify::first)? {
                        *me.winner = Winner::First;
                        me.second.as_mut().stop();
                        next
                    } else {
                        let next = ready!(me.second.as_mut().poll_next(cx)).map_err(A::Error::second)?;
                        *me.winner = Winner::Second;
                        me.first.as_mut().stop();
                        next
                    }
                }
            };
            if next.is_some_and(|item| sink(item).is_break()) {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
    }
}

describe!(Race<A, B>);
