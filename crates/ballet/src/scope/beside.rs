//! What runs beside a scope: for as long as it lasts, in the task that polls it, and waited for by nobody.
//!
//! A child would hold the scope open; what stands here ends with it. It is for watching something outside, and is
//! kept small: whoever wants work done spawns a child.

use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
#[cfg(feature = "tokio-util")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context as Poller;

#[cfg(feature = "tokio-util")]
use tokio_util::sync::CancellationToken;

use super::Scope;
use crate::dispatch::guest::Ref;
use crate::job::{Fault, Origin, Owner, Panic, Reason};
use crate::sync::ShortLock;

type Watch = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The futures beside one scope.
pub(super) struct Beside {
    /// Spares a scope that has none the lock at each poll.
    is_used: AtomicBool,
    /// What the tokens that the scope gives out are children of, once it has given one out.
    #[cfg(feature = "tokio-util")]
    pub(super) token: OnceLock<CancellationToken>,
    /// `None` once the scope has ended.
    watches: ShortLock<Option<Vec<Watch>>>,
}

impl Beside {
    pub(super) fn new() -> Self {
        Self {
            is_used: AtomicBool::new(false),
            #[cfg(feature = "tokio-util")]
            token: OnceLock::new(),
            watches: ShortLock::new(Some(Vec::new())),
        }
    }

    /// Takes a future in, to be polled with the scope; where the scope has ended, it is dropped at once.
    fn add(&self, watch: Watch) {
        if let Some(watches) = &mut *self.watches.lock() {
            watches.push(watch);
            self.is_used.store(true, Ordering::Release);
        }
    }

    pub(super) fn poll<E: Fault>(&self, owner: &Ref<Owner<E>>, cx: &mut Poller<'_>) {
        if !self.is_used.load(Ordering::Acquire) {
            return;
        }
        // Polled outside the list, to which the futures themselves may add.
        let mut watches = self.watches.lock().as_mut().map(mem::take).unwrap_or_default();
        watches.retain_mut(|watch| {
            guarded(owner, || watch.as_mut().poll(cx)).is_some_and(|polled| polled.is_pending())
        });
        if let Some(added) = &mut *self.watches.lock() {
            added.append(&mut watches);
        }
    }

    /// Drops what is left, and from now on whatever is added.
    pub(super) fn end<E: Fault>(&self, owner: &Ref<Owner<E>>) {
        // Dropped without the lock, to which their destructors may come.
        let watches = self.watches.lock().take();
        for watch in watches.into_iter().flatten() {
            guarded(owner, || drop(watch));
        }
    }
}

/// Runs code of the user's; a panic of it is the scope's.
fn guarded<E: Fault, R>(owner: &Ref<Owner<E>>, run: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|payload| owner.panicked(Panic::caught(payload, owner.node())))
        .ok()
}

impl<E: Fault, D> Scope<E, D> {
    /// Cancels the scope when `signal` ends, whatever it gives. If the scope ends first, the signal is dropped.
    ///
    /// Unlike a child, a signal does not hold the scope open. It is polled by the task that polls the scope, each time
    /// that this is, until it or the scope ends; so it should wait and not work, and there should be few.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use ballet::Scope;
    ///
    /// let (stop, stopped) = tokio::sync::oneshot::channel();
    /// let scope = ballet::scope(async |s: Scope| {
    ///     s.cancel_when(stopped);
    ///     s.spawn(std::future::pending::<Result<(), _>>());
    ///     stop.send("enough").ok();
    ///     Ok(())
    /// });
    /// assert!(scope.await.is_ok()); // the body had its value; the child was cancelled
    /// # }
    /// ```
    #[track_caller]
    pub fn cancel_when<F: Future + Send + 'static>(&self, signal: F) {
        let (owner, place) = (self.frame.owner.clone(), Location::caller());
        self.watch(async move {
            signal.await;
            owner.cancel(&Reason::Requested(Origin::new(owner.node().path(), place)));
        });
    }

    /// Runs `watch` beside the scope.
    pub(super) fn watch(&self, watch: impl Future<Output = ()> + Send + 'static) {
        self.frame.beside.add(Box::pin(watch));
        self.frame.owner.node().wake();
    }
}
