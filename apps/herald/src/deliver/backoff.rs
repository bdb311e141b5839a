//! When to try again: exponential backoff with full jitter, and the point at which Herald gives up.
//!
//! Full jitter draws the whole delay at random, so that deliveries which failed together do not return together.
//! The functions are pure; the caller brings the clock and the random numbers.

use std::time::Duration;

use jiff::Timestamp;
use rand::{Rng, RngExt};

/// A channel's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Backoff {
    /// The upper bound of the first delay. It doubles with each attempt.
    pub(super) first: Duration,
    /// What the upper bound grows to.
    pub(super) cap: Duration,
    /// After this many attempts the delivery is given up.
    pub(super) attempts_max: u32,
}

/// E-mail. The delays of 72 attempts add up to five days on average, the time for which RFC 5321 §4.5.4.1 asks a
/// sender to keep trying.
pub(super) const EMAIL: Backoff =
    Backoff { first: Duration::from_secs(2), cap: Duration::from_secs(4 * 60 * 60), attempts_max: 72 };

/// What is left to do with a delivery that was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Try again at this time.
    At(Timestamp),
    /// The deadline leaves no time for another attempt.
    TooLate,
    /// It has been tried often enough.
    TriedEnough,
}

impl Backoff {
    /// What follows the `attempt`-th attempt, counted from 1, which ended at `now`.
    pub(super) fn next(
        &self,
        attempt: u32,
        now: Timestamp,
        expires_at: Option<Timestamp>,
        rng: &mut impl Rng,
    ) -> Next {
        if attempt >= self.attempts_max {
            return Next::TriedEnough;
        }
        let ceiling = self.ceiling(attempt);
        let Some(left) = expires_at.map(|at| at.duration_since(now)) else {
            return at(now, rng.random_range(Duration::ZERO..=ceiling));
        };
        // With less time than the first delay, further attempts would only crowd at the deadline.
        match Duration::try_from(left) {
            Ok(left) if left > self.first => at(now, rng.random_range(Duration::ZERO..=ceiling.min(left))),
            _ => Next::TooLate,
        }
    }

    fn ceiling(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.cap)
    }
}

fn at(now: Timestamp, delay: Duration) -> Next {
    now.checked_add(delay).map_or(Next::TooLate, Next::At)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn ceilings() -> impl Strategy<Value = (u32, u64)> {
        (1..EMAIL.attempts_max, any::<u64>())
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("a time in this century")
    }

    #[test]
    fn the_upper_bound_doubles_up_to_the_cap() {
        let ceilings: Vec<u64> = [1, 2, 3, 13, 14, 71].map(|attempt| EMAIL.ceiling(attempt).as_secs()).into();
        assert_eq!(ceilings, [2, 4, 8, 8_192, 14_400, 14_400]);
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        let mut rng = StdRng::seed_from_u64(1);
        assert_eq!(EMAIL.next(EMAIL.attempts_max, now(), None, &mut rng), Next::TriedEnough);
        assert!(matches!(EMAIL.next(EMAIL.attempts_max - 1, now(), None, &mut rng), Next::At(_)));
    }

    #[test]
    fn attempts_last_five_days_on_average() {
        let days: f64 =
            (1..EMAIL.attempts_max).map(|attempt| EMAIL.ceiling(attempt).as_secs_f64() / 2.0).sum::<f64>()
                / 86_400.0;
        assert!((4.8..5.2).contains(&days), "{days} days");
    }

    proptest! {
        #[test]
        fn a_delay_is_within_its_bound((attempt, seed) in ceilings()) {
            let Next::At(due) = EMAIL.next(attempt, now(), None, &mut StdRng::seed_from_u64(seed)) else {
                panic!("an attempt is left");
            };
            prop_assert!(due >= now());
            prop_assert!(due <= now() + EMAIL.ceiling(attempt));
        }

        #[test]
        fn the_next_attempt_never_comes_after_the_deadline((attempt, seed) in ceilings(), left in 0_u64..20_000) {
            let deadline = now() + Duration::from_secs(left);
            match EMAIL.next(attempt, now(), Some(deadline), &mut StdRng::seed_from_u64(seed)) {
                Next::At(due) => prop_assert!(now() <= due && due <= deadline),
                next => {
                    prop_assert_eq!(next, Next::TooLate);
                    prop_assert!(left <= 2);
                }
            }
        }

        #[test]
        fn a_deadline_that_has_passed_is_too_late((attempt, seed) in ceilings(), past in 0_u64..20_000) {
            let deadline = now() - Duration::from_secs(past);
            let next = EMAIL.next(attempt, now(), Some(deadline), &mut StdRng::seed_from_u64(seed));
            prop_assert_eq!(next, Next::TooLate);
        }
    }
}
