//! What a child's end means to the scope that owns it: the failure domain and its ledger.
#![expect(unsafe_code, reason = "a job's body may borrow where a local scope keeps it inside the borrow")]

use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::cell::{self, Claim, Unborn};
use super::node::{Birth, Particulars, Role, Watched};
use super::{Failure, Fault, Home, Manner, Node, NodeRef, Origin, Outcome, Panic, Reason, lock};
use crate::context::{Name, Values};
use crate::dispatch::Dispatcher;
use crate::dispatch::guest::{self, Ref, Turn};
use crate::observe::{self, State};
use crate::sync::{Mutex, ShortLock};

/// The failure domain of [`scope`](crate::scope): the first failure ends the rest, and awaiting a child gives its
/// value. A type-level marker; it is never made.
///
/// # Examples
///
/// A function that spawns into either domain:
///
/// ```
/// fn light<D>(s: &ballet::Scope<ballet::Error, D>) {
///     s.named("light").spawn(async { Ok(()) });
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// ballet::scope(async |s| Ok(light::<ballet::Together>(&s))).await?;
/// ballet::supervisor_scope(async |s| Ok(light::<ballet::Isolated>(&s))).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub enum Together {}

/// The failure domain of [`supervisor_scope`](crate::supervisor_scope): a child's failure stays the child's, and
/// awaiting a child gives a `Result`. A type-level marker; it is never made. Its example stands at [`Together`].
#[derive(Debug)]
pub enum Isolated {}

/// The failure domain at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    Together,
    Isolated,
}

type Sink<E> = Arc<dyn Fn(&Failure<E>) + Send + Sync>;

/// The key under which a test keeps what is left undone in its tree.
#[cfg(feature = "testing")]
pub(crate) struct Witness;

/// What was left undone in the tree of a test.
#[cfg(feature = "testing")]
#[derive(Default)]
pub(crate) struct Seen {
    /// Failures that reached the default end, a line each.
    pub(crate) unobserved: Vec<String>,
    /// Finalizers whose budget was spent, where their scopes were opened.
    pub(crate) finalizers_dropped: Vec<String>,
}

#[cfg(feature = "testing")]
impl crate::context::Key for Witness {
    type Value = Arc<Mutex<Seen>>;
}

/// What the jobs of one scope share: the scope's node, its domain, where they run, and what failed so far.
///
/// It begins with its node, so that a job's reference to the node it was born in is one to its owner.
#[repr(C)]
pub(crate) struct Owner<E> {
    pub(super) watched: Watched,
    pub(crate) domain: Domain,
    /// Where children run that choose nothing else.
    pub(crate) dispatcher: Dispatcher,
    ledger: ShortLock<Ledger<E>>,
    /// Where failures go that nobody looked at; `None` is the default of [`observe::unobserved`].
    sink: Mutex<Option<Sink<E>>>,
    /// Finalizers that were dropped because their budget was spent.
    finalizers_dropped: AtomicU32,
}

/// What failed, in the order in which it failed.
pub(crate) struct Ledger<E> {
    /// The first panic. It outranks every error, because it must resume in the owner.
    pub(crate) panic: Option<Panic>,
    /// The first failure and those that came after it. Cancellations never enter.
    pub(crate) failures: Vec<Failure<E>>,
}

impl<E> Ledger<E> {
    pub(crate) fn is_empty(&self) -> bool {
        self.panic.is_none() && self.failures.is_empty()
    }

    pub(crate) fn enter_panic(&mut self, panic: Panic) {
        match self.panic {
            None => self.panic = Some(panic),
            Some(_) => self.failures.push(Failure::panicked(panic)),
        }
    }
}

/// The terms on which a child is spawned.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) name: Option<Name>,
    /// What a cancelled child has to end by itself, where it has any.
    pub(crate) grace: Option<Duration>,
    pub(crate) place: &'static Location<'static>,
    /// The task that polls the scope polls the child too.
    pub(crate) is_inline: bool,
}

impl<E: Fault> Owner<E> {
    /// A scope that the current task polls: inline in the nearest node that can own.
    pub(crate) fn open(
        domain: Domain,
        values: Values,
        dispatcher: Dispatcher,
        place: &'static Location<'static>,
    ) -> Ref<Self> {
        let ledger = ShortLock::new(Ledger { panic: None, failures: Vec::new() });
        let (birth, particulars) = Node::scope_birth(values, place);
        let owner = Self::settle(birth, particulars, |watched| Self {
            watched,
            domain,
            dispatcher,
            ledger,
            sink: Mutex::new(None),
            finalizers_dropped: AtomicU32::new(0),
        });
        owner.node().enter_inline();
        owner
    }
}

impl<E: Fault> Ref<Owner<E>> {
    /// The scope's node.
    pub(crate) fn node(&self) -> &NodeRef {
        self.upcast_ref()
    }

    /// The scope's node, with the task that polls it.
    pub(crate) fn watched(&self) -> &Ref<Watched> {
        self.upcast_ref()
    }

    /// Makes a job of `body`: a child of this scope from now on. The caller hands the turn on.
    ///
    /// # Errors
    ///
    /// The body, and why this scope takes no more children.
    pub(crate) fn hire<F, T, H>(
        &self,
        terms: &Terms,
        home: H,
        body: F,
    ) -> Result<(Claim<T, E>, Turn), (F, Reason)>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        H: Home,
    {
        // SAFETY: Neither the body nor its value borrows anything.
        unsafe { self.hire_borrower(terms, home, body) }
    }

    /// As [`hire`](Self::hire), for a body that borrows.
    ///
    /// # Safety
    ///
    /// The turn and the claim are dropped, or leaked for ever, before what `F` and `T` borrow is gone.
    pub(crate) unsafe fn hire_borrower<F, T, H>(
        &self,
        terms: &Terms,
        home: H,
        body: F,
    ) -> Result<(Claim<T, E>, Turn), (F, Reason)>
    where
        F: Future<Output = Result<T, E>> + Send,
        T: Send,
        H: Home,
    {
        // SAFETY: This reference outlives the call. When it returns, the newborn has been taken in, or dropped.
        let birth = unsafe { guest::borrow(self.node().as_ptr()) };
        let birth = Birth { is_borrowed: true, ..self.birth(birth, terms) };
        // SAFETY: The caller's promise.
        let unborn = unsafe { Unborn::new(birth, self.particulars(terms), home, body) };
        unborn.enter(self.node())
    }

    /// The claim of a child that was refused.
    #[cold]
    pub(crate) fn refuse<T: Send>(&self, terms: &Terms, reason: &Reason) -> Claim<T, E> {
        let outcome = match self.domain {
            Domain::Together => None,
            Domain::Isolated => Some(Outcome::Cancelled(reason.clone())),
        };
        let birth = self.birth(ManuallyDrop::new(self.node().clone()), terms);
        // It has not begun, so it inherits nothing: what its context would be was asked for when it was hired.
        let particulars = || Particulars::new(terms.name.clone(), Values::default(), None);
        let claim = cell::stillborn(birth, terms.name.is_some().then_some(particulars), outcome);
        claim.node().ask(reason);
        claim.node().conclude(State::Cancelled);
        claim
    }

    #[inline]
    fn birth(&self, birth: ManuallyDrop<NodeRef>, terms: &Terms) -> Birth {
        Birth {
            role: Role::Job,
            birth: Some(birth),
            is_borrowed: false,
            is_inline: terms.is_inline,
            inherits_values: !self.node().changes_values(),
            place: terms.place,
        }
    }

    /// What makes what a child on these terms has beside what all have, where that may be anything.
    #[inline]
    fn particulars(&self, terms: &Terms) -> Option<impl FnOnce() -> Particulars> {
        let is_plain = terms.name.is_none() && terms.grace.is_none() && !self.node().changes_values();
        (!is_plain || Manner::is_traced()).then_some(|| {
            let values = self.node().values_for_child().unwrap_or_default();
            Particulars::new(terms.name.clone(), values, Manner::here(terms.grace))
        })
    }

    /// Records a failure of the body, of a finalizer, or of a child that fails together with its siblings; then
    /// asks the rest to end.
    pub(crate) fn fail(&self, failure: Failure<E>) {
        let reason = Reason::SiblingFailed(Origin::new(failure.path().clone(), failure.place()));
        self.ledger.lock().failures.push(failure);
        self.cancel(&reason);
    }

    /// As [`fail`](Self::fail), for a panic.
    pub(crate) fn panicked(&self, panic: Panic) {
        let reason = Reason::SiblingFailed(Origin::new(panic.path().clone(), panic.place()));
        self.ledger.lock().enter_panic(panic);
        self.cancel(&reason);
    }

    /// Asks the scope and all its children to end. The first reason stays.
    pub(crate) fn cancel(&self, reason: &Reason) {
        self.node().ask(reason);
        self.node().ask_children(reason);
    }
}

impl<E: Fault> Owner<E> {
    pub(crate) fn finalizers_dropped(&self) -> u32 {
        self.finalizers_dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn settle_accounts(&self) -> Ledger<E> {
        let empty = Ledger { panic: None, failures: Vec::new() };
        std::mem::replace(&mut *self.ledger.lock(), empty)
    }

    pub(crate) fn set_sink(&self, sink: Sink<E>) {
        let before = lock(&self.sink).replace(sink);
        // Not under the lock, which its destructor may come to.
        drop(before);
    }
}

impl<E: Fault> Ref<Owner<E>> {
    /// Drops an outcome that nobody will ask for; a failure goes to the sink.
    pub(super) fn unseen<T>(&self, job: &NodeRef, outcome: Option<Outcome<T, E>>) {
        let failure = match outcome {
            Some(Outcome::Err(error)) => Failure::err(error, job.path(), job.place),
            Some(Outcome::Panicked(panic)) => Failure::panicked(panic),
            Some(Outcome::Ok(value)) => match catch_unwind(AssertUnwindSafe(|| drop(value))) {
                Ok(()) => return,
                Err(payload) => Failure::panicked(Panic::caught(payload, job)),
            },
            Some(Outcome::Cancelled(_)) | None => return,
        };
        self.unobserved(&failure);
    }

    pub(crate) fn note_dropped_finalizer(&self) {
        self.finalizers_dropped.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "testing")]
        if let Some(seen) = self.node().values().get::<Witness>() {
            let line = format!("{} ({})", self.node().path(), self.node().place);
            lock(seen).finalizers_dropped.push(line);
        }
    }

    /// Hands a failure that nobody looked at to the sink.
    pub(crate) fn unobserved(&self, failure: &Failure<E>) {
        let sink = lock(&self.sink).clone();
        // A sink that panics must not keep its job in the tree.
        let is_seen = sink.is_some_and(|sink| catch_unwind(AssertUnwindSafe(|| sink(failure))).is_ok());
        if !is_seen {
            #[cfg(feature = "testing")]
            self.witness(failure);
            observe::unobserved(failure.path(), failure.place(), failure);
        }
    }

    /// Tells the test that this scope belongs to.
    #[cfg(feature = "testing")]
    fn witness(&self, failure: &Failure<E>) {
        if let Some(seen) = self.node().values().get::<Witness>() {
            let line = format!("{} ({}): {failure:?}", failure.path(), failure.place());
            lock(seen).unobserved.push(line);
        }
    }
}

impl<E> fmt::Debug for Owner<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner")
            .field("place", &format_args!("{}", self.watched.node.place))
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}
