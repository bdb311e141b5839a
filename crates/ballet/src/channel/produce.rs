//! Children that fill a channel: a producer, and the workers of a pipeline's stage.
//!
//! The channel ends when its producer has ended, and tells how; a producer whose receivers have all gone is cancelled.
//! So both the end and the giving up travel along a pipeline by themselves.

use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;
use std::task::Poll;
use std::thread::panicking;

use futures_util::TryFutureExt;

use super::books::Books;
use super::shared::Shared;
use super::watch::Watch;
use super::{Receiver, Sender};
use crate::job::{Error, Fault, Origin, Reason, current};
use crate::observe::say;
use crate::scope::{Child, Scope};

impl<E: Fault, D> Scope<E, D> {
    /// Spawns a child that sends into a channel, and gives the receiver.
    ///
    /// When the child has ended, the channel is closed; and where it failed, panicked or was cancelled, it is closed
    /// with a cause that says so, after what it had sent. So items that broke off cannot be taken for all of them.
    /// When the last receiver has gone, nobody wants more: the child is cancelled; and an error with which it ends
    /// because a send told it first is no failure.
    ///
    /// # Cost
    ///
    /// A child; and for each of its polls one more lock of the channel.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::{Scope, channel};
    ///
    /// let squares = ballet::scope(async |s: Scope| {
    ///     let numbers = s.produce(channel::bounded(8), |tx| async move {
    ///         for number in 1_u64.. {
    ///             tx.send(number * number).await?;
    ///         }
    ///         Ok(())
    ///     });
    ///     let mut squares = Vec::new();
    ///     while let Some(square) = numbers.recv().await?
    ///         && square < 50
    ///     {
    ///         squares.push(square);
    ///     }
    ///     Ok(squares) // the receiver is dropped, and with that the endless child is cancelled
    /// })
    /// .await?;
    /// assert_eq!(squares, [1, 4, 9, 16, 25, 36, 49]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn produce<T, P, F>(&self, channel: (Sender<T>, Receiver<T>), producer: P) -> Receiver<T>
    where
        P: FnOnce(Sender<T>) -> F,
        F: Future<Output = Result<(), E>> + Send + 'static,
        T: Send + 'static,
    {
        let (producer, rx) = prepare(channel, producer);
        self.spawn(producer);
        rx
    }

    /// Spawns a stage of a pipeline: so many workers, each a child, who take items from `from`, map them, and send
    /// the results into a channel, of which it gives the receiver.
    ///
    /// The items are fanned out to the workers, each to the one that is free, and their results are fanned in. With
    /// one worker the order is kept; with more it is not. `map` is cloned for each item, as in
    /// [`par_map`](crate::par_map).
    ///
    /// The stage ends when `from` does, and with the same cause if there is one. When nobody receives its results any
    /// more, its workers are cancelled, and whoever produces for them is told in the same way.
    ///
    /// # Panics
    ///
    /// When `workers` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::{Scope, channel};
    ///
    /// let words = ["Der", "Hölle", "Rache"];
    /// let letters = ballet::scope(async |s: Scope| {
    ///     let words = s.named("words").produce(channel::bounded(4), |tx| async move {
    ///         for word in words {
    ///             tx.send(word).await?;
    ///         }
    ///         Ok(())
    ///     });
    ///     let lengths = s.named("count").pipe(words, 2, channel::bounded(4), async |word: &str| {
    ///         Ok(word.chars().count())
    ///     });
    ///     let mut letters = 0;
    ///     while let Some(length) = lengths.recv().await? {
    ///         letters += length;
    ///     }
    ///     Ok(letters)
    /// })
    /// .await?;
    /// assert_eq!(letters, 13);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn pipe<T, U, M, F>(
        &self,
        from: Receiver<T>,
        workers: usize,
        channel: (Sender<U>, Receiver<U>),
        map: M,
    ) -> Receiver<U>
    where
        M: FnOnce(T) -> F + Clone + Send + 'static,
        F: Future<Output = Result<U, E>> + Send + 'static,
        T: Send + 'static,
        U: Send + 'static,
    {
        let (stage, rx) = stage(from, workers, channel, map);
        self.spawn_all(stage);
        rx
    }
}

impl<E: Fault, D> Child<'_, E, D> {
    /// Spawns the child as one that sends into a channel; see [`Scope::produce`].
    #[track_caller]
    pub fn produce<T, P, F>(self, channel: (Sender<T>, Receiver<T>), producer: P) -> Receiver<T>
    where
        P: FnOnce(Sender<T>) -> F,
        F: Future<Output = Result<(), E>> + Send + 'static,
        T: Send + 'static,
    {
        let (producer, rx) = prepare(channel, producer);
        self.spawn(producer);
        rx
    }

    /// Spawns so many children of this name as a stage of a pipeline; see [`Scope::pipe`].
    ///
    /// # Panics
    ///
    /// When `workers` is zero.
    #[track_caller]
    pub fn pipe<T, U, M, F>(
        self,
        from: Receiver<T>,
        workers: usize,
        channel: (Sender<U>, Receiver<U>),
        map: M,
    ) -> Receiver<U>
    where
        M: FnOnce(T) -> F + Clone + Send + 'static,
        F: Future<Output = Result<U, E>> + Send + 'static,
        T: Send + 'static,
        U: Send + 'static,
    {
        let (stage, rx) = stage(from, workers, channel, map);
        self.spawn_all(stage);
        rx
    }
}

/// The child's future, and the receiver.
#[track_caller]
fn prepare<T, E, P, F>(
    (tx, rx): (Sender<T>, Receiver<T>),
    producer: P,
) -> (impl Future<Output = Result<(), E>> + Send + 'static, Receiver<T>)
where
    P: FnOnce(Sender<T>) -> F,
    F: Future<Output = Result<(), E>> + Send + 'static,
    T: Send + 'static,
    E: Fault,
{
    let place = Location::caller();
    let (closer, body) = (tx.clone(), producer(tx.clone()));
    // Also where a sender has been given away.
    let body = body.inspect_ok(move |()| _ = closer.close());
    (fill(Keeper::new(tx), body, place), rx)
}

/// The futures of the workers, and the receiver of their results.
#[track_caller]
fn stage<T, U, E, M, F>(
    from: Receiver<T>,
    workers: usize,
    (tx, rx): (Sender<U>, Receiver<U>),
    map: M,
) -> (impl Iterator<Item = impl Future<Output = Result<(), E>> + Send + 'static>, Receiver<U>)
where
    M: FnOnce(T) -> F + Clone + Send + 'static,
    F: Future<Output = Result<U, E>> + Send + 'static,
    T: Send + 'static,
    U: Send + 'static,
    E: Fault,
{
    assert!(workers > 0, "a stage without workers would never take an item");
    let place = Location::caller();
    let stage = std::iter::repeat_n((from, tx, map), workers).map(move |(from, tx, map)| {
        let body = work(from, tx.clone(), map);
        fill(Keeper::new(tx), body, place)
    });
    (stage, rx)
}

async fn work<T, U, E, M, F>(from: Receiver<T>, tx: Sender<U>, map: M) -> Result<(), E>
where
    M: FnOnce(T) -> F + Clone,
    F: Future<Output = Result<U, E>>,
{
    loop {
        match from.recv().await {
            Ok(Some(item)) => {
                let result = map.clone()(item).await?;
                if tx.send(result).await.is_err() {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(cause) => {
                // The others send what they have first.
                drop(tx.shared.change(|books, _| books.bid_farewell(cause)));
                return Ok(());
            }
        }
    }
}

/// Runs a body that sends into the keeper's channel, cancels this job when nobody receives any more, and leaves in the
/// channel how the body ended.
async fn fill<T, E: Fault>(
    mut keeper: Keeper<T>,
    body: impl Future<Output = Result<(), E>>,
    place: &'static Location<'static>,
) -> Result<(), E> {
    keeper.stage = Stage::Begun;
    let result = run(&keeper.tx.shared, body, place).await;
    keeper.stage = Stage::Ended;
    let Err(error) = result else { return Ok(()) };
    if keeper.tx.shared.has_missed_receivers() {
        // It was told in the moment in which they went, before this job could be cancelled.
        say(|| {
            tracing::debug!(target: "ballet", path = %current().path(), "a producer without receivers ended: {error:?}");
        });
        return Ok(());
    }
    keeper.tell(format!("its producer `{}` failed: {error:?}", current().path()));
    Err(error)
}

async fn run<T, E>(
    shared: &Shared<T>,
    body: impl Future<Output = Result<(), E>>,
    place: &'static Location<'static>,
) -> Result<(), E> {
    let (mut watch, mut is_given_up) = (Watch::new(shared), false);
    let mut body = pin!(body);
    poll_fn(|cx| {
        if !is_given_up && watch.poll(cx, Books::is_deserted).is_ready() {
            is_given_up = true;
            let job = current();
            job.ask(&Reason::Requested(Origin::new(job.path(), place)));
            // This is the yield at which it is cut, unless it has a grace or a shield: then it is polled again.
            return Poll::Pending;
        }
        body.as_mut().poll(cx)
    })
    .await
}

/// Keeps the channel open until the body's own senders have gone, so that it cannot end before it is known how.
struct Keeper<T> {
    tx: Sender<T>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The job was not polled yet: it may be refused, or cancelled.
    Waiting,
    Begun,
    Ended,
}

impl<T> Keeper<T> {
    fn new(tx: Sender<T>) -> Self {
        Self { tx, stage: Stage::Waiting }
    }

    fn tell(&self, how: String) {
        self.tx.close_with(Error::msg(how));
    }
}

impl<T> Drop for Keeper<T> {
    fn drop(&mut self) {
        let path = || current().path();
        match self.stage {
            Stage::Waiting => self.tell("its producer did not begin".to_owned()),
            Stage::Begun if panicking() => self.tell(format!("its producer `{}` panicked", path())),
            Stage::Begun => self.tell(format!("its producer `{}` was cancelled", path())),
            Stage::Ended => {}
        }
    }
}
