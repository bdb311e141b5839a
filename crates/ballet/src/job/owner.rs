//! What a child's end means to the scope that owns it: the failure domain and its ledger.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::{Failure, Fault, Node, Origin, Panic, Reason, lock};
use crate::observe;

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

/// What the jobs of one scope share: the scope's node, its domain, and what failed so far.
pub(crate) struct Owner<E> {
    pub(crate) node: Arc<Node>,
    pub(crate) domain: Domain,
    ledger: Mutex<Ledger<E>>,
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

impl<E: Fault> Owner<E> {
    pub(crate) fn new(node: Arc<Node>, domain: Domain) -> Self {
        let ledger = Ledger { panic: None, failures: Vec::new() };
        Self {
            node,
            domain,
            ledger: Mutex::new(ledger),
            sink: Mutex::new(None),
            finalizers_dropped: AtomicU32::new(0),
        }
    }

    /// Records a failure of the body, of a finalizer, or of a child that fails together with its siblings; then
    /// asks the rest to end.
    pub(crate) fn fail(&self, failure: Failure<E>) {
        let reason = Reason::SiblingFailed(Origin::new(failure.path().clone(), failure.place()));
        lock(&self.ledger).failures.push(failure);
        self.cancel(&reason);
    }

    /// As [`fail`](Self::fail), for a panic.
    pub(crate) fn panicked(&self, panic: Panic) {
        let reason = Reason::SiblingFailed(Origin::new(panic.path().clone(), panic.place()));
        let mut ledger = lock(&self.ledger);
        match ledger.panic {
            None => ledger.panic = Some(panic),
            Some(_) => ledger.failures.push(Failure::panicked(panic)),
        }
        drop(ledger);
        self.cancel(&reason);
    }

    /// Asks the scope and all its children to end. The first reason stays.
    pub(crate) fn cancel(&self, reason: &Reason) {
        self.node.ask(reason.clone());
        self.node.ask_children(reason);
    }

    pub(crate) fn note_dropped_finalizer(&self) {
        self.finalizers_dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn finalizers_dropped(&self) -> u32 {
        self.finalizers_dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn settle_accounts(&self) -> Ledger<E> {
        let empty = Ledger { panic: None, failures: Vec::new() };
        std::mem::replace(&mut lock(&self.ledger), empty)
    }

    pub(crate) fn set_sink(&self, sink: Sink<E>) {
        *lock(&self.sink) = Some(sink);
    }

    /// Hands a failure that nobody looked at to the sink.
    pub(crate) fn unobserved(&self, failure: &Failure<E>) {
        let sink = lock(&self.sink).clone();
        match sink {
            // A sink that panics must not keep its job in the tree.
            Some(sink) => {
                if catch_unwind(AssertUnwindSafe(|| sink(failure))).is_err() {
                    observe::unobserved(failure.path(), failure.place(), failure);
                }
            }
            None => observe::unobserved(failure.path(), failure.place(), failure),
        }
    }
}

impl<E> fmt::Debug for Owner<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner")
            .field("path", &self.node.context.path())
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}
