//! When to try again: exponential backoff with full jitter, and the point at which Herald gives up.
//!
//! Full jitter draws the whole delay at random, so that deliveries which failed together do not return together.
//! The delays themselves are Ballet's; here is what a deadline and a number of attempts make of them. The caller brings
//! the clock.

use std::time::Duration;

use ballet::Backoff;
use jiff::Timestamp;

/// A channel's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) backoff: Backoff,
    /// After this many attempts the delivery is given up.
    pub(super) attempts_max: u32,
}

/// E-mail. The delays of 72 attempts add up to five days on average, the time for which RFC 5321 §4.5.4.1 asks a
/// sender to keep trying.
pub(super) const EMAIL: Policy = Policy {
    backoff: Backoff::exponential(Duration::from_secs(2), Duration::from_secs(4 * 60 * 60)),
    attempts_max: 72,
};

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

impl Policy {
    /// What follows the `attempt`-th attempt, counted from 1, which ended at `now`.
    pub(super) fn next(&self, attempt: u32, now: Timestamp, expires_at: Option<Timestamp>) -> Next {
        if attempt >= self.attempts_max {
            return Next::TriedEnough;
        }
        let left = match expires_at.map(|at| Duration::try_from(at.duration_since(now))) {
            None => Duration::MAX,
            Some(Ok(left)) if left > self.backoff.bound(0) => left,
            // With less time than the first delay, further attempts would only crowd at the deadline.
            Some(_) => return Next::TooLate,
        };
        let delay = self.backoff.delay_within(attempt.saturating_sub(1), left);
        now.checked_add(delay).map_or(Next::TooLate, Next::At)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn attempts() -> impl Strategy<Value = u32> {
        1..EMAIL.attempts_max
    }

    fn bound(attempt: u32) -> Duration {
        EMAIL.backoff.bound(attempt - 1)
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("a time in this century")
    }

    #[test]
    fn the_upper_bound_doubles_up_to_the_cap() {
        let bounds: Vec<u64> = [1, 2, 3, 13, 14, 71].map(|attempt| bound(attempt).as_secs()).into();
        assert_eq!(bounds, [2, 4, 8, 8_192, 14_400, 14_400]);
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        assert_eq!(EMAIL.next(EMAIL.attempts_max, now(), None), Next::TriedEnough);
        assert!(matches!(EMAIL.next(EMAIL.attempts_max - 1, now(), None), Next::At(_)));
    }

    #[test]
    fn attempts_last_five_days_on_average() {
        let days: f64 =
            (1..EMAIL.attempts_max).map(|attempt| bound(attempt).as_secs_f64() / 2.0).sum::<f64>() / 86_400.0;
        assert!((4.8..5.2).contains(&days), "{days} days");
    }

    proptest! {
        #[test]
        fn a_delay_is_within_its_bound(attempt in attempts()) {
            let Next::At(due) = EMAIL.next(attempt, now(), None) else { panic!("an attempt is left") };
            prop_assert!(due >= now());
            prop_assert!(due <= now() + bound(attempt));
        }

        #[test]
        fn the_next_attempt_never_comes_after_the_deadline(attempt in attempts(), left in 0_u64..20_000) {
            let deadline = now() + Duration::from_secs(left);
            match EMAIL.next(attempt, now(), Some(deadline)) {
                Next::At(due) => prop_assert!(now() <= due && due <= deadline),
                next => {
                    prop_assert_eq!(next, Next::TooLate);
                    prop_assert!(left <= 2);
                }
            }
        }

        #[test]
        fn a_deadline_that_has_passed_is_too_late(attempt in attempts(), past in 0_u64..20_000) {
            let deadline = now() - Duration::from_secs(past);
            prop_assert_eq!(EMAIL.next(attempt, now(), Some(deadline)), Next::TooLate);
        }
    }
}
