//! How long until a source is visited again while all is well.
//!
//! A visit that brings something new halves the interval, one that does not makes it a quarter longer, between the floor and
//! the ceiling: a busy feed is soon read every few minutes and a dead one once a day, without anybody saying so. Each wait is
//! drawn from a tenth around the interval, so that sources that began together do not stay together.

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::config::Pace;

/// A source's schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rhythm {
    pace: Pace,
    interval: Duration,
}

impl Rhythm {
    /// Goes on with the interval that it had come to; the first one is the floor.
    pub(super) fn resume(pace: Pace, interval: Option<Duration>) -> Self {
        Self { pace, interval: interval.unwrap_or(pace.floor).clamp(pace.floor, pace.ceiling) }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn adapt(&mut self, brought_news: bool) {
        let interval = if brought_news { self.interval / 2 } else { self.interval + self.interval / 4 };
        self.interval = interval.clamp(self.pace.floor, self.pace.ceiling);
    }

    /// The next wait: within a tenth of the interval, and never below the floor.
    pub(super) fn wait(&self, rng: &mut impl Rng) -> Duration {
        self.interval.mul_f64(rng.random_range(0.9..=1.1)).max(self.pace.floor)
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const PACE: Pace = Pace { floor: Duration::from_secs(60), ceiling: Duration::from_secs(3_600) };

    #[test]
    fn a_busy_source_comes_to_the_floor_and_a_dead_one_to_the_ceiling() {
        let mut rhythm = Rhythm::resume(PACE, Some(Duration::from_secs(600)));
        (0..10).for_each(|_| rhythm.adapt(true));
        assert_eq!(rhythm.interval(), PACE.floor);
        (0..30).for_each(|_| rhythm.adapt(false));
        assert_eq!(rhythm.interval(), PACE.ceiling);
    }

    #[test]
    fn waits_lie_around_the_interval_and_not_below_the_floor() {
        let mut rng = StdRng::seed_from_u64(7);
        let rhythm = Rhythm::resume(PACE, Some(Duration::from_secs(600)));
        let waits: Vec<_> = (0..100).map(|_| rhythm.wait(&mut rng).as_secs()).collect();
        assert!(waits.iter().all(|wait| (540..=660).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait < 580) && waits.iter().any(|wait| *wait > 620));
        let at_floor = Rhythm::resume(PACE, None);
        assert!((0..100).all(|_| at_floor.wait(&mut rng) >= PACE.floor));
    }

    #[test]
    fn an_interval_of_other_settings_is_brought_within_these() {
        assert_eq!(Rhythm::resume(PACE, Some(Duration::from_secs(1))).interval(), PACE.floor);
        assert_eq!(Rhythm::resume(PACE, Some(Duration::from_secs(99_999))).interval(), PACE.ceiling);
    }
}
