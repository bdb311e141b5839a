//! An item that brings along the context in which it was sent.

use std::fmt;
use std::panic::Location;

use futures_util::FutureExt;
use futures_util::future::lazy;
use tracing::{Instrument, Span};

use crate::context::Values;
use crate::job::current;
use crate::scope::within;

/// An item together with the context in which it was wrapped, for a hand-over that asks for it.
///
/// The code that works on an item has the context of the job that it runs in. Where it should have that of the
/// sender, as for a request that is handed to a worker, send it in one of these, and work on it in
/// [`enter`](Self::enter). What a key says of children, holds for the item: an inherited value comes along, a local
/// one does not.
///
/// # Cost
///
/// One or two reference counts to wrap; a small allocation to enter.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::channel::{self, InContext};
/// use ballet::{Context, Key, Scope};
///
/// struct Tenant;
/// impl Key for Tenant {
///     type Value = &'static str;
/// }
///
/// let (tx, rx) = channel::bounded::<InContext<&str>>(8);
/// let bill = ballet::scope(async |s: Scope| {
///     let billing = s.named("billing").spawn(async move {
///         let Some(order) = rx.recv().await? else { return Ok(String::new()) };
///         order
///             .enter(async |order: &str| {
///                 let tenant = Context::current().get(Tenant).copied().unwrap_or("nobody");
///                 Ok(format!("{order} for {tenant}"))
///             })
///             .await
///     });
///     ballet::with(Tenant, "Opera", async { tx.send(InContext::new("two seats")).await }).await?;
///     Ok(billing.await)
/// })
/// .await?;
/// assert_eq!(bill, "two seats for Opera");
/// # Ok(()) }
/// ```
pub struct InContext<T> {
    item: T,
    values: Values,
    span: Span,
    place: &'static Location<'static>,
}

impl<T> InContext<T> {
    /// Wraps an item with the context of the code that runs now: its values, its deadline and its `tracing` span.
    #[track_caller]
    pub fn new(item: T) -> Self {
        let values = current().values();
        let values = values.for_child().unwrap_or(values);
        Self { item, values, span: Span::current(), place: Location::caller() }
    }

    /// Works on the item in its context. The path stays that of the job that works; of the two deadlines the nearer
    /// one holds.
    ///
    /// # Cancel safety
    ///
    /// As `work`.
    pub fn enter<F: Future>(self, work: impl FnOnce(T) -> F) -> impl Future<Output = F::Output> {
        let Self { item, values, span, place } = self;
        let values = || values.bounded_by(current().values().deadline());
        // What `work` does before its future is polled is in the context too.
        within(values, place, lazy(|_| work(item)).flatten().instrument(span))
    }

    /// The item.
    #[must_use]
    pub fn item(&self) -> &T {
        &self.item
    }

    /// The item without its context.
    #[must_use]
    pub fn into_item(self) -> T {
        self.item
    }
}

impl<T: fmt::Debug> fmt::Debug for InContext<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InContext").field(&self.item).finish()
    }
}
