//! Structured concurrency for Rust on Tokio.

mod context;
mod dispatch;
mod job;
pub mod observe;
mod scope;

pub use context::{Context, Path};
pub use job::{
    Deferred, Error, Failure, Fault, Isolated, Job, Origin, Outcome, Panic, Reason, Together, tree,
};
pub use scope::{
    Child, Elapsed, FINALIZER_BUDGET, LocalScope, Scope, SpawnError, SupervisorScope, cancelled, local_scope,
    scope, shield, supervisor_scope, timeout,
};
