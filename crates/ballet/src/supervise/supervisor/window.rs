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
    /// Oldest first, and never more than the intensity allows.
    times: VecDeque<Instant>,
}

impl Window {
    pub(super) fn new(intensity: Intensity) -> Self {
        Self { intensity, times: VecDeque::new() }
    }

    /// Counts a restart; says no where it is one too many. One that is exactly as old as the window is wide counts.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        let Intensity { restarts, within } = self.intensity;
        while self.times.front().is_some_and(|time| now.duration_since(*time) > within) {
            self.times.pop_front();
        }
        let is_admitted = self.times.len() < restarts as usize;
        self.times.extend(is_admitted.then_some(now));
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_counts_until_it_is_older_than_the_window_is_wide() {
        let (mut window, began) = (window(2, 10), Instant::now());
        let admitted = [0, 4, 10, 11, 14, 15].map(|second| window.admit(began + Duration::from_secs(second)));
        assert_eq!(admitted, [true, true, false, true, false, true]);
    }

    /// Looking at all of them each time would take minutes here.
    #[test]
    fn a_restart_costs_the_same_however_many_count() {
        let (mut window, now) = (window(u32::MAX, 10), Instant::now());
        assert!((0..300_000).all(|_| window.admit(now)));
    }

    #[test]
    fn what_is_not_admitted_takes_no_room() {
        let (mut window, now) = (window(3, 10), Instant::now());
        assert_eq!((0..100).filter(|_| window.admit(now)).count(), 3);
        assert_eq!(window.times.len(), 3);
    }

    fn window(restarts: u32, seconds: u64) -> Window {
        Window::new(Intensity { restarts, within: Duration::from_secs(seconds) })
    }
}
