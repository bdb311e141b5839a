//! What keeps a system up while parts of it fail or are overrun.
//!
//! A [`Supervisor`] keeps children alive by OTP's rules (`supervisor`). What stands around a single call: the
//! [`Bulkhead`], a bounded pool of places, and with it blocking work that has a bound of its own (`blocking`). How long
//! to wait before the next try says a [`Backoff`].
//! The module stands above [`crate::scope`] and may use it; it refuses to own jobs: those of a supervisor are children
//! of a scope like all others. Read `supervisor` first, or `bulkhead` for the pattern that the small ones follow.

mod backoff;
mod blocking;
mod bulkhead;
mod supervisor;

pub use backoff::Backoff;
pub use bulkhead::{Acquired, Bulkhead, Busy, Occupancy, Rejected};
pub use supervisor::{
    Census, ChildError, ChildSpec, ChildState, ChildStatus, Children, Closing, Escalation, INCIDENTS_KEPT,
    Incident, Life, READY_BUDGET, Report, Restart, STOP_PATIENCE, Strategy, Supervised, Supervisor, child,
};
