//! Parallel maps with a limit: ordered into a `Vec`, or unordered into a body that takes results as they come.
//!
//! Both open a scope in which all fail together, and both pull items only as fast as they can be worked on. Read
//! `group` for the slots behind the first.

use std::fmt;
use std::panic::Location;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::{Scope, scope};
use crate::job::{Deferred, Error, Failure, Fault};

/// Maps `items` in parallel, at most `limit` at the same time, and gives the results in the order of the items.
///
/// Each item becomes a child of a scope of its own: an item is taken from the iterator when there is a slot for
/// it, `map` makes its future, and the child runs in parallel with the others. `map` is cloned for each item, so an
/// `async move` closure may capture whatever is cheap to clone.
///
/// # Errors
///
/// The first failure; the items at work are cancelled and awaited, and no more are taken.
///
/// # Panics
///
/// When `limit` is zero, and as [`scope`](crate::scope): a child's panic resumes here.
///
/// # Cancel safety
///
/// As [`scope`](crate::scope): the items at work are cancelled and adopted.
///
/// # Cost
///
/// A scope, a semaphore, and a child for each item.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use std::sync::Arc;
///
/// let greeting = Arc::new("hello");
/// let greetings = ballet::par_map(["Anna", "Otto"], 2, async move |name| {
///     tokio::task::yield_now().await; // ask somebody …
///     Ok::<_, ballet::Error>(format!("{greeting} {name}"))
/// })
/// .await?;
/// assert_eq!(greetings, ["hello Anna", "hello Otto"]);
/// # Ok(()) }
/// ```
#[track_caller]
pub fn par_map<T, E, I, M, F>(
    items: I,
    limit: usize,
    map: M,
) -> impl Future<Output = Result<Vec<T>, Failure<E>>>
where
    I: IntoIterator,
    M: FnOnce(I::Item) -> F + Clone,
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Fault,
{
    assert!(limit > 0, "a map of zero items at a time could never end");
    let place = Location::caller();
    scope(async move |s: Scope<E>| {
        let group = s.max_concurrent(limit);
        let (mut items, mut begun) = (items.into_iter(), Vec::new());
        while let (mut slot, Some(item)) = (group.slot().await, items.next()) {
            slot.child.place = Some(place);
            begun.push(slot.spawn(map.clone()(item)));
        }
        let mut values = Vec::with_capacity(begun.len());
        for deferred in begun {
            values.push(deferred.await);
        }
        Ok(values)
    })
}

/// Maps `items` in parallel, and lends the results to `body` in the order in which they come.
///
/// At most `limit` items are begun and not yet taken: an item is taken from the iterator when `body` asks for the
/// [next](Results::next) result. So a slow body holds back the work, and nothing piles up. When the body returns, the
/// items at work are cancelled and awaited, and no more are taken: to stop early is to return.
///
/// `map` is cloned for each item, as in [`par_map`].
///
/// # Errors
///
/// The first failure, of an item or of the body; the items at work are cancelled and awaited. An item that fails
/// while it is being cancelled counts, as in every [`scope`](crate::scope).
///
/// # Panics
///
/// When `limit` is zero, and as [`scope`](crate::scope): a child's panic resumes here.
///
/// # Cancel safety
///
/// As [`scope`](crate::scope): the items at work are cancelled and adopted.
///
/// # Examples
///
/// A fold that ends early:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::Results;
///
/// let fetch = async |page: u32| Ok(page * 100); // … over the network
/// let bytes = ballet::par_map_unordered(1.., 8, fetch, async |mut pages: Results<'_, u32>| {
///     let mut bytes = 0;
///     while let Some(page) = pages.next().await {
///         bytes += page;
///         if bytes > 1_000 {
///             break;
///         }
///     }
///     Ok(bytes)
/// })
/// .await?;
/// assert!(bytes > 1_000);
/// # Ok(()) }
/// ```
#[track_caller]
pub fn par_map_unordered<'a, T, U, E, I, M, F, B>(
    items: I,
    limit: usize,
    map: M,
    body: B,
) -> impl Future<Output = Result<U, Failure<E>>>
where
    I: IntoIterator<IntoIter: Send + 'a>,
    M: FnOnce(I::Item) -> F + Clone + Send + 'a,
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Fault,
    B: AsyncFnOnce(Results<'a, T, E>) -> Result<U, E>,
{
    assert!(limit > 0, "a map of zero items at a time could never give one");
    let place = Location::caller();
    let items = items.into_iter();
    scope(async move |s: Scope<E>| {
        let value = body(Results::new(s.clone(), items, limit, map, place)).await?;
        s.cancel_children_from(place);
        Ok(value)
    })
}

/// The results of a [`par_map_unordered`], as they come. Its example stands there.
pub struct Results<'a, T, E: Fault = Error> {
    /// Begins the next item, if there is one.
    begin: Box<dyn FnMut() -> Option<Deferred<T, E>> + Send + 'a>,
    begun: FuturesUnordered<Deferred<T, E>>,
    limit: usize,
    all_begun: bool,
}

impl<'a, T: Send + 'static, E: Fault> Results<'a, T, E> {
    fn new<I, M, F>(
        scope: Scope<E>,
        mut items: I,
        limit: usize,
        map: M,
        place: &'static Location<'static>,
    ) -> Self
    where
        I: Iterator + Send + 'a,
        M: FnOnce(I::Item) -> F + Clone + Send + 'a,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let begin = Box::new(move || {
            let future = map.clone()(items.next()?);
            let mut child = scope.nameless();
            child.place = Some(place);
            Some(child.spawn(future))
        });
        Self { begin, begun: FuturesUnordered::new(), limit, all_begun: false }
    }

    /// The next result; `None` when every item has given one.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing: the results stay and can be taken later.
    pub async fn next(&mut self) -> Option<T> {
        while !self.all_begun && self.begun.len() < self.limit {
            match (self.begin)() {
                Some(deferred) => self.begun.push(deferred),
                None => self.all_begun = true,
            }
        }
        self.begun.next().await
    }
}

impl<T, E: Fault> fmt::Debug for Results<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results").field("begun", &self.begun.len()).finish_non_exhaustive()
    }
}
