//! Bounded groups: a view of a scope that runs at most so many of its children at the same time.
//!
//! A group owns nothing but slots; its children belong to the scope like all others. It refuses to queue futures
//! that have not begun: whoever has more of them than there are slots waits, and so does whatever makes them.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::guarded::Guarded;
use super::{Child, Scope};
use crate::context::Name;
use crate::dispatch::Dispatcher;
use crate::job::{Deferred, Error, Fault, Together};

/// A view of a scope through which at most `n` children run at the same time; made by [`Scope::max_concurrent`].
///
/// Clones share the slots. Children that are spawned past the group, through the scope itself, are not counted. What
/// a child leaves behind to be adopted does not hold its slot.
///
/// # Examples
///
/// See [`Scope::max_concurrent`] and [`try_slot`](Self::try_slot).
pub struct Group<E: Fault = Error, D = Together> {
    scope: Scope<E, D>,
    slots: Arc<Semaphore>,
}

impl<E: Fault, D> Scope<E, D> {
    /// A view of this scope that runs at most `limit` of the children spawned through it at the same time.
    ///
    /// Nothing is queued: [`Group::spawn`] waits for a slot, so that a producer is as fast as its children. Slots
    /// are given in the order in which they were asked for. A child's slot is free again when its future has been
    /// dropped, whether it returned, failed, panicked or was cancelled.
    ///
    /// # Panics
    ///
    /// When `limit` is zero: nothing could ever run.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::Scope;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// static RUNNING: AtomicUsize = AtomicUsize::new(0);
    ///
    /// ballet::scope(async |s: Scope| {
    ///     let downloads = s.max_concurrent(2);
    ///     for _file in 0..10 {
    ///         downloads
    ///             .spawn(async {
    ///                 assert!(RUNNING.fetch_add(1, Ordering::Relaxed) < 2);
    ///                 tokio::task::yield_now().await; // download …
    ///                 RUNNING.fetch_sub(1, Ordering::Relaxed);
    ///                 Ok(())
    ///             })
    ///             .await; // waits for a slot, not for the file
    ///     }
    ///     Ok(())
    /// })
    /// .await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn max_concurrent(&self, limit: usize) -> Group<E, D> {
        assert!(limit > 0, "a group of zero children at a time could never run one");
        Group { scope: self.clone(), slots: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))) }
    }
}

impl<E: Fault, D> Group<E, D> {
    /// Waits for a slot and spawns a child into it; awaiting the [`Deferred`] that this gives waits for the child.
    ///
    /// On a scope that has ended or is being cancelled the future is dropped before its first poll, as in
    /// [`Scope::spawn`].
    ///
    /// A child that waits for a slot of its own group while it holds one can wait for ever: use
    /// [`try_slot`](Self::try_slot) there, or a group of its own.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it drops the child's future unpolled, and loses its place in the queue. To keep the
    /// future, await [`slot`](Self::slot) first.
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> impl Future<Output = Deferred<T, E, D>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let place = Location::caller();
        async move {
            let mut slot = self.slot().await;
            slot.child.place = Some(place);
            slot.spawn(future)
        }
    }

    /// Waits for a slot.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses only the place in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::Scope;
    /// use std::time::Duration;
    ///
    /// ballet::scope(async |s: Scope| {
    ///     let desks = s.max_concurrent(1);
    ///     let taken = desks.spawn(std::future::pending::<Result<(), _>>()).await;
    ///     let waiting = ballet::timeout(Duration::from_millis(5), desks.slot());
    ///     assert!(waiting.await.is_err());
    ///     taken.job().cancel();
    ///     desks.slot().await.named("next").spawn(async { Ok(()) });
    ///     Ok(())
    /// })
    /// .await?;
    /// # Ok(()) }
    /// ```
    pub async fn slot(&self) -> Slot<'_, E, D> {
        let permit = Arc::clone(&self.slots).acquire_owned().await;
        self.with(permit.unwrap_or_else(|_| unreachable!("the semaphore of a group is never closed")))
    }

    /// A slot, if one is free now.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::Scope;
    ///
    /// let served = ballet::scope(async |s: Scope| {
    ///     let desks = s.max_concurrent(1);
    ///     let first = desks.try_slot().map(|desk| desk.named("first").spawn(async { Ok("served") }));
    ///     let second = desks.try_slot().map(|desk| desk.named("second").spawn(async { Ok("served") }));
    ///     assert!(second.is_none()); // come back later
    ///     Ok(first.expect("the desk was free").await)
    /// })
    /// .await?;
    /// assert_eq!(served, "served");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn try_slot(&self) -> Option<Slot<'_, E, D>> {
        Arc::clone(&self.slots).try_acquire_owned().ok().map(|permit| self.with(permit))
    }

    /// How many slots are free now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.slots.available_permits()
    }

    fn with(&self, permit: OwnedSemaphorePermit) -> Slot<'_, E, D> {
        Slot { child: self.scope.nameless(), permit }
    }
}

impl<E: Fault, D> Clone for Group<E, D> {
    fn clone(&self) -> Self {
        Self { scope: self.scope.clone(), slots: Arc::clone(&self.slots) }
    }
}

impl<E: Fault, D> fmt::Debug for Group<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("scope", &self.scope).field("free", &self.free()).finish()
    }
}

/// A place in a [`Group`], held for one child. Dropped without a spawn, it is free again.
///
/// # Examples
///
/// See [`Group::slot`] and [`Group::try_slot`].
#[must_use = "a slot is held for a child: `spawn` one into it"]
pub struct Slot<'g, E: Fault = Error, D = Together> {
    pub(super) child: Child<'g, E, D>,
    permit: OwnedSemaphorePermit,
}

impl<'g, E: Fault, D> Slot<'g, E, D> {
    /// Gives the child a name; see [`Scope::named`].
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.child.name = Some(Name::Given(name.into()));
        self
    }

    /// Runs the child on this dispatcher instead of the scope's; see [`Child::on`].
    pub fn on(mut self, dispatcher: &'g Dispatcher) -> Self {
        self.child = self.child.on(dispatcher);
        self
    }

    /// Gives the child time to end by itself; see [`Child::graceful`].
    pub fn graceful(mut self, budget: Duration) -> Self {
        self.child = self.child.graceful(budget);
        self
    }

    /// Spawns the child, which holds the slot until its future is dropped; see [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<T, F>(self, future: F) -> Deferred<T, E, D>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.child.spawn(Guarded::new(future, self.permit))
    }
}

impl<E: Fault, D> fmt::Debug for Slot<'_, E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(&self.child).finish()
    }
}
