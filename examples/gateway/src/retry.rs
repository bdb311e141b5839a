//! When another attempt is allowed, and how long to wait before it.
//!
//! All parts share one budget: a first attempt pays a fraction of a token in, a retry takes a whole one out. So over
//! any time the upstreams see at most `requests × (1 + ratio) + burst` attempts, however sick they are, and a gateway
//! never turns an outage into a storm. Which attempts may be repeated at all is decided in `part`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::RetrySettings;

/// The budget counts in thousandths, so that a fraction can be paid in without floating point.
const TOKEN: u64 = 1_000;

/// The tokens that are left for retries.
#[derive(Debug)]
pub(crate) struct Budget {
    tokens: AtomicU64,
    deposit: u64,
    tokens_max: u64,
}

impl Budget {
    /// A budget that begins full.
    pub(crate) fn new(settings: &RetrySettings) -> Self {
        let tokens_max = u64::from(settings.burst) * TOKEN;
        Self {
            tokens: AtomicU64::new(tokens_max),
            deposit: u64::from(settings.percent) * TOKEN / 100,
            tokens_max,
        }
    }

    /// A first attempt was made.
    pub(crate) fn deposit(&self) {
        let paid_in = |tokens: u64| Some((tokens + self.deposit).min(self.tokens_max));
        let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid_in);
    }

    /// Takes the token for one retry; `false` where none is left.
    pub(crate) fn withdraw(&self) -> bool {
        let taken_out = |tokens: u64| tokens.checked_sub(TOKEN);
        self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken_out).is_ok()
    }
}

/// The pause before the `nth` retry, counted from 0: full jitter below a bound that doubles.
///
/// Half of all clients that failed together would otherwise come back together.
pub(crate) fn pause(base: Duration, nth: u32) -> Duration {
    let bound = base.saturating_mul(1 << nth.min(10));
    bound.mul_f64(rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(burst: u32, percent: u32) -> Budget {
        Budget::new(&RetrySettings { burst, percent, ..RetrySettings::default() })
    }

    #[test]
    fn a_burst_is_allowed_and_then_no_more() {
        let budget = budget(3, 10);
        assert_eq!((0..10).filter(|_| budget.withdraw()).count(), 3);
    }

    #[test]
    fn each_first_attempt_earns_its_share_of_a_retry() {
        let budget = budget(100, 10);
        while budget.withdraw() {}
        (0..50).for_each(|_| budget.deposit());
        assert_eq!((0..50).filter(|_| budget.withdraw()).count(), 5);
    }

    #[test]
    fn quiet_hours_do_not_fill_it_beyond_the_burst() {
        let budget = budget(2, 100);
        (0..1_000).for_each(|_| budget.deposit());
        assert_eq!((0..10).filter(|_| budget.withdraw()).count(), 2);
    }

    #[test]
    fn a_budget_of_nothing_allows_nothing() {
        let budget = budget(0, 0);
        budget.deposit();
        assert!(!budget.withdraw());
    }

    #[test]
    fn a_pause_stays_below_a_bound_that_doubles_and_never_overflows() {
        let base = Duration::from_millis(10);
        for nth in [0, 1, 2, 10, u32::MAX] {
            let bound = base * (1 << nth.min(10));
            assert!((0..100).all(|_| pause(base, nth) <= bound));
        }
        assert_eq!(pause(Duration::ZERO, 3), Duration::ZERO);
        assert!(pause(Duration::MAX, 10) <= Duration::MAX);
    }
}
