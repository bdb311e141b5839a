//! What keeps a system up while parts of it fail or are overrun.
//!
//! A [`Supervisor`] keeps children alive by OTP's rules (`supervisor`). Around a single call stand, to be nested in each
//! other: [`Retry`] (try again), [`Breaker`] (leave alone what is down), [`RateLimiter`] (so many in so much time),
//! [`Hedge`] (do not wait for the slow tail) and [`Bulkhead`] (so many at once), the last with blocking work that has a
//! bound of its own (`blocking`). How long to wait before the next try says a [`Backoff`]. All of them read Tokio's
//! clock, so virtual time moves them, and whoever waits in one says so in the tree.
//! The module stands above [`crate::scope`] and may use it; it refuses to own jobs: those of a supervisor are children
//! of a scope like all others. Read `supervisor` first, or `bulkhead` for the pattern that the small ones follow.

mod backoff;
mod blocking;
mod breaker;
mod bulkhead;
mod hedge;
mod limiter;
mod retry;
mod supervisor;

pub use backoff::Backoff;
pub use breaker::{Admission, Breaker, BreakerOpen, BreakerState, Trip};
pub use bulkhead::{Acquired, Bulkhead, Busy, Occupancy, Rejected};
pub use hedge::Hedge;
pub use limiter::{Limited, Rate, RateLimiter};
pub use retry::{Again, Retries, Retry, RetryBudget, RetryWhen, SERVER_DELAY_MAX};
pub use supervisor::{
    Census, ChildError, ChildSpec, ChildState, ChildStatus, Children, Closing, Escalation, INCIDENTS_KEPT,
    Incident, Life, READY_BUDGET, Report, Restart, STOP_PATIENCE, Strategy, Supervised, Supervisor, child,
};
