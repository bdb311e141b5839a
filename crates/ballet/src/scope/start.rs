//! The start handshake: whoever starts a child goes on when the child has said that it is ready.
//!
//! The word travels through a cell that the child's [`Ready`] and the job share. It is emptied when the child's
//! future is dropped, however it ended, so a starter waits for a word or an end and for nothing else.

use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::guarded::Guarded;
use super::{Child, Scope, SupervisorScope};
use crate::job::{Deferred, Error, Failure, Fault, Isolated, Job, Origin, Reason, Together, current, lock};
use crate::sync::Mutex;

impl<E: Fault> Scope<E> {
    /// Spawns a child and waits until it has said that it is ready; gives what it said and its [`Deferred`].
    ///
    /// `child` gets a [`Ready`] and makes the child's future. Where the child fails first, the scope fails, and the
    /// code that awaits this is ended with it, as in awaiting a `Deferred`.
    ///
    /// # Errors
    ///
    /// [`NotReady`] when the child returned without having said it. Also when it ended without a value and the code
    /// that awaits this cannot be ended with it: it is not inside the scope, or it is inside a shield of it.
    ///
    /// # Cancel safety
    ///
    /// A child belongs to its starter until it is ready: when this future is dropped before, the child is cancelled.
    /// The scope waits for it as for any other.
    ///
    /// # Cost
    ///
    /// A child and two small allocations.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::{Ready, Scope};
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// ballet::scope(async |s: Scope| {
    ///     let serve = async |ready: Ready<_>| {
    ///         let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///         ready.announce(listener.local_addr()?);
    ///         Ok(listener.accept().await?.1)
    ///     };
    ///     let (address, server) = s.named("server").start(serve).await?;
    ///     let client = TcpStream::connect(address).await?; // it listens: no retry
    ///     assert_eq!(server.await, client.local_addr()?);
    ///     Ok(())
    /// })
    /// .await?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn start<R, T, C, F>(
        &self,
        child: C,
    ) -> impl Future<Output = Result<(R, Deferred<T, E>), NotReady<E>>>
    where
        C: FnOnce(Ready<R>) -> F,
        F: Future<Output = Result<T, E>> + Send + 'static,
        R: Send + 'static,
        T: Send + 'static,
    {
        self.nameless().start(child)
    }
}

impl<E: Fault> SupervisorScope<E> {
    /// Spawns a child and waits until it has said that it is ready; gives what it said and its [`Deferred`].
    ///
    /// As in a [`scope`](crate::Scope::start), but a child's failure stays the child's and comes with the error.
    ///
    /// # Errors
    ///
    /// [`NotReady`] when the child ended without having said it, with the child's failure if there is one.
    ///
    /// # Cancel safety
    ///
    /// When this future is dropped before the child is ready, the child is cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::{Error, Ready, SupervisorScope};
    ///
    /// ballet::supervisor_scope(async |s: SupervisorScope| {
    ///     let tuner = async |_: Ready<()>| Err::<(), _>(Error::msg("a string is broken"));
    ///     let not_ready = s.named("tuner").start(tuner).await.unwrap_err();
    ///     assert_eq!(not_ready.to_string(), "`tuner` did not become ready: tuner: a string is broken");
    ///     Ok(())
    /// })
    /// .await?;
    /// # Ok(()) }
    /// ```
    #[expect(clippy::type_complexity, reason = "the twin in the other domain is within the bounds")]
    #[track_caller]
    pub fn start<R, T, C, F>(
        &self,
        child: C,
    ) -> impl Future<Output = Result<(R, Deferred<T, E, Isolated>), NotReady<E>>>
    where
        C: FnOnce(Ready<R>) -> F,
        F: Future<Output = Result<T, E>> + Send + 'static,
        R: Send + 'static,
        T: Send + 'static,
    {
        self.nameless().start(child)
    }
}

impl<E: Fault> Child<'_, E, Together> {
    /// Spawns the child and waits until it has said that it is ready; see [`Scope::start`].
    ///
    /// # Errors
    ///
    /// [`NotReady`], as there.
    #[track_caller]
    pub fn start<R, T, C, F>(self, child: C) -> impl Future<Output = Result<(R, Deferred<T, E>), NotReady<E>>>
    where
        C: FnOnce(Ready<R>) -> F,
        F: Future<Output = Result<T, E>> + Send + 'static,
        R: Send + 'static,
        T: Send + 'static,
    {
        let place = Location::caller();
        async move {
            let (starting, mut deferred) = begin(self, place, child);
            if let Some(word) = starting.word().await {
                return Ok((word, deferred));
            }
            poll_fn(|cx| deferred.poll_value(cx)).await;
            Err(NotReady { job: deferred.job().clone(), failure: None })
        }
    }
}

impl<E: Fault> Child<'_, E, Isolated> {
    /// Spawns the child and waits until it has said that it is ready; see [`Scope::start`].
    ///
    /// # Errors
    ///
    /// [`NotReady`] when the child ended without having said it, with the child's failure if there is one.
    #[expect(clippy::type_complexity, reason = "the twin in the other domain is within the bounds")]
    #[track_caller]
    pub fn start<R, T, C, F>(
        self,
        child: C,
    ) -> impl Future<Output = Result<(R, Deferred<T, E, Isolated>), NotReady<E>>>
    where
        C: FnOnce(Ready<R>) -> F,
        F: Future<Output = Result<T, E>> + Send + 'static,
        R: Send + 'static,
        T: Send + 'static,
    {
        let place = Location::caller();
        async move {
            let (starting, deferred) = begin(self, place, child);
            if let Some(word) = starting.word().await {
                return Ok((word, deferred));
            }
            let job = deferred.job().clone();
            Err(NotReady { job, failure: deferred.await.err() })
        }
    }
}

impl<E: Fault, D> Child<'_, E, D> {
    /// Gives the child another place of birth than the line that spawns it: that of a combinator's caller.
    pub(crate) fn born_at(mut self, place: &'static Location<'static>) -> Self {
        self.place = Some(place);
        self
    }
}

/// Spawns the child, with this place of birth. Its starter waits with the first half, and goes on with the second.
pub(crate) fn begin<R, T, E, D, F>(
    child: Child<'_, E, D>,
    place: &'static Location<'static>,
    make: impl FnOnce(Ready<R>) -> F,
) -> (Starting<R>, Deferred<T, E, D>)
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    R: Send + 'static,
    T: Send + 'static,
    E: Fault,
{
    let (word, heard) = oneshot::channel();
    let word = Word(Arc::new(Mutex::new(Some(word))));
    let future = make(Ready(Word(Arc::clone(&word.0))));
    let deferred = child.born_at(place).spawn(Guarded::new(future, Unsaid(word)));
    (Starting { job: Some(deferred.job().clone()), heard, place }, deferred)
}

/// The way back to the starter; empty when the word was said or the child's future is gone.
struct Word<R>(Arc<Mutex<Option<oneshot::Sender<R>>>>);

impl<R> Word<R> {
    fn take(&self) -> Option<oneshot::Sender<R>> {
        lock(&self.0).take()
    }
}

/// Lives as long as the child's future: what was not said by then never will be.
struct Unsaid<R>(Word<R>);

impl<R> Drop for Unsaid<R> {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

/// A starter that waits. Dropped before it has heard, it cancels the child.
pub(crate) struct Starting<R> {
    job: Option<Job>,
    heard: oneshot::Receiver<R>,
    place: &'static Location<'static>,
}

impl<R> Starting<R> {
    /// What the child said, or `None` when it has ended.
    pub(crate) async fn word(mut self) -> Option<R> {
        let word = (&mut self.heard).await.ok();
        self.job = None;
        word
    }
}

impl<R> Drop for Starting<R> {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            job.ask(&Reason::Dropped(Origin::new(current().path(), self.place)));
        }
    }
}

/// With this a child that was [started](Scope::start) says, once, that it is ready.
///
/// Dropping it says nothing: the starter goes on waiting until the child has ended.
///
/// # Examples
///
/// See [`Scope::start`].
pub struct Ready<R = ()>(Word<R>);

impl<R> Ready<R> {
    /// Says that the child is ready; the starter gets `value`.
    ///
    /// Where nobody waits any more, the value is dropped: the child has been cancelled with its starter, and is dropped
    /// at its next yield, or it has ended and something else holds its `Ready`.
    pub fn announce(self, value: R) {
        if let Some(starter) = self.0.take() {
            drop(starter.send(value));
        }
    }
}

impl<R> fmt::Debug for Ready<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").finish_non_exhaustive()
    }
}

/// A child that was [started](Scope::start) ended without having said that it was ready.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Ready, Scope};
///
/// ballet::scope(async |s: Scope| {
///     let not_ready = s.named("mute").start(async |_: Ready| Ok(())).await.unwrap_err();
///     assert!(not_ready.failure().is_none()); // it returned, and said nothing
///     assert_eq!(not_ready.job().name(), "mute");
///     Ok(())
/// })
/// .await?;
/// # Ok(()) }
/// ```
pub struct NotReady<E = Error> {
    job: Job,
    failure: Option<Failure<E>>,
}

impl<E> NotReady<E> {
    /// The child: its name, path and place of birth.
    #[must_use]
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// How it failed. `None` where it returned a value, and in a [`scope`](crate::scope), to which the failure went.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure<E>> {
        self.failure.as_ref()
    }

    /// The failure by value.
    #[must_use]
    pub fn into_failure(self) -> Option<Failure<E>> {
        self.failure
    }

    fn describe(
        &self,
        f: &mut fmt::Formatter<'_>,
        failure: impl FnOnce(&Failure<E>, &mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let Self { job, failure: cause } = self;
        match cause {
            Some(cause) => {
                write!(f, "`{}` did not become ready: ", job.path())?;
                failure(cause, f)
            }
            None => {
                let (path, state, place) = (job.path(), job.state(), job.place());
                write!(
                    f,
                    "`{path}` ended ({state}) without having said that it was ready (spawned at {place})"
                )
            }
        }
    }
}

impl<E: fmt::Display> fmt::Display for NotReady<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f, |failure, f| write!(f, "{failure}"))
    }
}

impl<E: fmt::Debug> fmt::Debug for NotReady<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f, |failure, f| write!(f, "{failure:?}"))
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for NotReady<E> {}
