//! What can be measured, as it is asked for in one line.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Peer;

/// One measurement: what, on which runtime, by whom.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Case {
    pub scenario: Scenario,
    pub flavour: Flavour,
    pub peer: Peer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scenario {
    /// Waves of children, one wave after the other: nanoseconds for a child, spawned and joined.
    SpawnAndJoin { wave: usize, work: Work },
    /// Children that wake themselves and step back: nanoseconds for each time.
    Yield,
    /// The same by `tokio::task::yield_now`, which wakes only after Tokio has looked at IO and timers.
    TokioYield,
    /// Two children hand one baton over and back: nanoseconds for there and back.
    Switch,
    /// 1 000 children that wait for ever: nanoseconds for a child, cancelled and joined.
    CancelAndJoin,
    /// 100 000 children that sleep for 1 to 16 ms: nanoseconds for a child, spawned and joined.
    Timers,
    /// Children that wait for ever: bytes for a child, without its future.
    Idle,
}

/// What a child of a wave does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    Nothing,
    YieldOnce,
    Micros(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flavour {
    /// Tokio's multi-thread runtime with two workers.
    TwoWorkers,
    CurrentThread,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allocator {
    System,
    Mimalloc,
    /// The system's, with every byte counted.
    Counting,
}

impl Allocator {
    /// The program that was linked with it.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Allocator::System => "bench-scope-system",
            Allocator::Mimalloc => "bench-scope-mimalloc",
            Allocator::Counting => "bench-scope-counting",
        }
    }
}

impl Scenario {
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Scenario::SpawnAndJoin { .. } | Scenario::CancelAndJoin | Scenario::Timers => "ns/child",
            Scenario::Yield | Scenario::TokioYield => "ns/yield",
            Scenario::Switch => "ns/there and back",
            Scenario::Idle => "bytes/child",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scenario::SpawnAndJoin { wave, work } => write!(f, "spawn and join, {work}, waves of {wave}"),
            Scenario::Yield => f.write_str("yield"),
            Scenario::TokioYield => f.write_str("yield by Tokio's yield_now"),
            Scenario::Switch => f.write_str("switch"),
            Scenario::CancelAndJoin => f.write_str("cancel and join"),
            Scenario::Timers => f.write_str("100000 timers"),
            Scenario::Idle => f.write_str("idle child without its future"),
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::Nothing => f.write_str("nothing"),
            Work::YieldOnce => f.write_str("one yield"),
            Work::Micros(micros) => write!(f, "{micros} µs of work"),
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flavour::TwoWorkers => "2 workers",
            Flavour::CurrentThread => "current thread",
        })
    }
}

impl fmt::Display for Allocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Allocator::System => "system",
            Allocator::Mimalloc => "mimalloc",
            Allocator::Counting => "counting",
        })
    }
}
