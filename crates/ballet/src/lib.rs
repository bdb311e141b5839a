//! [guide]: crate::guide
//! [`flow`]: fn@flow
//! [`child`]: fn@child
//! [`tree`]: fn@tree
#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod channel;
mod context;
mod dispatch;
pub mod flow;
#[cfg(doc)]
pub mod guide;
mod job;
mod lifecycle;
pub mod observe;
mod scope;
mod supervise;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;

pub use context::{Context, Inheritance, InvalidTraceParent, Key, Path, SpanId, Trace, TraceId, TraceParent};
pub use dispatch::{Dispatcher, yield_now};
pub use flow::{Flow, FlowExt, SharedFlow, Sharing, StateFlow, flow};
pub use job::{
    Deferred, Error, Failure, Fault, Isolated, Job, Origin, Outcome, Panic, Reason, Together, tree,
};
pub use lifecycle::{Curtain, Departure, Ending, Phase, Phases, Stage, component, draining};
pub use scope::{
    BLOCKING_PLACES, Cancel, Child, Elapsed, Escaped, FINALIZER_BUDGET, Group, Hook, Lent, LocalScope,
    NotReady, Ready, Results, Scope, Slot, SpawnError, SupervisorScope, adopt, cancelled, fault_point,
    local_scope, par_map, par_map_unordered, race, race_ok, scope, scope_with, shield, supervisor_scope,
    timeout, with,
};
#[cfg(feature = "tower")]
pub use scope::{ScopeLayer, ScopeService};
pub use supervise::{
    Acquired, Admission, Again, Backoff, Breaker, BreakerOpen, BreakerState, Bulkhead, Busy, Hedge, Limited,
    Occupancy, Rate, RateLimiter, Rejected, Retries, Retry, RetryBudget, RetryWhen, SERVER_DELAY_MAX, Trip,
};
pub use supervise::{
    Census, ChildError, ChildSpec, ChildState, ChildStatus, Children, Closing, Escalation, INCIDENTS_KEPT,
    Incident, Life, READY_BUDGET, Report, Restart, STOP_PATIENCE, Strategy, Supervised, Supervisor, child,
};

pub use ballet_macros::main;
#[cfg(feature = "testing")]
pub use ballet_macros::test;

/// What the attribute macros call.
#[doc(hidden)]
pub mod __private {
    pub use crate::lifecycle::main;
}
