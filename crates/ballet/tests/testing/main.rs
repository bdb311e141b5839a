//! The testing kit, held to what it says: verdicts, time, order, cuts and faults.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

mod applied;
mod cuts;
mod faults;
mod seeds;
mod support;
mod time;
mod verdicts;
