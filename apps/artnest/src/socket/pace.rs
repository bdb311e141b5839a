//! How fast a client is read: as a bucket that fills with time, once for operations and once for bytes.
//!
//! Whoever sends faster is not refused but read later, so that its own socket fills up.

use std::time::Duration;

use tokio::time::Instant;

/// Operations in a second, on average; a page sends 25.
const OPS_PER_SECOND: f64 = 1_000.0;
/// Operations at once: the queue of a client that was away.
const OPS_BURST: f64 = 4_000.0;
const BYTES_PER_SECOND: f64 = 512.0 * 1024.0;
const BYTES_BURST: f64 = 2.0 * 1024.0 * 1024.0;

#[derive(Debug)]
pub(super) struct Pace {
    ops: Bucket,
    bytes: Bucket,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ops: Bucket { level: 0.0, at: now, per_second: OPS_PER_SECOND, burst: OPS_BURST },
            bytes: Bucket { level: 0.0, at: now, per_second: BYTES_PER_SECOND, burst: BYTES_BURST },
        }
    }

    /// Counts a frame; when the next one may be read, if not at once.
    pub(super) fn count(&mut self, ops: u16, bytes: usize, now: Instant) -> Option<Instant> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let wait = self.ops.add(ops.into(), now).max(self.bytes.add(bytes.into(), now));
        (!wait.is_zero()).then(|| now + wait)
    }
}

/// What was used and has not run off yet.
#[derive(Debug)]
struct Bucket {
    level: f64,
    at: Instant,
    per_second: f64,
    burst: f64,
}

impl Bucket {
    /// How long to wait until the level is below the burst again.
    fn add(&mut self, amount: f64, now: Instant) -> Duration {
        let run_off = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        self.level = (self.level - run_off).max(0.0) + amount;
        self.at = now;
        Duration::from_secs_f64((self.level - self.burst).max(0.0) / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_follows_it_waits_its_time() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(pace.count(4_000, 0, now), None);
        assert_eq!(pace.count(500, 0, now), Some(now + Duration::from_millis(500)));
        let later = now + Duration::from_millis(500);
        assert_eq!(pace.count(0, 0, later), None);
    }

    #[test]
    fn a_steady_page_never_waits() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for tick in 0..100_000_u32 {
            assert_eq!(pace.count(1, 200, start + Duration::from_millis(40) * tick), None);
        }
    }
}
