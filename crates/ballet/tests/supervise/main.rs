//! Supervisors: order, restarts, escalation, handles, and how they end. The cases of the conformance list stand in
//! `tests/conformance`.

mod children;
mod closing;
mod escalation;
mod late;
mod model;
mod nesting;
mod order;
mod panics;
mod restarts;
mod script;
mod significance;
mod storm;
