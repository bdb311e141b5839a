//! Channels: items handed over from job to job, with back-pressure.
//!
//! | A channel … | Made by | Whoever sends while it is full |
//! |---|---|---|
//! | that holds the producer back | [`bounded`] | waits |
//! | without a buffer: both sides meet | [`rendezvous`] | waits for a receiver |
//! | of which only the last value counts | [`conflated`] | replaces the value |
//! | that keeps the newest | [`drop_oldest`] | drops the oldest |
//! | that keeps the first | [`drop_latest`] | drops what it sends |
//! | bounded by something else | [`unlimited`] | it is never full |
//!
//! All have many senders and many receivers, and the same words: [`Sender::send`], [`Receiver::recv`], their `try_`
//! twins, and a close with or without a [`Cause`]. [`select`](fn@select) waits for the first of several;
//! [`Scope::produce`](crate::Scope::produce) and [`Scope::pipe`](crate::Scope::pipe) make children of producers and of
//! the stages of a pipeline. A channel is a value that jobs share: it owns no job, and needs no runtime.
//! [The guide](crate::guide::channels) shows how they are used.
//!
//! # Cancel safety
//!
//! An item is in the channel until a poll of its receiver takes it out, so a receive that is dropped loses nothing. A
//! send that is dropped while it waits has sent nothing. What was kept for either goes to whoever waits next.
//!
//! # Examples
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
//! use ballet::{Scope, channel};
//!
//! let (tx, rx) = channel::bounded(8);
//! let sum = ballet::scope(async |s: Scope| {
//!     s.spawn(async move {
//!         for number in 1..=100 {
//!             tx.send(number).await?;
//!         }
//!         Ok(())
//!     });
//!     let mut sum = 0;
//!     while let Some(number) = rx.recv().await? {
//!         sum += number;
//!     }
//!     Ok(sum)
//! })
//! .await?;
//! assert_eq!(sum, 5050);
//! # Ok(()) }
//! ```

// `books` holds everything that changes, under one lock, and is plain sequential code; `line` is who waits there, in
// order; `sender` and `receiver` are the handles, `sending` and `receiving` one caller each, from the first poll to the
// answer; `shared` is the lock, and does the simple cases inline. On these stand `select`, `produce` and `in_context`.
// Read `books` first. docs/design/channels.md says why.

mod aftermath;
mod books;
mod error;
mod in_context;
mod line;
mod pace;
mod produce;
mod receiver;
mod receiving;
mod select;
mod sender;
mod sending;
mod shared;
mod stats;
mod watch;

pub use error::{Cause, Unreceived, Unsent};
pub use in_context::InContext;
pub use receiver::Receiver;
pub use receiving::Receiving;
pub use select::{After, Arm, Arms, OneOf2, OneOf3, OneOf4, OneOfMany, after, select, select_fair};
pub use sender::Sender;
pub use sending::Sending;
pub use stats::Stats;

use books::Overflow;
use shared::Shared;

/// A channel without places: a [`send`](Sender::send) ends when a receiver is there for the item.
///
/// The two sides wait for each other, so neither is ever ahead by more than one item.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Scope, channel};
///
/// let (tx, rx) = channel::rendezvous();
/// assert!(tx.try_send("early").unwrap_err().is_full()); // nobody is there
/// ballet::scope(async |s: Scope| {
///     s.spawn(async move { Ok(tx.send("now").await?) });
///     assert_eq!(rx.recv().await?, Some("now"));
///     assert_eq!(rx.recv().await?, None); // the only sender has gone
///     Ok(())
/// })
/// .await?;
/// # Ok(()) }
/// ```
#[must_use]
pub fn rendezvous<T>() -> (Sender<T>, Receiver<T>) {
    Shared::open(0, Overflow::Wait)
}

/// A channel of so many places: whoever sends while all are taken waits, and that is the back-pressure.
///
/// With 0 places it is a [`rendezvous`]. Places take memory only as they are first used.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), ballet::Error> {
/// use std::time::Duration;
///
/// let (tx, rx) = ballet::channel::bounded(2);
/// tx.send(1).await?;
/// tx.send(2).await?;
/// assert!(ballet::timeout(Duration::from_secs(1), tx.send(3)).await.is_err()); // it waited for a place
/// assert_eq!(rx.recv().await?, Some(1));
/// tx.send(4).await?;
/// assert_eq!((rx.try_recv()?, rx.try_recv()?), (2, 4)); // what was cancelled was not sent
/// # Ok(()) }
/// ```
#[must_use]
pub fn bounded<T>(places: usize) -> (Sender<T>, Receiver<T>) {
    Shared::open(places, Overflow::Wait)
}

/// A channel that keeps the newest item only: for values of which the last one counts. The same as
/// [`drop_oldest`] with one place.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// let (tx, rx) = ballet::channel::conflated();
/// tx.try_send("10 %")?;
/// tx.try_send("90 %")?;
/// drop(tx);
/// assert_eq!((rx.recv().await?, rx.recv().await?), (Some("90 %"), None));
/// # Ok(()) }
/// ```
#[must_use]
pub fn conflated<T>() -> (Sender<T>, Receiver<T>) {
    drop_oldest(1)
}

/// A channel of so many places that makes room by dropping its oldest item; nobody waits to send.
///
/// # Panics
///
/// When `places` is zero: there is no oldest item to drop.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// let (tx, rx) = ballet::channel::drop_oldest(2);
/// for reading in 1..=5 {
///     tx.try_send(reading)?;
/// }
/// assert_eq!((rx.try_recv()?, rx.try_recv()?), (4, 5));
/// assert_eq!(rx.stats().dropped, 3);
/// # Ok(()) }
/// ```
#[must_use]
pub fn drop_oldest<T>(places: usize) -> (Sender<T>, Receiver<T>) {
    assert!(places > 0, "a channel of zero places has no oldest item to drop");
    Shared::open(places, Overflow::DropOldest)
}

/// A channel of so many places that drops what is sent while all are taken; nobody waits to send.
///
/// # Panics
///
/// When `places` is zero: it would drop everything.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// let (tx, rx) = ballet::channel::drop_latest(2);
/// for reading in 1..=5 {
///     tx.try_send(reading)?;
/// }
/// assert_eq!((rx.try_recv()?, rx.try_recv()?), (1, 2));
/// assert_eq!(rx.stats().dropped, 3);
/// # Ok(()) }
/// ```
#[must_use]
pub fn drop_latest<T>(places: usize) -> (Sender<T>, Receiver<T>) {
    assert!(places > 0, "a channel of zero places would drop everything");
    Shared::open(places, Overflow::DropLatest)
}

/// A channel that takes everything at once and has no bound but memory.
///
/// Where the senders are faster than the receivers for long, it grows until the process dies: use it only where
/// something else bounds what can be under way.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// let (tx, rx) = ballet::channel::unlimited();
/// for number in 0..1_000 {
///     tx.try_send(number)?;
/// }
/// assert_eq!((rx.stats().len, rx.recv().await?), (1_000, Some(0)));
/// # Ok(()) }
/// ```
#[must_use]
pub fn unlimited<T>() -> (Sender<T>, Receiver<T>) {
    Shared::open(usize::MAX, Overflow::Wait)
}
