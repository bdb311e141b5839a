//! Scopes: who starts whom, who fails with whom, and who waits for whom.
//!
//! [`scope`] and [`supervisor_scope`] open one; a [`Scope`] is the handle that spawns into it. This module decides
//! how a scope begins and ends (`frame`), what runs at its end (`finalizer`), what must not be cut (`shield`), what
//! must not last (`timeout`), what its code finds in its context (`with`), and how children may borrow (`local`). What
//! a single job is stands in [`crate::job`].
//! On these stand the combinators: many children at once (`spawn_all`, `group`, `map`, `race`), a child that says
//! when it is ready (`start`), and values that a scope lends out and takes back (`lend`, `acquire`).
//! What cannot be dropped half-way, because it blocks a thread, is a child too (`blocking`), and is asked to end
//! through flags and hooks (`interrupt`).
//! Where scopes meet other libraries stands in `adopt` (their tasks), `token` and `beside` (their cancellation) and
//! `request` (HTTP).
//! No call here detaches a job, and none takes a parent: the scope whose handle you were given is the owner.

mod acquire;
mod adopt;
mod beside;
mod blocking;
mod fault_point;
mod finalizer;
mod frame;
mod group;
mod guarded;
mod handle;
mod held;
mod interrupt;
mod lend;
mod local;
mod map;
mod race;
#[cfg(feature = "tower")]
mod request;
mod shield;
mod spawn_all;
mod start;
mod timeout;
#[cfg(feature = "tokio-util")]
mod token;
mod with;

pub use adopt::adopt;
pub use blocking::BLOCKING_PLACES;
pub use fault_point::fault_point;
#[cfg(feature = "testing")]
pub(crate) use fault_point::{Deed, FaultRules, Rules, When};
pub use finalizer::FINALIZER_BUDGET;
pub use group::{Group, Slot};
pub use handle::{Child, Scope, SpawnError, SupervisorScope};
pub use interrupt::{Cancel, Hook};
pub use lend::{Escaped, Lent, scope_with};
pub use local::{LocalScope, local_scope};
pub use map::{Results, par_map, par_map_unordered};
pub use race::{race, race_ok};
#[cfg(feature = "tower")]
pub use request::{ScopeLayer, ScopeService};
pub use shield::{cancelled, shield};
pub use start::{NotReady, Ready};
pub use timeout::{Elapsed, timeout};
pub use with::with;

pub(crate) use frame::Frame;
pub(crate) use held::Held;
pub(crate) use start::{Starting, begin};
pub(crate) use with::within;

use std::panic::Location;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::lazy;

use crate::job::{Domain, Failure, Fault, current};

/// Opens a scope in which all fail together, runs `body` in it, and returns when the body and every descendant
/// have ended and every finalizer has run.
///
/// The first failure, of the body or of any child, is recorded; then the rest is cancelled; and when all have ended
/// the scope returns that failure, with the later ones as [`suppressed`](Failure::suppressed). A panic in a child
/// cancels its siblings at once and resumes here.
///
/// Children run in parallel on the runtime that polls the scope. To let children borrow from the caller, use
/// [`local_scope`]; to let a child fail alone, [`supervisor_scope`].
///
/// # Errors
///
/// The first failure, or a cancellation where the scope was [cancelled](Scope::cancel) before its body had a value.
///
/// # Panics
///
/// Resumes the first panic of the body, a child or a finalizer. Panics outside a Tokio runtime with its timer on.
///
/// # Cancel safety
///
/// When the future is dropped half-way, the children are cancelled at once and adopted by the nearest enclosing job
/// or scope, or by the root: it waits for them, and their finalizers still run. Nothing is orphaned.
///
/// # Cost
///
/// The scope is a node in the tree and a few allocations; its future is as large as its body's and some hundred bytes.
/// A child is one allocation, which holds its node, its future and later its outcome, and no Tokio task: it is polled
/// by a lane of the runtime, one long-running task for each worker. See [`Dispatcher`](crate::Dispatcher) for other
/// places to run.
///
/// # Examples
///
/// ```
/// # async fn fetch_user() -> Result<&'static str, ballet::Error> { Ok("Anna") }
/// # async fn fetch_orders() -> Result<u32, ballet::Error> { Ok(3) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::Scope;
///
/// let page = ballet::scope(async |s: Scope| {
///     let user = s.spawn(fetch_user());
///     let orders = s.spawn(fetch_orders());
///     Ok((user.await, orders.await)) // a failure of either ends both
/// })
/// .await?;
/// assert_eq!(page, ("Anna", 3));
/// # Ok(()) }
/// ```
#[track_caller]
pub fn scope<T, E, B>(body: B) -> impl Future<Output = Result<T, Failure<E>>>
where
    B: AsyncFnOnce(Scope<E>) -> Result<T, E>,
    E: Fault,
{
    let place = Location::caller();
    lazy(move |_| {
        let frame = Frame::open(Domain::Together, current().values(), place);
        let handle = Scope::new(Arc::clone(&frame));
        frame.run_at_once(lazy(|_| body(handle)).flatten())
    })
    .flatten()
}

/// Opens a scope in which a child's failure stays the child's, runs `body` in it, and returns when the body and
/// every descendant have ended and every finalizer has run.
///
/// Awaiting a child gives a `Result`. A failure that nobody awaits goes to the scope's
/// [`on_failure`](SupervisorScope::on_failure) sink, exactly once. A failure of the body itself cancels the children.
///
/// # Errors
///
/// The body's error, or a cancellation where the scope was [cancelled](Scope::cancel) before its body had a value.
///
/// # Panics
///
/// Resumes a panic of the body or of a finalizer; a child's panic is an outcome. Panics outside a Tokio runtime with
/// its timer on.
///
/// # Cancel safety
///
/// As [`scope`].
///
/// # Examples
///
/// ```
/// # async fn fetch_user() -> Result<&'static str, ballet::Error> { Ok("Anna") }
/// # async fn fetch_stock() -> Result<u32, ballet::Error> { Err(ballet::Error::msg("no answer")) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::SupervisorScope;
///
/// let page = ballet::supervisor_scope(async |s: SupervisorScope| {
///     let user = s.named("user").spawn(fetch_user());
///     let stock = s.named("stock").spawn(fetch_stock());
///     Ok((user.await?, stock.await.ok())) // no stock: a degraded page
/// })
/// .await?;
/// assert_eq!(page, ("Anna", None));
/// # Ok(()) }
/// ```
#[track_caller]
pub fn supervisor_scope<T, E, B>(body: B) -> impl Future<Output = Result<T, Failure<E>>>
where
    B: AsyncFnOnce(SupervisorScope<E>) -> Result<T, E>,
    E: Fault,
{
    let place = Location::caller();
    lazy(move |_| {
        let frame = Frame::open(Domain::Isolated, current().values(), place);
        let handle = Scope::new(Arc::clone(&frame));
        frame.run_at_once(lazy(|_| body(handle)).flatten())
    })
    .flatten()
}
