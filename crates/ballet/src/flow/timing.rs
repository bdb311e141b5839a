//! Operators that look at the clock: Tokio's, which tests make virtual.
//!
//! Their clocks run while the flow is polled, so also while its collector is busy; but the source is asked only when the
//! collector wants more. To let it run meanwhile, put a [`buffer`](crate::FlowExt::buffer) or
//! [`conflate`](crate::FlowExt::conflate) behind these.

mod debounce;
mod sample;
mod throttle;
mod timeout;
mod timer;

pub use debounce::Debounce;
pub use sample::Sample;
pub use throttle::Throttle;
pub use timeout::Timeout;

pub(super) use timer::{Timer, until_next};
