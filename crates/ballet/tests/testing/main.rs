//! The testing kit, held to what it says: verdicts, time, order, cuts and faults.

mod applied;
mod cuts;
mod faults;
mod seeds;
mod support;
mod time;
mod verdicts;
