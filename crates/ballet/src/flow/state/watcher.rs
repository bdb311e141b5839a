//! Who is told of changes.

use std::any::type_name;
use std::fmt;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, ready};

use super::derived::Derived;
use super::held::{Look, News, Value};
use crate::flow::basis::{Flow, Polled};
use crate::flow::budget::Turns;
use crate::flow::error::Never;
use crate::job::waits_for;

/// One who watches a [`StateFlow`](crate::StateFlow): it is told the value, then each change, then the end. It is a
/// [`Flow`] of what it has still to be told.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (cell, state) = ballet::StateFlow::new("red");
/// let mut watcher = state.watch();
/// assert_eq!(watcher.recv().await, Some("red"));
/// cell.set("yellow");
/// cell.set("green"); // conflated: the newest counts
/// assert_eq!(watcher.recv().await, Some("green"));
/// drop(cell);
/// assert_eq!(watcher.recv().await, None);
/// # }
/// ```
pub struct Watcher<T> {
    state: Derived<T>,
    /// What it has seen of each root, in the order of the roots; and the roots' values then.
    looks: Vec<Look>,
    values: Vec<Value>,
    /// Whether those may give another value than the one told last.
    is_stale: bool,
    /// What it told last.
    told: Option<Arc<T>>,
    turns: Turns,
}

impl<T> Watcher<T> {
    pub(super) fn new(state: &Derived<T>) -> Self {
        let (looks, values) = state.roots.iter().map(|root| root.enter()).unzip();
        Self { state: state.clone(), looks, values, is_stale: true, told: None, turns: Turns::new() }
    }

    /// Receives the value if it is another than the one that was received last; at first, the value that is there. Waits
    /// while it is the same. `None` when the state has ended and its last value was received.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: a value counts as received only by the poll that returns it.
    pub async fn recv(&mut self) -> Option<T>
    where
        T: Clone + PartialEq,
    {
        let value = poll_fn(|cx| self.poll_changed(cx)).await;
        value.map(|value| T::clone(&value))
    }

    fn poll_changed(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Arc<T>>>
    where
        T: PartialEq,
    {
        loop {
            ready!(self.turns.poll(cx));
            let news = self.look(cx);
            self.is_stale |= news == News::Changed;
            if !self.is_stale {
                self.turns.waits();
                if news == News::Ended {
                    return Poll::Ready(None);
                }
                waits_for(|| format!("waits for another state of {}", type_name::<T>()));
                return Poll::Pending;
            }
            let value = self.state.of(&self.values);
            self.is_stale = false;
            if self.told.as_ref().is_none_or(|told| **told != *value) {
                self.told = Some(Arc::clone(&value));
                return Poll::Ready(Some(value));
            }
        }
    }

    /// Looks at every root: at those after one that has changed, too, so that changes that are there together are told
    /// together.
    fn look(&mut self, cx: &mut Poller<'_>) -> News {
        let seen = self.looks.iter_mut().zip(&mut self.values);
        let news =
            self.state.roots.iter().zip(seen).map(|(root, (look, value))| root.look(look, value, cx.waker()));
        news.max().unwrap_or(News::Ended)
    }
}

/// What it has still to be told.
impl<T: Clone + PartialEq> Flow for Watcher<T> {
    type Item = T;
    type Error = Never;

    fn poll_each<K>(mut self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Never>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        while let Some(value) = ready!(self.poll_changed(cx)) {
            if sink(T::clone(&value)).is_break() {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
        Poll::Ready(Ok(ControlFlow::Continue(())))
    }
}

impl<T> Drop for Watcher<T> {
    fn drop(&mut self) {
        self.state.roots.iter().zip(&self.looks).for_each(|(root, look)| root.leave(look));
    }
}

impl<T: fmt::Debug> fmt::Debug for Watcher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("told", &self.told).finish_non_exhaustive()
    }
}

/// A state ended with another value than the one that was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended(pub(super) ());

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the state ended, with another value than the one that was waited for")
    }
}

impl std::error::Error for Ended {}
