//! Many children of one kind, spawned by one call.

use std::panic::Location;

use super::{Child, Scope};
use crate::job::{Deferred, Fault};

impl<E: Fault, D> Scope<E, D> {
    /// Spawns each future of the iterator as a child of its own, and gives their results in the same order.
    ///
    /// All are spawned at once. To bound how many run at the same time, use [`max_concurrent`](Self::max_concurrent)
    /// or [`par_map`](crate::par_map).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::Scope;
    ///
    /// let squares = ballet::scope(async |s: Scope| {
    ///     let squares = s.spawn_all((1..=3).map(|side| async move { Ok(side * side) }));
    ///     Ok(futures_util::future::join_all(squares).await)
    /// })
    /// .await?;
    /// assert_eq!(squares, [1, 4, 9]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn spawn_all<T, F>(&self, futures: impl IntoIterator<Item = F>) -> Vec<Deferred<T, E, D>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.nameless().spawn_all(futures)
    }
}

impl<E: Fault, D> Child<'_, E, D> {
    /// Spawns each future of the iterator as a child of this name and grace; see [`Scope::spawn_all`].
    #[track_caller]
    pub fn spawn_all<T, F>(self, futures: impl IntoIterator<Item = F>) -> Vec<Deferred<T, E, D>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let Self { scope, name, grace, dispatcher, place } = self;
        let place = Some(place.unwrap_or(Location::caller()));
        let like_this = || Child { scope, name: name.clone(), grace, dispatcher, place };
        futures.into_iter().map(|future| like_this().spawn(future)).collect()
    }
}
