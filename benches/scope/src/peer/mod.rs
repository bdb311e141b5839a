//! Who is measured: four ways of ours, two of them in two places, then the peers. Each is one file that does two
//! things: a wave of children that all end, and a crowd of children that must be cancelled.

mod buffered;
mod executor;
mod join_set;
mod local;
mod results;
mod scope;
mod spawn;
mod tracker;
mod unordered;

pub(crate) use buffered::Buffered;
pub(crate) use executor::Guest;
pub(crate) use join_set::Set;
pub(crate) use local::Local;
pub(crate) use scope::{Awaited, OnTokio, Scope};
pub(crate) use spawn::Spawn;
pub(crate) use tracker::Tracker;
pub(crate) use unordered::Unordered;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A way to run children. It is made anew for each measurement, on the runtime that is measured.
pub(crate) trait Contender: Default + Send + Sync + 'static {
    /// Spawns `size` children, joins them all, and gives the sum of what they gave.
    fn wave<F>(
        &self,
        size: usize,
        child: impl Fn(u64) -> F + Send + Sync,
    ) -> impl Future<Output = u64> + Send
    where
        F: Future<Output = u64> + Send + 'static;

    /// Spawns `size` idle children, calls `at_rest` once all wait, then cancels and joins them.
    fn cancel(&self, size: usize, at_rest: impl FnOnce() + Send) -> impl Future<Output = ()> + Send;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Peer {
    /// `ballet::scope`, joined by the scope's end; children leave their results in a shared place.
    Scope,
    /// `ballet::scope`, each `Deferred` awaited.
    Awaited,
    /// As [`Scope`](Self::Scope), the scope opened by a job, as most are, instead of a plain Tokio task.
    InJob,
    /// As [`Awaited`](Self::Awaited), in the same place.
    AwaitedInJob,
    /// `ballet::scope` on `Dispatcher::tokio()`, otherwise as the first.
    OnTokio,
    /// `ballet::local_scope`, each `Deferred` awaited.
    Local,
    Spawn,
    JoinSet,
    Tracker,
    Executor,
    Unordered,
    Buffered,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Peer::Scope => "scope",
            Peer::Awaited => "scope, awaited",
            Peer::InJob => "scope in a job",
            Peer::AwaitedInJob => "scope in a job, awaited",
            Peer::OnTokio => "scope, on Tokio",
            Peer::Local => "local_scope",
            Peer::Spawn => "tokio::spawn",
            Peer::JoinSet => "JoinSet",
            Peer::Tracker => "TaskTracker",
            Peer::Executor => "async-executor",
            Peer::Unordered => "FuturesUnordered",
            Peer::Buffered => "futures-buffered",
        })
    }
}
