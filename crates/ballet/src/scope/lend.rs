//! Values that are lent: children hold them as long as they live, and they come home when the last has let go.
//!
//! [`scope_with`] lends one for the length of a scope; `acquire` lends a resource until its finalizer runs.

use std::any::type_name;
use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::{Scope, scope};
use crate::job::{Failure, Fault};

/// A handle to a lent value: it dereferences to the value, and cloning is one reference count.
///
/// The value is owned by whoever lent it, and goes back there when the last handle is dropped. A handle is for the
/// body and the children of the scope in which it was lent; nothing stops it from leaving, and then the value comes
/// home late. What happens in that case is said at [`scope_with`] and [`Scope::acquire`].
///
/// A handle that is leaked with `mem::forget` keeps the value for ever.
///
/// # Examples
///
/// See [`scope_with`] and [`Scope::acquire`].
pub struct Lent<V>(Arc<Loan<V>>);

/// The value on its way: its drop, with the last handle, sends it home.
struct Loan<V> {
    /// Taken only by the drop.
    value: Option<V>,
    home: Option<oneshot::Sender<V>>,
}

impl<V> Drop for Loan<V> {
    fn drop(&mut self) {
        if let (Some(value), Some(home)) = (self.value.take(), self.home.take()) {
            // Where nobody waits at home any more, the value is dropped here.
            drop(home.send(value));
        }
    }
}

/// Lends `value`; the second half waits for it at home.
pub(super) fn lend<V>(value: V, place: &'static Location<'static>) -> (Lent<V>, Escaped<V>) {
    let (home, returned) = oneshot::channel();
    (Lent(Arc::new(Loan { value: Some(value), home: Some(home) })), Escaped { returned, place })
}

impl<V> Deref for Lent<V> {
    type Target = V;

    fn deref(&self) -> &V {
        match &self.0.value {
            Some(value) => value,
            None => unreachable!("only its drop takes the value out of a loan"),
        }
    }
}

impl<V> Clone for Lent<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: fmt::Debug> fmt::Debug for Lent<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lent").field(&**self).finish()
    }
}

/// A lent value did not come home with its scope: a [`Lent`] has left it and is still held.
///
/// It is not lost: [`returned`](Self::returned) waits for it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Lent, Scope};
///
/// let (smuggled, score) = ballet::scope_with("score".to_owned(), async |_: Scope, score| Ok(score)).await;
/// let escaped = score.unwrap_err();
/// let smuggled: Lent<String> = smuggled?;
/// drop(smuggled);
/// assert_eq!(escaped.returned().await, "score");
/// # Ok(()) }
/// ```
pub struct Escaped<V> {
    returned: oneshot::Receiver<V>,
    place: &'static Location<'static>,
}

impl<V> Escaped<V> {
    /// The line that lent the value.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Waits until the last handle is dropped, and gives the value. Dropping this future drops the value with that
    /// handle.
    pub async fn returned(self) -> V {
        let value = self.returned.await;
        value.unwrap_or_else(|_| {
            unreachable!("the drop of a loan sends the value before it drops the way home")
        })
    }

    /// The value, if it is at home.
    pub(super) fn look(mut self) -> Result<V, Self> {
        self.returned.try_recv().map_err(|_| self)
    }
}

impl<V> fmt::Display for Escaped<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, .. } = self;
        write!(f, "a `{}` that was lent at {place} has left its scope and is still held", type_name::<V>())
    }
}

impl<V> fmt::Debug for Escaped<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Escaped({self})")
    }
}

impl<V> std::error::Error for Escaped<V> {}

/// Opens a [`scope`](crate::scope), lends it `value`, and hands the value back when the body and every descendant have
/// ended, beside the scope's result.
///
/// This is the parallel twin of borrowing: children that run on other threads cannot borrow from the caller's stack,
/// so the value moves in and comes back out. Children read it through clones of the [`Lent`]; to change it, lend a
/// `Mutex` or an atomic.
///
/// The value comes back whether the scope succeeded or failed.
///
/// # Errors
///
/// The first half is what [`scope`](crate::scope) gives. The second is [`Escaped`] where a handle has left the scope,
/// as a part of the body's value for instance.
///
/// # Panics
///
/// As [`scope`](crate::scope). The value is dropped then.
///
/// # Cancel safety
///
/// As [`scope`](crate::scope). The value is dropped when the last adopted child that holds it has ended.
///
/// # Cost
///
/// A scope and two allocations.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Lent, Scope};
///
/// let words = vec!["one".to_owned(), "three".to_owned()];
/// let (longest, words) = ballet::scope_with(words, async |s: Scope, words: Lent<Vec<String>>| {
///     let lengths = s.spawn_all((0..words.len()).map(|index| {
///         let words = words.clone();
///         async move { Ok(words[index].len()) }
///     }));
///     Ok(futures_util::future::join_all(lengths).await.into_iter().max())
/// })
/// .await;
/// assert_eq!(longest?, Some(5));
/// assert_eq!(words?.len(), 2); // the very same vector
/// # Ok(()) }
/// ```
#[track_caller]
pub fn scope_with<V, T, E, B>(
    value: V,
    body: B,
) -> impl Future<Output = (Result<T, Failure<E>>, Result<V, Escaped<V>>)>
where
    B: AsyncFnOnce(Scope<E>, Lent<V>) -> Result<T, E>,
    E: Fault,
{
    let (lent, home) = lend(value, Location::caller());
    let scope = scope(move |s: Scope<E>| body(s, lent));
    scope.map(|result| (result, home.look()))
}
