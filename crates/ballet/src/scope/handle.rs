//! The handle that spawns into a scope.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::FINALIZER_BUDGET;
use super::finalizer::Finalizer;
use super::frame::Frame;
use crate::context::Name;
use crate::dispatch::Dispatcher;
use crate::dispatch::guest::Carrier;
use crate::job::{
    Carried, Claim, Deferred, Error, Failure, Fault, Isolated, Origin, Reason, Terms, Together, WithOwner,
    current,
};
use crate::observe::Tree;

/// A handle to an open scope: it spawns children, registers finalizers and cancels.
///
/// Cloning is one reference count, so a child can take a handle with it and spawn siblings. A handle does not keep
/// the scope open: on a scope that has ended or is being cancelled, a new child is dropped before its first poll.
/// While the scope only waits for its last children, new ones are welcome.
///
/// # Examples
///
/// A child that spawns a sibling:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::Scope;
///
/// ballet::scope(async |s: Scope| {
///     let handle = s.clone();
///     s.named("first").spawn(async move {
///         handle.named("second").spawn(async { Ok(()) });
///         Ok(())
///     });
///     Ok(())
/// })
/// .await?;
/// # Ok(()) }
/// ```
pub struct Scope<E: Fault = Error, D = Together> {
    pub(super) frame: Arc<Frame<E>>,
    domain: PhantomData<fn() -> D>,
}

/// The handle of a [`supervisor_scope`](crate::supervisor_scope): awaiting its children gives a `Result`.
pub type SupervisorScope<E = Error> = Scope<E, Isolated>;

impl<E: Fault, D> Scope<E, D> {
    pub(crate) fn new(frame: Arc<Frame<E>>) -> Self {
        Self { frame, domain: PhantomData }
    }

    /// Begins a child with a name, which becomes a segment of its path.
    ///
    /// Names are for people; two children may have the same one.
    pub fn named(&self, name: impl Into<Cow<'static, str>>) -> Child<'_, E, D> {
        Child { name: Some(Name::Given(name.into())), ..self.nameless() }
    }

    /// Spawns a child, which runs in parallel from now on. The scope owns it and waits for it.
    ///
    /// On a scope that has ended or is being cancelled the future is dropped before its first poll; the returned
    /// [`Deferred`]'s job is then `Cancelled`. To keep the future, use [`try_spawn`](Self::try_spawn).
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> Deferred<T, E, D>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.nameless().spawn(future)
    }

    /// Spawns a child, or gives the future back.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] with the future, unpolled, on a scope that has ended or is being cancelled.
    #[track_caller]
    pub fn try_spawn<T, F>(&self, future: F) -> Result<Deferred<T, E, D>, SpawnError<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.nameless().try_spawn(future)
    }

    /// Registers a finalizer, which runs when the body and all children have ended, whatever ended them.
    ///
    /// Finalizers run last in, first out, and nothing can cancel them; each may take [`FINALIZER_BUDGET`]. One that
    /// fails or panics does not stop the next; its failure is the scope's, or rides along with the first one.
    ///
    /// # Panics
    ///
    /// When the scope has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::Scope;
    /// # let folder = std::env::temp_dir().join(format!("ballet-doc-{}", std::process::id()));
    /// # let kept = folder.clone();
    /// std::fs::create_dir(&folder)?;
    /// ballet::scope(async |s: Scope| {
    ///     let folder = folder.clone();
    ///     s.defer(async move { Ok(tokio::task::spawn_blocking(|| std::fs::remove_dir_all(folder)).await??) });
    ///     // … children work in the folder …
    ///     Ok(())
    /// })
    /// .await?;
    /// assert!(!kept.exists());
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn defer(&self, finalizer: impl Future<Output = Result<(), E>> + Send + 'static) {
        self.defer_within(FINALIZER_BUDGET, finalizer);
    }

    /// As [`defer`](Self::defer), with a budget of its own. A finalizer that exceeds it is dropped and named in a
    /// `tracing` error.
    ///
    /// # Panics
    ///
    /// When the scope has ended.
    #[track_caller]
    pub fn defer_within(
        &self,
        budget: Duration,
        finalizer: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.frame.defer(Finalizer::new(finalizer, budget, Location::caller()));
    }

    /// Cancels the scope: its body and its children are dropped at their next yield, and it takes no new children.
    ///
    /// The scope returns a [`Failure`] that [is cancelled](Failure::is_cancelled), unless its body had already
    /// returned or something fails on the way out. To end only the children, use
    /// [`cancel_children`](Self::cancel_children). The second call does nothing.
    #[track_caller]
    pub fn cancel(&self) {
        self.frame.owner.cancel(&self.requested(Location::caller()));
    }

    /// Asks the children that are there now to end; the body goes on and new children are welcome.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::Scope;
    ///
    /// let answer = ballet::scope(async |s: Scope| {
    ///     s.named("ticker").spawn(std::future::pending::<Result<(), _>>());
    ///     let answer = s.spawn(async { Ok(42) }).await;
    ///     s.cancel_children(); // the ticker has served
    ///     Ok(answer)
    /// })
    /// .await?;
    /// assert_eq!(answer, 42);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn cancel_children(&self) {
        self.cancel_children_from(Location::caller());
    }

    pub(super) fn cancel_children_from(&self, place: &'static Location<'static>) {
        self.frame.owner.node().ask_children(&self.requested(place));
    }

    /// Whether the scope takes new children: it is neither being cancelled nor past its last child.
    ///
    /// It may close in the same moment on another thread; [`try_spawn`](Self::try_spawn) asks and spawns in one step.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.reason().is_none()
    }

    /// Why the scope takes no new children, if it takes none: its cancellation, or [`Reason::ParentEnded`] where its
    /// children have all ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::{Reason, Scope};
    ///
    /// let handle = ballet::scope(async |s: Scope| {
    ///     assert!(s.is_open());
    ///     Ok(s)
    /// })
    /// .await?;
    /// assert!(!handle.is_open());
    /// assert!(matches!(handle.reason(), Some(Reason::ParentEnded(_))));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.frame.owner.node().refusal()
    }

    /// A snapshot of the scope and everything below it.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.frame.owner.node().tree()
    }

    pub(super) fn nameless(&self) -> Child<'_, E, D> {
        Child { scope: self, name: None, grace: None, dispatcher: None, place: None }
    }

    fn requested(&self, place: &'static Location<'static>) -> Reason {
        Reason::Requested(Origin::new(current().path(), place))
    }
}

impl<E: Fault> SupervisorScope<E> {
    /// Replaces the sink of failures that nobody looks at: those of children whose [`Deferred`] was dropped.
    ///
    /// Each such failure reaches it exactly once, from the task of the child. The default writes a `tracing` error
    /// with the child's path and place of birth.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::{Error, SupervisorScope};
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    ///
    /// let failed = Arc::new(AtomicU32::new(0));
    /// let count = Arc::clone(&failed);
    /// ballet::supervisor_scope(async |s: SupervisorScope| {
    ///     s.on_failure(move |_| { count.fetch_add(1, Ordering::Relaxed); });
    ///     s.spawn(async { Err::<(), _>(Error::msg("nobody awaits me")) });
    ///     Ok(())
    /// })
    /// .await?;
    /// assert_eq!(failed.load(Ordering::Relaxed), 1);
    /// # Ok(()) }
    /// ```
    pub fn on_failure(&self, sink: impl Fn(&Failure<E>) + Send + Sync + 'static) {
        self.frame.owner.set_sink(Arc::new(sink));
    }
}

impl<E: Fault, D> Clone for Scope<E, D> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.frame))
    }
}

impl<E: Fault, D> fmt::Debug for Scope<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").field(&self.frame.owner).finish()
    }
}

/// A child about to be spawned: what differs from the default is said here, before the spawn.
///
/// Made by [`Scope::named`].
#[must_use = "a child begins with `spawn` or `try_spawn`"]
pub struct Child<'s, E: Fault = Error, D = Together> {
    pub(super) scope: &'s Scope<E, D>,
    pub(super) name: Option<Name>,
    pub(super) grace: Option<Duration>,
    pub(super) dispatcher: Option<&'s Dispatcher>,
    /// The place of birth, where it is not the line of the spawn but that of the combinator's caller.
    pub(super) place: Option<&'static Location<'static>>,
}

impl<'s, E: Fault, D> Child<'s, E, D> {
    /// Runs the child on this dispatcher instead of the scope's.
    pub fn on(mut self, dispatcher: &'s Dispatcher) -> Self {
        self.dispatcher = Some(dispatcher);
        self
    }

    /// Gives the child time to end by itself when it is cancelled: it goes on being polled for at most `budget`,
    /// learns of it from [`cancelled`](crate::cancelled), and is dropped and named if the budget runs out.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::Scope;
    /// use std::time::Duration;
    ///
    /// let said = ballet::scope(async |s: Scope| {
    ///     let singer = s.named("singer").graceful(Duration::from_secs(1)).spawn(async {
    ///         ballet::cancelled().await;
    ///         Ok("the last note")
    ///     });
    ///     singer.job().cancel();
    ///     Ok(singer.await)
    /// })
    /// .await?;
    /// assert_eq!(said, "the last note");
    /// # Ok(()) }
    /// ```
    pub fn graceful(mut self, budget: Duration) -> Self {
        self.grace = Some(budget);
        self
    }

    /// Spawns the child; see [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<T, F>(self, future: F) -> Deferred<T, E, D>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let (terms, owner) = (self.terms(Location::caller()), &self.scope.frame.owner);
        match self.hire(&terms, future) {
            Ok(claim) => Deferred::new(claim),
            Err((_, reason)) => Deferred::new(owner.refuse(&terms, &reason)),
        }
    }

    /// Spawns the child, or gives the future back; see [`Scope::try_spawn`].
    ///
    /// # Errors
    ///
    /// [`SpawnError`] with the future, unpolled, on a scope that has ended or is being cancelled.
    #[track_caller]
    pub fn try_spawn<T, F>(self, future: F) -> Result<Deferred<T, E, D>, SpawnError<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        match self.hire(&self.terms(Location::caller()), future) {
            Ok(claim) => Ok(Deferred::new(claim)),
            Err((future, reason)) => Err(SpawnError { future, reason }),
        }
    }

    fn terms(&self, place: &'static Location<'static>) -> Terms {
        let place = self.place.unwrap_or(place);
        Terms { name: self.name.clone(), grace: self.grace, place, is_inline: false }
    }

    /// Makes the job and has it run.
    fn hire<T, F>(&self, terms: &Terms, future: F) -> Result<Claim<T, E>, (F, Reason)>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let owner = &self.scope.frame.owner;
        match self.dispatcher {
            None => {
                let (claim, turn) = owner.hire(terms, WithOwner, future)?;
                owner.dispatcher.schedule(turn);
                Ok(claim)
            }
            Some(own) if own.is_tokio() => {
                let (claim, turn) = owner.hire(terms, Carried::default(), future)?;
                own.spawn(Carrier(turn));
                Ok(claim)
            }
            Some(own) => {
                let (claim, turn) = owner.hire(terms, own.clone(), future)?;
                own.schedule(turn);
                Ok(claim)
            }
        }
    }
}

impl<E: Fault, D> fmt::Debug for Child<'_, E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("name", &self.name).field("grace", &self.grace).finish_non_exhaustive()
    }
}

/// A scope took no more children; the future comes back, unpolled.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// let handle = ballet::scope(async |s: ballet::Scope| Ok(s)).await?;
/// let refused = handle.try_spawn(async { Ok("still whole") }).unwrap_err();
/// assert_eq!(refused.into_future().await?, "still whole");
/// # Ok(()) }
/// ```
pub struct SpawnError<F> {
    future: F,
    reason: Reason,
}

impl<F> SpawnError<F> {
    /// Why: the scope's cancellation, or [`Reason::ParentEnded`] where it has ended.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The future that was not spawned.
    #[must_use]
    pub fn into_future(self) -> F {
        self.future
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the scope takes no more children: {}", self.reason)
    }
}

impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<F> std::error::Error for SpawnError<F> {}
