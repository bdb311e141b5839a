//! The two clocks: what people read, and what waits are measured by.
//!
//! The wall clock may jump in either direction at any time, so it orders nothing and no wait is the difference of two of its
//! readings where there is another way: waits are durations on Tokio's clock. What has to outlive the process is kept as wall
//! time, and whoever reads it back bounds it. Tests hand in a clock that they shift.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The wall clock, perhaps shifted by a test; cloning it is cheap, and clones are shifted together.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    shift_seconds: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's own.
    pub fn system() -> Self {
        Self::default()
    }

    /// What the wall clock says now.
    pub fn now(&self) -> Timestamp {
        let shift = SignedDuration::from_secs(self.shift_seconds.load(Ordering::Relaxed));
        Timestamp::now().saturating_add(shift).unwrap_or(Timestamp::MAX)
    }

    /// What it will say at a moment, if nobody sets it meanwhile.
    pub fn at(&self, moment: Instant) -> Timestamp {
        let left = moment.saturating_duration_since(Instant::now());
        self.now().saturating_add(left).unwrap_or(Timestamp::MAX)
    }

    /// Sets it off from the machine's by so many seconds, as an administrator or a virtual machine's resume would.
    pub fn shift(&self, seconds: i64) {
        self.shift_seconds.store(seconds, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_shifted_together() {
        let clock = Clock::system();
        let other = clock.clone();
        let before = other.now();
        clock.shift(3_600);
        assert!(other.now().duration_since(before) >= SignedDuration::from_hours(1));
    }
}
