//! The writing handle of a state.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use super::StateFlow;
use super::held::Held;
use crate::flow::audience::{Listening, Venue, Wanted};

/// The writing side of a [`StateFlow`]: it sets the value.
///
/// Cloning it is one reference count; all clones set the same value. When the last is dropped, the state ends.
///
/// `T`'s `PartialEq` decides what a change is: a value that equals the one that is there changes nothing and tells nobody.
///
/// # Examples
///
/// ```
/// use ballet::StateFlow;
///
/// let (visits, shown) = StateFlow::new(0);
/// visits.set(41);
/// visits.update(|visits| visits + 1);
/// assert!(visits.compare_and_set(&42, 0));
/// assert!(!visits.compare_and_set(&42, 7));
/// assert_eq!(shown.value(), 0);
/// ```
pub struct StateCell<T>(Arc<LastOne<T>>);

/// What all cells of a state hold: its drop is the drop of the last one.
struct LastOne<T>(Arc<Held<T>>);

impl<T> Drop for LastOne<T> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<T: Send + Sync + 'static> StateCell<T> {
    pub(super) fn new(held: &Arc<Held<T>>) -> Self {
        Self(Arc::new(LastOne(Arc::clone(held))))
    }

    /// The value now.
    #[must_use]
    pub fn value(&self) -> T
    where
        T: Clone,
    {
        T::clone(&self.held().value())
    }

    /// Sets the value.
    pub fn set(&self, value: T)
    where
        T: PartialEq,
    {
        let Ok(()) = self.held().write(|_| Ok::<_, Infallible>(value));
    }

    /// Sets what `compute` makes of the value. No other write comes between, and readers see the old value meanwhile.
    ///
    /// `compute` must not write to this state, which would wait for itself. If it panics, nothing has changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::{Scope, StateFlow};
    ///
    /// let (cell, state) = StateFlow::new(0);
    /// ballet::scope(async |s: Scope| {
    ///     for _ in 0..100 {
    ///         let cell = cell.clone();
    ///         s.spawn(async move { Ok(cell.update(|count| count + 1)) });
    ///     }
    ///     Ok(())
    /// })
    /// .await?;
    /// assert_eq!(state.value(), 100);
    /// # Ok(()) }
    /// ```
    pub fn update(&self, compute: impl FnOnce(&T) -> T)
    where
        T: PartialEq,
    {
        let Ok(()) = self.held().write(|value| Ok::<_, Infallible>(compute(value)));
    }

    /// Sets the value to `new` if it equals `expected`, and says whether it did.
    #[must_use]
    pub fn compare_and_set(&self, expected: &T, new: T) -> bool
    where
        T: PartialEq,
    {
        self.held().write(|value| if value == expected { Ok(new) } else { Err(new) }).is_ok()
    }

    /// The reading side.
    #[must_use]
    pub fn flow(&self) -> StateFlow<T> {
        StateFlow::held(self.held())
    }

    /// Waits until somebody watches the state, or one that is derived from it; returns at once where somebody does.
    ///
    /// # Cancel safety
    ///
    /// It has no result to lose.
    pub async fn wait_watched(&self) {
        self.audience(Wanted::Somebody).await;
    }

    /// Waits until nobody watches the state, nor one that is derived from it; returns at once where nobody does.
    ///
    /// # Cancel safety
    ///
    /// It has no result to lose.
    pub async fn wait_unwatched(&self) {
        self.audience(Wanted::Nobody).await;
    }

    pub(in crate::flow) fn audience(&self, wanted: Wanted) -> Listening<'_, Held<T>> {
        Listening::new(&**self.held(), wanted)
    }

    pub(in crate::flow) fn visits(&self) -> u64 {
        self.held().with_audience(|audience| audience.visits())
    }

    fn held(&self) -> &Arc<Held<T>> {
        &self.0.0
    }
}

impl<T> Clone for StateCell<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for StateCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StateCell").field(&self.0.0.value()).finish()
    }
}
