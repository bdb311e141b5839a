//! Flows of what an iterator gives.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use crate::flow::basis::{Flow, Polled};
use crate::flow::budget::Turns;
use crate::flow::describe;
use crate::flow::error::Never;

/// A flow of the items of an iterator. It cannot fail.
///
/// The iterator is asked inside the collector's task and must not block. A flow of an endless one gives its worker back
/// after a quarter of a millisecond, so that others run and the collector can be cancelled.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::{FlowExt, flow};
///
/// assert_eq!(flow::iter(["a", "b"]).collect::<Vec<_>>().await, ["a", "b"]);
/// assert_eq!(flow::iter(1..).filter(|n| n % 7 == 0).first().await, Some(7));
/// # }
/// ```
pub fn iter<I: IntoIterator>(items: I) -> Iter<I::IntoIter> {
    Iter { items: Some(items.into_iter()), turns: Turns::new() }
}

/// The flow of [`iter`].
#[derive(Clone)]
#[must_use = "a flow does nothing until it is collected"]
pub struct Iter<I> {
    /// Absent while it is being asked, if it is small.
    items: Option<I>,
    turns: Turns,
}

/// Items of one unrolled loop.
const BLOCK: u32 = 32;
/// An iterator of no more bytes is moved onto the stack for the time of a poll, so that the compiler may keep it in
/// registers.
const SMALL: usize = 64;

// The iterator is never pinned.
impl<I> Unpin for Iter<I> {}

impl<I: Iterator> Flow for Iter<I> {
    type Item = I::Item;
    type Error = Never;

    #[inline]
    fn poll_each<K>(mut self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Never>
    where
        K: FnMut(I::Item) -> ControlFlow<()>,
    {
        if const { size_of::<I>() > SMALL } {
            let Self { items, turns } = &mut *self;
            let Some(items) = items else { unreachable!("only a small one is taken out") };
            return poll_items(items, turns, cx, sink);
        }
        let Some(mut items) = self.items.take() else {
            panic!("this flow was polled again after it, or what it was handed on to, had panicked")
        };
        let polled = poll_items(&mut items, &mut self.turns, cx, sink);
        self.items = Some(items);
        polled
    }
}

#[inline]
fn poll_items<I, K>(items: &mut I, turns: &mut Turns, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Never>
where
    I: Iterator,
    K: FnMut(I::Item) -> ControlFlow<()>,
{
    loop {
        let mut left = ready!(turns.poll_items(cx));
        while left > 0 {
            // A loop of a known length is one that the compiler can unroll.
            let stepped = if left >= BLOCK { step(items, BLOCK, sink) } else { step(items, 1, sink) };
            if let ControlFlow::Break((end, took)) = stepped {
                turns.leave(left - took);
                return Poll::Ready(Ok(end));
            }
            left -= if left >= BLOCK { BLOCK } else { 1 };
        }
        turns.leave(0);
    }
}

/// Hands on so many items; breaks with what the flow then gives, where that is the end, and how many it handed on.
#[inline(always)]
fn step<I, K>(items: &mut I, count: u32, sink: &mut K) -> ControlFlow<(ControlFlow<()>, u32)>
where
    I: Iterator,
    K: FnMut(I::Item) -> ControlFlow<()>,
{
    for before in 0..count {
        let Some(item) = items.next() else { return ControlFlow::Break((ControlFlow::Continue(()), before)) };
        if sink(item).is_break() {
            return ControlFlow::Break((ControlFlow::Break(()), before + 1));
        }
    }
    ControlFlow::Continue(())
}

describe!(Iter<I>);
