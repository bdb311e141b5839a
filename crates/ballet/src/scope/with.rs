//! A value in the context of a piece of code.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use futures_util::FutureExt;
use futures_util::future::lazy;
use pin_project_lite::pin_project;

use crate::context::{Key, Values};
use crate::dispatch::guest::Ref;
use crate::job::{Node, Watched, current};

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
    within(|| current().values().with::<K>(value), place, future)
}

/// Runs `future` in a region of its own, which is opened with `values` at the first poll.
pub(crate) fn within<F: Future>(
    values: impl FnOnce() -> Values,
    place: &'static Location<'static>,
    future: F,
) -> impl Future<Output = F::Output> {
    lazy(move |_| Within { future, region: Node::region(values(), place) }).flatten()
}

pin_project! {
    struct Within<F> {
        #[pin]
        future: F,
        region: Ref<Watched>,
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _inside = this.region.enter(cx);
        this.future.poll(cx)
    }
}
