//! Waiting for the first of several: sends, receives, joins and clocks.
//!
//! `arm` says what may be waited for, `arms` how many of them stand together and what comes out. This module refuses
//! arbitrary futures: whatever it gives back must hold nothing while nobody polls it, and only these kinds promise it.

mod arm;
mod arms;

pub use arm::{After, Arm, after};
pub use arms::{Arms, OneOf2, OneOf3, OneOf4, OneOfMany};

use std::future::poll_fn;
use std::task::{Context as Poller, Poll, ready};

use tokio::task::coop::poll_proceed;

/// Waits until one of the arms is ready, and gives what it gave and the other arms: of several that are ready, the
/// first in the list wins.
///
/// An arm is a [`send`](super::Sender::send), a [`recv`](super::Receiver::recv), a [`Deferred`](crate::Deferred) or a
/// clock ([`after`]). They come in a tuple of two to four, or as many of one kind in a `Vec`. To wait for anything
/// else, spawn it, and wait for its `Deferred`.
///
/// Exactly one arm takes effect: the others have neither sent nor received. They come back by value, to be awaited, to
/// take part in the next `select`, or to be dropped; and they have left the lines in which they stood, so none of them
/// keeps an item or a place from others while nobody polls it. Resumed, they stand at the end.
///
/// Where the first arms are ever ready, the last have no turn. See [`select_fair`].
///
/// Do not send and receive at one rendezvous in the same `select`: its two arms can meet each other, and the item then waits
/// for the next receiver.
///
/// # Panics
///
/// With a `Vec` of no arms, which would wait for ever; and when the future is polled again after it has ended.
///
/// # Cancel safety
///
/// Dropping the future drops the arms, none of which has taken effect.
///
/// # Examples
///
/// One clock for the whole of a loop:
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), ballet::Error> {
/// use ballet::Scope;
/// use ballet::channel::{self, OneOf2, after, select};
/// use std::time::Duration;
///
/// let (tx, rx) = channel::bounded(4);
/// let seen = ballet::scope(async |s: Scope| {
///     s.spawn(async move {
///         for number in 1.. {
///             tx.send(number).await?;
///             tokio::time::sleep(Duration::from_millis(30)).await;
///         }
///         Ok(())
///     });
///     let (mut seen, mut clock) = (0, after(Duration::from_millis(100)));
///     while let OneOf2::First(number, rest) = select((rx.recv(), clock)).await {
///         seen = number?.unwrap_or(seen);
///         clock = rest; // it goes on
///     }
///     s.cancel_children();
///     Ok(seen)
/// })
/// .await?;
/// assert_eq!(seen, 4); // at 0, 30, 60 and 90 ms
/// # Ok(()) }
/// ```
pub fn select<A: Arms>(arms: A) -> impl Future<Output = A::Selected> {
    let (mut arms, count) = enter(arms);
    poll_fn(move |cx| poll_in_order(&mut arms, 0..count, cx))
}

/// As [`select`], but of several arms that are ready any one wins, each as likely as the others.
///
/// # Panics
///
/// As [`select`].
///
/// # Cancel safety
///
/// As [`select`].
///
/// # Cost
///
/// As [`select`], and one small allocation.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::channel::{self, OneOf2, select_fair};
///
/// let (tx, rx) = channel::unlimited();
/// let (other_tx, other_rx) = channel::unlimited();
/// for number in 0..100 {
///     tx.try_send(number)?;
///     other_tx.try_send(number)?;
/// }
/// let mut turns = [0, 0];
/// for _ in 0..100 {
///     match select_fair((rx.recv(), other_rx.recv())).await {
///         OneOf2::First(..) => turns[0] += 1,
///         OneOf2::Second(..) => turns[1] += 1,
///     }
/// }
/// assert!(turns[0] > 0 && turns[1] > 0);
/// # Ok(()) }
/// ```
pub fn select_fair<A: Arms>(arms: A) -> impl Future<Output = A::Selected> {
    let (mut arms, count) = enter(arms);
    let mut order: Vec<usize> = (0..count).collect();
    poll_fn(move |cx| {
        fastrand::shuffle(&mut order);
        poll_in_order(&mut arms, order.iter().copied(), cx)
    })
}

fn enter<A: Arms>(mut arms: A) -> (Option<A>, usize) {
    let count = arms.count();
    assert!(count > 0, "a select over no arms would wait for ever");
    arms.enter();
    (Some(arms), count)
}

fn poll_in_order<A: Arms>(
    arms: &mut Option<A>,
    mut order: impl Iterator<Item = usize>,
    cx: &mut Poller<'_>,
) -> Poll<A::Selected> {
    // All arms give way, or none: one that is ready must not lose to a later one that asks for no budget, such as a clock.
    drop(ready!(poll_proceed(cx)));
    let selected = order.find_map(|index| match A::poll_arm(arms, index, cx) {
        Poll::Ready(selected) => Some(selected),
        Poll::Pending => None,
    });
    selected.map_or(Poll::Pending, Poll::Ready)
}
