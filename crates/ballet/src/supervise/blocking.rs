//! Blocking work with a bound of the user's own: the bound is a bulkhead.

use super::{Bulkhead, Rejected};
use crate::job::{Deferred, Fault};
use crate::scope::{Cancel, Child};

impl<E: Fault + From<Rejected>, D> Child<'_, E, D> {
    /// Runs `work`, which may block, as this child, in a place of `bulkhead`: as [`blocking`](crate::Scope::blocking),
    /// with that bound instead of the one of the process. The place is busy until the work has ended on its thread.
    ///
    /// Where the bulkhead is [closed](Bulkhead::close) first, the child fails with [`Rejected`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::{Bulkhead, Scope};
    ///
    /// let decoders = Bulkhead::new("decoders", 2);
    /// let sizes = ballet::scope(async |s: Scope| {
    ///     let decode = |image: &'static str| s.named("decode").blocking_in(&decoders, move |_| Ok(image.len()));
    ///     let (first, second, third) = (decode("sun"), decode("moon"), decode("stars")); // two at a time
    ///     Ok([first.await, second.await, third.await])
    /// })
    /// .await?;
    /// assert_eq!(sizes, [3, 4, 5]);
    /// assert_eq!(decoders.occupancy().granted, 3);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn blocking_in<T, W>(self, bulkhead: &Bulkhead, work: W) -> Deferred<T, E, D>
    where
        W: FnOnce(&Cancel) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        let bulkhead = bulkhead.clone();
        self.on_thread(async move { Ok(bulkhead.acquire().await?.begin()) }, work)
    }
}
