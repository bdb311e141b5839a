//! What a supervisor is told of a child: on which terms it is kept, and the closure that each of its lives runs.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Escalation, Life, Supervisor};
use crate::job::{Error, Fault};
use crate::scope::Ready;
use crate::supervise::Backoff;
use crate::sync::Mutex;

/// How long a child has to say that it is ready, unless [`ChildSpec::ready_within`] says otherwise.
pub const READY_BUDGET: Duration = Duration::from_secs(30);

/// How long a supervisor waits for the end of a child that should be gone, shields and destructors included, before it
/// names the child and goes on to the next.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Begins to describe a supervised child: what its name is, a segment of its path.
///
/// # Examples
///
/// See [`Supervisor`].
pub fn child(name: impl Into<Cow<'static, str>>) -> ChildSpec {
    let terms = Terms {
        name: name.into(),
        restart: Restart::Permanent,
        is_significant: false,
        backoff: Backoff::NONE,
        ready_within: READY_BUDGET,
        grace: None,
        patience: Some(STOP_PATIENCE),
    };
    ChildSpec { terms }
}

/// When a child is started again that ended by itself.
///
/// | | returned `Ok` | was [cancelled](crate::Job::cancel) | failed or panicked |
/// |---|---|---|---|
/// | `Permanent` | again | again | again |
/// | `Transient` | it is done | it is done | again |
/// | `Temporary` | it is forgotten | it is forgotten | it is forgotten |
///
/// # Examples
///
/// ```
/// use ballet::Restart;
///
/// assert_eq!(Restart::Transient.to_string(), "transient");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Always: it is not meant to end.
    Permanent,
    /// When it failed: it is meant to end by returning.
    Transient,
    /// Never, not even with its siblings.
    Temporary,
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Restart::Permanent => "permanent",
            Restart::Transient => "transient",
            Restart::Temporary => "temporary",
        })
    }
}

/// The terms on which a child is kept.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) name: Cow<'static, str>,
    pub(super) restart: Restart,
    pub(super) is_significant: bool,
    pub(super) backoff: Backoff,
    pub(super) ready_within: Duration,
    pub(super) grace: Option<Duration>,
    /// How long it may take to end, beyond its grace, before it is named; `None` where it ends by budgets of its own.
    pub(super) patience: Option<Duration>,
}

/// A child that is being described; made by [`child`]. It is permanent, is restarted without a delay, and is dropped at
/// its next yield when it is stopped, unless something else is said here.
///
/// # Examples
///
/// See [`Supervisor`].
#[derive(Clone, Debug)]
#[must_use = "a description becomes a child with `run` or `supervisor`"]
pub struct ChildSpec {
    terms: Terms,
}

impl ChildSpec {
    /// It is started again however it ends. This is the default.
    pub fn permanent(self) -> Self {
        self.with(|terms| terms.restart = Restart::Permanent)
    }

    /// It is started again when it failed or panicked, and is done when it returned.
    pub fn transient(self) -> Self {
        self.with(|terms| terms.restart = Restart::Transient)
    }

    /// It is never started again, and is forgotten when it has ended.
    pub fn temporary(self) -> Self {
        self.with(|terms| terms.restart = Restart::Temporary)
    }

    /// The supervisor closes when it ends by itself; see [`Supervisor::stop_with_all_significant`].
    pub fn significant(self) -> Self {
        self.with(|terms| terms.is_significant = true)
    }

    /// How long to wait before it is started again. The default is no time at all.
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.with(|terms| terms.backoff = backoff)
    }

    /// How long it has to say that it is ready, in place of [`READY_BUDGET`]. A life that does not is stopped, and has
    /// failed.
    pub fn ready_within(self, budget: Duration) -> Self {
        self.with(|terms| terms.ready_within = budget)
    }

    /// Gives it time to end by itself when it is stopped: it goes on being polled for at most `budget`, learns of it
    /// from [`cancelled`](crate::cancelled), and is dropped and named if the budget runs out.
    pub fn graceful(self, budget: Duration) -> Self {
        self.with(|terms| terms.grace = Some(budget))
    }

    /// The child runs `life`, from the beginning each time it is started.
    ///
    /// `life` is an async closure whose captures can be cloned: each life gets its own clones, and a clone that panics
    /// is a life that did. What it hands to the next life, if anything, is the `S` of its [`Life`].
    ///
    /// # Panics
    ///
    /// Where the child is significant and permanent: it would never end.
    #[track_caller]
    pub fn run<S, E, C, F>(self, life: C) -> Supervised<E>
    where
        // Not `AsyncFnOnce`: the future of one cannot be asked to be `Send` on stable Rust. Every async closure that
        // keeps what it returns a borrow of is this, too.
        C: FnOnce(Life<S>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        S: Send + 'static,
        E: Fault,
    {
        let Self { terms } = self;
        assert!(
            !(terms.is_significant && terms.restart == Restart::Permanent),
            "the child `{}` is permanent, so it never ends by itself, and cannot be significant for that: \
             make it transient or temporary",
            terms.name
        );
        Supervised { terms, body: Box::new(Closure::new(life)), place: Location::caller() }
    }

    /// The child is a supervisor with children of its own. It is ready when all of them are, and not where it is
    /// told to start nobody any more before. It stops them in its own order, however long their budgets are, and fails
    /// with its [`Escalation`] where it gives up.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn supervisor<E: Fault + From<Escalation<E>>>(self, supervisor: Supervisor<E>) -> Supervised<E> {
        let place = Location::caller();
        self.with(|terms| terms.patience = None).run(async move |life: Life| {
            // What happened to its children has reached its own sink, so the report holds nothing new.
            supervisor.lead(place, Some(life)).await.map(drop).map_err(E::from)
        })
    }

    fn with(mut self, change: impl FnOnce(&mut Terms)) -> Self {
        change(&mut self.terms);
        self
    }
}

/// A child as a supervisor takes it: its terms, and what it runs. Made by [`ChildSpec::run`] and
/// [`ChildSpec::supervisor`].
///
/// # Examples
///
/// See [`Supervisor`] and [`Children::add`](crate::Children::add).
#[must_use = "a child lives under a supervisor: give it to `Supervisor::child` or `Children::add`"]
pub struct Supervised<E: Fault = Error> {
    pub(super) terms: Terms,
    pub(super) body: Box<dyn Body<E>>,
    /// Where it was described: the place of birth of its lives.
    pub(super) place: &'static Location<'static>,
}

impl<E: Fault> Supervised<E> {
    /// The child's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.terms.name
    }
}

/// A clone begins with nothing handed on from an earlier life.
impl<E: Fault> Clone for Supervised<E> {
    fn clone(&self) -> Self {
        Self { terms: self.terms.clone(), body: self.body.anew(), place: self.place }
    }
}

impl<E: Fault> fmt::Debug for Supervised<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervised").field("terms", &self.terms).finish_non_exhaustive()
    }
}

/// What a life runs.
pub(super) type Living<E> = Pin<Box<dyn Future<Output = Result<(), E>> + Send>>;

/// What a child runs, without its types.
pub(super) trait Body<E>: Send {
    /// The life after `restarts` others.
    fn begin(&self, ready: Ready, restarts: u32) -> Living<E>;

    /// The same for another run of its supervisor.
    fn anew(&self) -> Box<dyn Body<E>>;
}

struct Closure<C, S> {
    life: C,
    /// What a life has left to the next.
    left: Arc<Mutex<Option<S>>>,
}

impl<C, S> Closure<C, S> {
    fn new(life: C) -> Self {
        Self { life, left: Arc::new(Mutex::new(None)) }
    }
}

impl<C, F, S, E> Body<E> for Closure<C, S>
where
    C: FnOnce(Life<S>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    S: Send + 'static,
    E: Fault,
{
    fn begin(&self, ready: Ready, restarts: u32) -> Living<E> {
        let closure = catch_unwind(AssertUnwindSafe(|| self.life.clone()));
        let life = Life::new(ready, restarts, Arc::clone(&self.left));
        // Called inside the job, so that a panic of the closure is the child's, and so is one of its clone.
        Box::pin(async move {
            let _remark = Life::<S>::remark(restarts);
            let closure = closure.unwrap_or_else(|payload| resume_unwind(payload));
            closure(life).await
        })
    }

    fn anew(&self) -> Box<dyn Body<E>> {
        Box::new(Self::new(self.life.clone()))
    }
}
