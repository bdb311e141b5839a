//! When a source that keeps panicking is left alone.
//!
//! A panic is a mistake in a parser, and the same feed will meet it again. A few in a short time park the source: it rests,
//! and then it is tried once. That one try decides, as with a circuit breaker: another panic parks it for twice as long, a
//! good visit forgets everything. So nobody has to press a button, and a loop of panics costs next to nothing.

use std::time::Duration;

use ballet::Backoff;
use tokio::time::Instant;

/// So many panics …
const CRASHES_MAX: usize = 3;
/// … within this park a source.
const WINDOW: Duration = Duration::from_secs(10 * 60);

/// The panics of one source, handed from life to life.
#[derive(Debug, Clone, Default)]
pub(super) struct Crashes {
    at: Vec<Instant>,
    /// How often it was parked since its last good visit.
    parkings: u32,
}

impl Crashes {
    /// A life ended by a panic. Gives the time for which the source is parked now, if it is.
    pub(super) fn note(&mut self, now: Instant, rest: &Backoff) -> Option<Duration> {
        self.at.retain(|at| now.duration_since(*at) <= WINDOW);
        self.at.push(now);
        if self.parkings == 0 && self.at.len() < CRASHES_MAX {
            return None;
        }
        self.at.clear();
        self.parkings += 1;
        Some(rest.delay(self.parkings - 1).max(rest.bound(self.parkings - 1) / 2))
    }

    /// A visit ended without one.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Backoff =
        Backoff::exponential(Duration::from_secs(60), Duration::from_secs(600)).without_jitter();

    #[ballet::test]
    async fn three_panics_in_a_window_park_it_and_one_more_parks_it_for_longer() {
        let mut crashes = Crashes::default();
        let note = |crashes: &mut Crashes| crashes.note(Instant::now(), &REST).map(|rest| rest.as_secs());
        assert_eq!(note(&mut crashes), None);
        assert_eq!(note(&mut crashes), None);
        assert_eq!(note(&mut crashes), Some(60));
        assert_eq!(note(&mut crashes), Some(120));
        assert_eq!(note(&mut crashes), Some(240));
        crashes.forget();
        assert_eq!(note(&mut crashes), None);
    }

    #[ballet::test]
    async fn panics_far_apart_do_not_park_it() {
        let mut crashes = Crashes::default();
        for _ in 0..10 {
            assert_eq!(crashes.note(Instant::now(), &REST), None);
            tokio::time::advance(WINDOW / 2 + Duration::from_secs(1)).await;
        }
    }
}
