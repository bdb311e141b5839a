//! The testing kit, held to what it says: verdicts, time, order, cuts and faults.

mod support;
mod time;
mod verdicts;
