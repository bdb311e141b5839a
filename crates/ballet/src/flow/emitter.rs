//! What the code inside a flow emits with.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};

use super::slot::Slot;

/// Emits the items of a [`flow`](fn@crate::flow), from the code inside it.
///
/// It is lent to that code and cannot leave it: no other task can emit into a flow, which keeps the items in the order
/// in which the code runs. For several tasks that emit into one flow there is [`channel_flow`](super::channel_flow).
///
/// ```compile_fail,E0521
/// # fn wrong(s: ballet::Scope) {
/// use ballet::{FlowExt, flow::{self, Emitter}};
///
/// let wrong = ballet::flow(async move |out: &mut Emitter<'_, u32>| {
///     s.spawn(async move { Ok(out.emit(1).await) }); // error: borrowed data escapes outside of async closure
/// });
/// # }
/// ```
///
/// # Examples
///
/// Code that emits may be a function of its own:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::{FlowExt, flow::Emitter};
///
/// async fn countdown(from: u32, out: &mut Emitter<'_, u32>) {
///     for number in (0..from).rev() {
///         out.emit(number).await;
///     }
/// }
///
/// let numbers = ballet::flow(async |out| {
///     countdown(2, out).await;
///     countdown(3, out).await;
/// });
/// assert_eq!(numbers.collect::<Vec<_>>().await, [1, 0, 2, 1, 0]);
/// # }
/// ```
pub struct Emitter<'a, T> {
    /// A reference, which makes `'a` invariant under `&mut`: emitters of two flows cannot be swapped.
    slot: &'a Arc<Slot<T>>,
    /// Invariant in its own right, so that the above does not hang on what a slot is made of.
    brand: std::marker::PhantomData<fn(&'a ()) -> &'a ()>,
}

impl<'a, T> Emitter<'a, T> {
    pub(super) fn new(slot: &'a Arc<Slot<T>>) -> Self {
        Self { slot, brand: std::marker::PhantomData }
    }

    /// Emits an item, and returns when the item has been taken and the next one is wanted.
    ///
    /// What stands after it in the code runs only if more is wanted: where the collector has had enough, the code is
    /// dropped here.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it returned, it has not emitted: the item is dropped with it, unless it was taken in the meantime.
    pub fn emit(&mut self, item: T) -> Emit<'_, T> {
        Emit { slot: self.slot, item: Some(item) }
    }
}

impl<T> fmt::Debug for Emitter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emitter")
    }
}

/// The future of [`Emitter::emit`].
#[must_use = "nothing is emitted unless this is awaited"]
pub struct Emit<'a, T> {
    slot: &'a Slot<T>,
    /// Until it lies in the slot.
    item: Option<T>,
}

// Nothing is pinned: the item is only moved.
impl<T> Unpin for Emit<'_, T> {}

impl<T> Future for Emit<'_, T> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        if let Some(item) = self.item.take() {
            self.slot.put(item, cx.waker());
            return Poll::Pending;
        }
        if self.slot.is_full() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl<T> Drop for Emit<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Its item still lies there, and nobody waits any more for it to be taken.
        if self.item.is_none() && self.slot.is_full() {
            drop(self.slot.take());
        }
    }
}

impl<T> fmt::Debug for Emit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emit")
    }
}
