//! Children that borrow from the caller's stack: concurrent, inside the caller's own task.
//!
//! The jobs are the same as everywhere; only what polls them differs: here it is the scope's own future, so they
//! may borrow, and dropping that future drops them at once.
#![expect(unsafe_code, reason = "one block: the borrow of a child is kept by the scope's future")]

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::FINALIZER_BUDGET;
use super::finalizer::Finalizer;
use super::frame::Frame;
use crate::context::Name;
use crate::dispatch::guest::Carrier;
use crate::job::{Carried, Deferred, Domain, Error, Failure, Fault, Origin, Reason, Terms, current, lock};
use crate::sync::Mutex;

/// How many children may end in one poll before the task yields to others.
const ENDS_PER_POLL: usize = 64;

/// Opens a scope whose children may borrow from the caller. It behaves as [`scope`](crate::scope) does, with one
/// difference: the children run concurrently inside the caller's task, not in parallel.
///
/// Safe Rust cannot lend the stack to another thread across an `.await`: the borrower would outlive a future that
/// is leaked. For parallel children, move or share what they need and use [`scope`](crate::scope).
///
/// # Cost
///
/// Two allocations for the scope, one for each child; no Tokio task.
///
/// # Errors
///
/// The first failure, or a cancellation where the scope was cancelled before its body had a value.
///
/// # Panics
///
/// Resumes the first panic of the body, a child or a finalizer. Panics outside a Tokio runtime.
///
/// # Cancel safety
///
/// When the future is dropped half-way, the children are dropped with it; finalizers are adopted and still run.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::LocalScope;
///
/// let words = String::from("one two three");
/// let lengths = ballet::local_scope(async |s: LocalScope<'_>| {
///     let words: Vec<_> = words.split(' ').map(|word| s.spawn(async move { Ok(word.len()) })).collect();
///     let mut lengths = Vec::new();
///     for word in words {
///         lengths.push(word.await);
///     }
///     Ok(lengths)
/// })
/// .await?;
/// assert_eq!(lengths, [3, 3, 5]);
/// # Ok(()) }
/// ```
#[track_caller]
pub fn local_scope<'env, T, E, B, F>(
    body: B,
) -> Pin<Box<dyn Future<Output = Result<T, Failure<E>>> + Send + 'env>>
where
    // Not `AsyncFnOnce`: a future that names the closure together with `'env` is not `Send` in the eyes of rustc
    // (1.95). So the body's future has a name of its own, and the whole is boxed.
    B: FnOnce(LocalScope<'env, E>) -> F + Send + 'env,
    F: Future<Output = Result<T, E>> + Send + 'env,
    T: Send + 'env,
    E: Fault,
{
    let place = Location::caller();
    Box::pin(async move {
        let frame = Frame::open(Domain::Together, current().values(), place);
        let arrivals = Arc::new(Arrivals::default());
        // A child that holds a handle and was never polled would otherwise keep itself alive.
        let _cleared = Clear(Arc::clone(&arrivals));
        let handle = LocalScope { frame: Arc::clone(&frame), arrivals: Arc::clone(&arrivals) };
        let mut children = FuturesUnordered::new();
        frame.run(async move { body(handle).await }, |cx| arrivals.poll(&mut children, cx)).await
    })
}

/// Children that have been spawned and not yet polled.
#[derive(Default)]
struct Arrivals<'env> {
    turns: Mutex<Vec<Carrier>>,
    /// Invariant: a handle must not be taken for one whose children borrow for a shorter time.
    borrows: PhantomData<fn(&'env ()) -> &'env ()>,
}

impl<'env> Arrivals<'env> {
    /// Polls what is ready among `children`, newcomers included.
    fn poll(&self, children: &mut FuturesUnordered<Carrier>, cx: &mut Poller<'_>) {
        for _ in 0..ENDS_PER_POLL {
            children.extend(std::mem::take(&mut *lock(&self.turns)));
            let progress = children.poll_next_unpin(cx);
            let newcomers = !lock(&self.turns).is_empty();
            if !newcomers && !matches!(progress, Poll::Ready(Some(()))) {
                return;
            }
        }
        cx.waker().wake_by_ref();
    }
}

struct Clear<'env>(Arc<Arrivals<'env>>);

impl Drop for Clear<'_> {
    fn drop(&mut self) {
        let unpolled = std::mem::take(&mut *lock(&self.0.turns));
        drop(unpolled);
    }
}

/// A handle to an open [`local_scope`]: as [`Scope`](crate::Scope), for children that borrow for `'env`.
pub struct LocalScope<'env, E: Fault = Error> {
    frame: Arc<Frame<E>>,
    arrivals: Arc<Arrivals<'env>>,
}

impl<'env, E: Fault> LocalScope<'env, E> {
    /// Spawns a child that runs inside the caller's task. See [`Scope::spawn`](crate::Scope::spawn).
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> Deferred<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'env,
        T: Send + 'env,
    {
        self.spawn_as(None, Location::caller(), future)
    }

    /// As [`spawn`](Self::spawn), with a name.
    #[track_caller]
    pub fn spawn_named<T, F>(&self, name: impl Into<Cow<'static, str>>, future: F) -> Deferred<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'env,
        T: Send + 'env,
    {
        self.spawn_as(Some(Name::Given(name.into())), Location::caller(), future)
    }

    fn spawn_as<T, F>(
        &self,
        name: Option<Name>,
        place: &'static Location<'static>,
        future: F,
    ) -> Deferred<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'env,
        T: Send + 'env,
    {
        let terms = Terms { name, grace: None, place, is_inline: true };
        let owner = &self.frame.owner;
        // SAFETY: The claim is in a `Deferred<T, E>`, which cannot outlive what `T` borrows. The turn is in `arrivals`
        // or among the children of the scope's future; that future borrows for `'env`, which the handle names
        // invariantly, and drops both when it is dropped.
        let hired = unsafe { owner.hire_borrower(terms.clone(), Carried::default(), future) };
        match hired {
            Ok((claim, turn)) => {
                lock(&self.arrivals.turns).push(Carrier(turn));
                // The handle may have travelled to another task.
                owner.node().wake();
                Deferred::new(claim)
            }
            Err((_, reason)) => Deferred::new(owner.refuse(terms, reason)),
        }
    }

    /// Registers a finalizer; see [`Scope::defer`](crate::Scope::defer). It may outlive the borrow, so it owns what
    /// it needs.
    ///
    /// # Panics
    ///
    /// When the scope has ended.
    #[track_caller]
    pub fn defer(&self, finalizer: impl Future<Output = Result<(), E>> + Send + 'static) {
        self.frame.defer(Finalizer::new(finalizer, FINALIZER_BUDGET, Location::caller()));
    }

    /// Cancels the scope; see [`Scope::cancel`](crate::Scope::cancel).
    #[track_caller]
    pub fn cancel(&self) {
        let origin = Origin::new(current().path(), Location::caller());
        self.frame.owner.cancel(&Reason::Requested(origin));
    }
}

impl<E: Fault> Clone for LocalScope<'_, E> {
    fn clone(&self) -> Self {
        Self { frame: Arc::clone(&self.frame), arrivals: Arc::clone(&self.arrivals) }
    }
}

impl<E: Fault> fmt::Debug for LocalScope<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalScope").field(&self.frame.owner).finish()
    }
}
