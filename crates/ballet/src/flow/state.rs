//! The hot flow that tells the newest value: conflated, distinct, and never without a value.
//!
//! A value is *held* by a [`StateCell`] (`held`, `cell`); a [`StateFlow`] reads it, or what is `derived` from it; a
//! [`Watcher`] tells of changes (`watcher`). A derived state holds nothing: it is a function of held values, its
//! *roots*, and whoever watches it waits for the roots. So it needs no job and no scope. Each look takes every root's
//! value once and derives from those: what hangs from one root by two ways is never derived from two of its values.

mod cell;
mod derived;
mod held;
mod watcher;

pub use cell::StateCell;
pub use watcher::{Ended, Watcher};

use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context as Poller;

use super::basis::{Flow, Polled};
use super::error::Never;
use derived::Derived;
use held::Held;

/// A hot flow that has a value at any time, and tells watchers when it is another.
///
/// This is the reading side; cloning it is one or two reference counts. The writing side is the [`StateCell`] that came
/// with it, and when the last of those is dropped, the state *ends*: it keeps its value, and watchers are told the end.
///
/// It is *conflated*: a watcher that is busy finds the newest value when it comes back, and not those between. It is
/// *distinct*: a watcher is told no value twice in a row, so a value that changed and changed back while it was busy
/// tells it nothing. Whoever must see every value takes a [`SharedFlow`](crate::SharedFlow).
///
/// # Cost
///
/// One value, whoever watches. Setting it is one allocation, two uncontended locks, and a wake-up for each watcher that
/// waits; looking at it is one lock. A watcher keeps the value that it told last.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Scope, StateFlow};
///
/// let (temperature, shown) = StateFlow::new(20);
/// let is_frost = shown.clone().map(|celsius| *celsius < 0);
/// ballet::scope(async |s: Scope| {
///     let warn = s.spawn(async move { Ok(is_frost.wait_for(|is_frost| *is_frost).await?) });
///     for celsius in [10, 1, -2] {
///         temperature.set(celsius);
///     }
///     assert!(warn.await);
///     Ok(())
/// })
/// .await?;
/// assert_eq!(shown.value(), -2);
/// # Ok(()) }
/// ```
pub struct StateFlow<T> {
    derived: Derived<T>,
    /// Once it is polled as a flow.
    watching: Option<Watcher<T>>,
}

impl<T: Send + Sync + 'static> StateFlow<T> {
    /// A state with its first value, and the cell that sets it.
    #[must_use]
    pub fn new(value: T) -> (StateCell<T>, Self) {
        let held = Arc::new(Held::new(value));
        (StateCell::new(&held), Self::held(&held))
    }

    fn held(held: &Arc<Held<T>>) -> Self {
        Self::of(Derived::held(held))
    }

    /// The value now.
    #[must_use]
    pub fn value(&self) -> T
    where
        T: Clone,
    {
        T::clone(&self.derived.value())
    }

    /// Begins to watch: the watcher is told the value of the moment at which it first looks, then each change.
    #[must_use]
    pub fn watch(&self) -> Watcher<T> {
        Watcher::new(&self.derived)
    }

    /// Waits for a value that `is_wanted`; returns at once where the value is one.
    ///
    /// It looks at values as a [`Watcher`] does: one that is there only for a moment may be missed.
    ///
    /// # Errors
    ///
    /// [`Ended`]: the state ended with a value that is not wanted.
    ///
    /// # Cancel safety
    ///
    /// It has nothing to lose.
    pub async fn wait_for(&self, mut is_wanted: impl FnMut(&T) -> bool) -> Result<T, Ended>
    where
        T: Clone + PartialEq,
    {
        let mut watcher = self.watch();
        while let Some(value) = watcher.recv().await {
            if is_wanted(&value) {
                return Ok(value);
            }
        }
        Err(Ended(()))
    }

    /// The state that is a function of this one.
    ///
    /// It holds nothing and runs nothing: `derive` is called by whoever looks at it, once for each look, and by each
    /// watcher once for each change of this state. It ends when this state ends.
    ///
    /// # Examples
    ///
    /// ```
    /// let (cell, cents) = ballet::StateFlow::new(250);
    /// let euros = cents.map(|cents| cents / 100);
    /// cell.set(399);
    /// assert_eq!(euros.value(), 3);
    /// ```
    #[must_use]
    pub fn map<U>(self, derive: impl Fn(&T) -> U + Send + Sync + 'static) -> StateFlow<U>
    where
        U: Send + Sync + 'static,
    {
        StateFlow::of(self.derived.map(derive))
    }

    /// The state that is a function of this one and another.
    ///
    /// As [`map`](Self::map). It ends when both have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// let (width, w) = ballet::StateFlow::new(3);
    /// let (_height, h) = ballet::StateFlow::new(4);
    /// let area = w.combine(h, |w, h| w * h);
    /// width.set(5);
    /// assert_eq!(area.value(), 20);
    /// ```
    #[must_use]
    pub fn combine<U, V>(
        self,
        other: StateFlow<U>,
        derive: impl Fn(&T, &U) -> V + Send + Sync + 'static,
    ) -> StateFlow<V>
    where
        U: Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        StateFlow::of(self.derived.combine(other.derived, derive))
    }

    /// Whether it has ended: its value is its last.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.derived.is_ended()
    }
}

impl<T> StateFlow<T> {
    fn of(derived: Derived<T>) -> Self {
        Self { derived, watching: None }
    }
}

/// Watches from its first poll on.
impl<T: Clone + PartialEq> Flow for StateFlow<T> {
    type Item = T;
    type Error = Never;

    fn poll_each<K>(mut self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Never>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        let Self { derived, watching } = &mut *self;
        Pin::new(watching.get_or_insert_with(|| Watcher::new(derived))).poll_each(cx, sink)
    }
}

/// Another handle, which does not watch.
impl<T> Clone for StateFlow<T> {
    fn clone(&self) -> Self {
        Self::of(self.derived.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for StateFlow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StateFlow").field(&self.derived.value()).finish()
    }
}
