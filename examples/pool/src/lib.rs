//! A bounded pool on Ballet's [`Bulkhead`](ballet::Bulkhead): more workers than places, and what becomes of them.
//!
//! `worker` gives each state of a worker a type, so that illegal steps do not compile; `trace` writes down what happens,
//! in order; `story` plays a whole pool. Read them in this order. The README says what was decided, and why.

mod story;
mod trace;
mod worker;

pub use story::{Policy, Story};
pub use trace::{Event, Recorder, Step, Trace, trace};
pub use worker::{Acquired, Busy, Idle, TurnedAway};
