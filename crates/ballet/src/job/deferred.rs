//! A job from outside: its handle and its result.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use super::cell::Claim;
use super::{
    Error, Failure, Fault, Isolated, NodeRef, Origin, Outcome, Reason, Shielding, Together, current,
    waits_for,
};
use crate::context::Path;
use crate::observe::State;

/// One child of a scope, from outside: what it is called, where it was born, how it fares.
///
/// A handle watches and can cancel; it owns nothing and keeps nothing alive but the job's record.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Scope, observe::State};
///
/// let job = ballet::scope(async |s: Scope| {
///     let job = s.named("clock").spawn(std::future::pending::<Result<(), _>>()).job().clone();
///     assert_eq!(job.path().to_string(), "clock");
///     job.cancel();
///     Ok(job)
/// })
/// .await?;
/// assert_eq!(job.state(), State::Cancelled);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Job(pub(super) NodeRef);

impl Job {
    /// The names from the root to the job.
    #[must_use]
    pub fn path(&self) -> Path {
        self.0.path()
    }

    /// The job's own name, or `#n`.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.path().name().unwrap_or_default()
    }

    /// Where it was spawned.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.0.place
    }

    /// Where it is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.state()
    }

    /// Why it was asked to end, if it was.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.0.asked()
    }

    /// Asks the job to end: it is not polled again once it has yielded, and is dropped. The second call does
    /// nothing, and so does one on a job that has ended.
    ///
    /// Code of a [`scope`](crate::scope) that awaits this job's value is ended with it, because the value can no
    /// longer come.
    #[track_caller]
    pub fn cancel(&self) {
        self.ask(&Reason::Requested(Origin::new(current().path(), Location::caller())));
    }

    /// As [`cancel`](Self::cancel), for a reason of the caller's.
    pub(crate) fn ask(&self, reason: &Reason) {
        self.0.ask(reason);
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("path", &self.path())
            .field("state", &self.state())
            .field("place", &format_args!("{}", self.place()))
            .finish()
    }
}

/// A job's result, awaited.
///
/// What awaiting gives is chosen by the failure domain, and held by the compiler:
///
/// - in [`scope`](crate::scope), the value itself. Where the job fails, the scope fails, and the code that awaits
///   is ended with it;
/// - in [`supervisor_scope`](crate::supervisor_scope), a `Result` of the value or the [`Failure`].
///
/// Dropping a `Deferred` does not touch its job, which its scope owns. Under a supervisor the failure of a job
/// whose `Deferred` was dropped goes to the scope's `on_failure` sink.
///
/// # Cancel safety
///
/// Awaiting `&mut deferred` loses nothing when it is dropped: the result stays and can be awaited again.
///
/// # Panics
///
/// In a `scope`, when the job ended without a value and the awaiting code cannot be ended with it: it is not inside
/// the scope, or it is inside a [`shield`](crate::shield) or a finalizer of it. Also when it is polled after it gave its result.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Error, Scope, SupervisorScope};
///
/// let sum = ballet::scope(async |s: Scope| {
///     let two = s.spawn(async { Ok(2) });
///     let three = s.spawn(async { Ok(3) });
///     Ok(two.await + three.await)
/// })
/// .await?;
/// assert_eq!(sum, 5);
///
/// let stock = ballet::supervisor_scope(async |s: SupervisorScope| {
///     let stock = s.spawn(async { Err::<u32, _>(Error::msg("the warehouse is closed")) });
///     Ok(stock.await.ok())
/// })
/// .await?;
/// assert_eq!(stock, None);
/// # Ok(()) }
/// ```
pub struct Deferred<T, E: Fault = Error, D = Together> {
    claim: Claim<T, E>,
    domain: PhantomData<fn() -> D>,
}

impl<T, E: Fault, D> Deferred<T, E, D> {
    pub(crate) fn new(claim: Claim<T, E>) -> Self {
        Self { claim, domain: PhantomData }
    }

    /// The job itself: its name, place and state, and the means to cancel it.
    #[must_use]
    pub fn job(&self) -> &Job {
        self.claim.job()
    }

    fn poll_outcome(&mut self, cx: &Poller<'_>) -> Poll<Option<Outcome<T, E>>> {
        let polled = self.claim.poll_take(cx);
        if polled.is_pending() {
            waits_for(|| format!("awaits the end of {}", self.job().path()));
        }
        polled
    }

    fn failure(&self, outcome: Outcome<T, E>) -> Result<T, Failure<E>> {
        let (path, place) = (self.job().path(), self.job().place());
        match outcome {
            Outcome::Ok(value) => Ok(value),
            Outcome::Err(error) => Err(Failure::err(error, path, place)),
            Outcome::Cancelled(reason) => Err(Failure::cancelled(reason, path, place)),
            Outcome::Panicked(panic) => Err(Failure::panicked(panic)),
        }
    }
}

impl<T, E: Fault> Deferred<T, E, Isolated> {
    /// Awaits the end and gives all four ways of ending, for a `match`.
    pub async fn outcome(mut self) -> Outcome<T, E> {
        let outcome = std::future::poll_fn(|cx| self.poll_outcome(cx)).await;
        outcome.unwrap_or_else(|| unreachable!("an isolated job always leaves its outcome"))
    }
}

impl<T, E: Fault> Future for Deferred<T, E, Isolated> {
    type Output = Result<T, Failure<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let outcome = ready!(self.poll_outcome(cx));
        Poll::Ready(
            self.failure(
                outcome.unwrap_or_else(|| unreachable!("an isolated job always leaves its outcome")),
            ),
        )
    }
}

impl<T, E: Fault> Future for Deferred<T, E, Together> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<T> {
        let value = ready!(self.poll_value(cx));
        Poll::Ready(value.unwrap_or_else(|| {
            panic!(
                "`{}` ended without a value ({}), and the code that awaits it cannot be ended with it, because it is \
                 outside the scope, or inside a shield or a finalizer of it",
                self.job().path(),
                self.job().state(),
            )
        }))
    }
}

impl<T, E: Fault> Deferred<T, E, Together> {
    /// Ready with the value; with `None` where none will come and the code that awaits it cannot be ended with it.
    pub(crate) fn poll_value(&mut self, cx: &Poller<'_>) -> Poll<Option<T>> {
        match ready!(self.poll_outcome(cx)) {
            Some(Outcome::Ok(value)) => Poll::Ready(Some(value)),
            Some(_) | None if self.can_be_cut() => self.end_with_it(),
            Some(_) | None => Poll::Ready(None),
        }
    }

    /// The value will never come, so the code that awaits it must not go on: the scope ends, and drops it.
    fn end_with_it(&self) -> Poll<Option<T>> {
        if let Some(reason) = self.job().reason() {
            self.claim.owner().cancel(&reason);
        }
        Poll::Pending
    }

    /// Whether the code that awaits is inside the scope, and neither in a shield nor in a finalizer of it.
    fn can_be_cut(&self) -> bool {
        let scope = self.claim.owner().upcast_ref();
        current().is_below(scope) && !Shielding::is_active(scope) && !scope.is_closed()
    }
}

impl<T, E: Fault, D> fmt::Debug for Deferred<T, E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deferred").field(self.job()).finish()
    }
}
