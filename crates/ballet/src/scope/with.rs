//! A value in the context of a piece of code.

use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;

use crate::context::Key;
use crate::job::{Node, current};

/// Runs `future` with `value` in its [`Context`](crate::Context) under `key`; what stood there before is hidden.
///
/// Code in the future sees it, and so do the scopes that are opened there and, as the key's
/// [`INHERITANCE`](Key::INHERITANCE) says, their children. A child that is spawned there into a scope further out
/// does not: it has the context of the scope that owns it. To give a value to one child, wrap the child's future.
///
/// # Cost
///
/// Four small allocations, and a copy of the table of values: a row for each key in use.
///
/// # Cancel safety
///
/// As `future`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Context, Key, Scope};
///
/// struct Locale;
/// impl Key for Locale {
///     type Value = String;
/// }
///
/// async fn greeting() -> Result<&'static str, ballet::Error> {
///     Ok(match Context::current().get(Locale).map(String::as_str) {
///         Some("cy") => "Bore da",
///         _ => "Good morning",
///     })
/// }
///
/// ballet::scope(async |s: Scope| {
///     let welsh = s.named("welsh").spawn(ballet::with(Locale, "cy".into(), greeting()));
///     let plain = s.named("plain").spawn(greeting());
///     assert_eq!((welsh.await, plain.await), ("Bore da", "Good morning"));
///     Ok(())
/// })
/// .await?;
/// # Ok(()) }
/// ```
#[track_caller]
pub fn with<K: Key, F: Future>(_: K, value: K::Value, future: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move {
        let region = Node::region(current().values().with::<K>(value), place);
        let mut future = pin!(future);
        poll_fn(|cx| {
            let _inside = region.enter(cx);
            future.as_mut().poll(cx)
        })
        .await
    }
}
