//! The intensity of restarts: how many within which time.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How many restarts are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Intensity {
    pub(super) restarts: u32,
    pub(super) within: Duration,
}

/// The restarts that count now.
pub(super) struct Window {
    intensity: Intensity,
    /// Never more than the intensity allows, and one.
    times: VecDeque<Instant>,
}

impl Window {
    pub(super) fn new(intensity: Intensity) -> Self {
        Self { intensity, times: VecDeque::new() }
    }

    /// Counts a restart; says no where it is one too many. One that is exactly as old as the window is wide counts.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        let Intensity { restarts, within } = self.intensity;
        self.times.retain(|time| now.duration_since(*time) <= within);
        self.times.push_back(now);
        self.times.len() <= restarts as usize
    }
}
