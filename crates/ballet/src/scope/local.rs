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

use futures_util::FutureExt;
use futures_util::future::lazy;

use super::FINALIZER_BUDGET;
use super::finalizer::Finalizer;
use super::frame::Frame;
use crate::context::Name;
use crate::dispatch::Dispatcher;
use crate::job::{Deferred, Domain, Error, Failure, Fault, Origin, Reason, Terms, WithOwner, current};

/// Opens a scope whose children may borrow from the caller. It behaves as [`scope`](crate::scope) does, with one
/// difference: the children run concurrently inside the caller's task, not in parallel.
///
/// Safe Rust cannot lend the stack to another thread across an `.await`: the borrower would outlive a future that
/// is leaked. For parallel children, move or share what they need and use [`scope`](crate::scope).
///
/// # Cost
///
/// One allocation for each child and no Tokio task. The children that were woken take turns, first come, first
/// served, and the task yields to others when it has polled many of them or used up Tokio's cooperative budget.
///
/// # Errors
///
/// The first failure, or a cancellation where the scope was cancelled before its body had a value.
///
/// # Panics
///
/// Resumes the first panic of the body, a child or a finalizer. Panics outside a Tokio runtime with its timer on.
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
    Box::pin(
        lazy(move |_| {
            let frame = Frame::open_on(Dispatcher::local(), Domain::Together, current().values(), place);
            let handle = LocalScope { frame: Arc::clone(&frame), borrows: PhantomData };
            frame.run_at_once(lazy(|_| body(handle)).flatten())
        })
        .flatten(),
    )
}

/// A handle to an open [`local_scope`]: as [`Scope`](crate::Scope), for children that borrow for `'env`.
pub struct LocalScope<'env, E: Fault = Error> {
    frame: Arc<Frame<E>>,
    /// Invariant: a handle must not be taken for one whose children borrow for a shorter time.
    borrows: PhantomData<fn(&'env ()) -> &'env ()>,
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
        // SAFETY: The claim is in a `Deferred<T, E>`, which cannot outlive what `T` borrows. The body is polled and
        // dropped by the scope's future alone, or dropped before that future's destructor returns (`end_local`); and
        // that future borrows for `'env`, which this handle names invariantly. Where it is leaked, so is the body.
        let hired = unsafe { owner.hire_borrower(&terms, WithOwner, future) };
        match hired {
            Ok((claim, turn)) => {
                owner.dispatcher.schedule(turn);
                Deferred::new(claim)
            }
            Err((_, reason)) => Deferred::new(owner.refuse(&terms, &reason)),
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
        Self { frame: Arc::clone(&self.frame), borrows: PhantomData }
    }
}

impl<E: Fault> fmt::Debug for LocalScope<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalScope").field(&self.frame.owner).finish()
    }
}
