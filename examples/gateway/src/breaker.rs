//! A breaker per upstream: after too many failures in a row it is not asked for a while.
//!
//! ```text
//!            failures in a row                open_for has passed, one attempt is let through
//!   closed ───────────────────▶ open ───────────────────────────────────────────▶ half-open
//!      ▲                          ▲                                                   │
//!      │                          └───────── the attempt fails ───────────────────────┤
//!      └──────────────────────────────────── the attempt succeeds ────────────────────┘
//! ```
//!
//! An attempt that was cancelled says nothing: its permit is dropped, and where it was the one of half-open, the next
//! caller has the next try. The breaker never waits and never asks the upstream by itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::config::BreakerSettings;

#[derive(Debug)]
pub(crate) struct Breaker {
    /// Whom it guards, for the log.
    upstream: String,
    settings: BreakerSettings,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Closed {
        /// Failures since the last success.
        failures: u32,
    },
    Open {
        /// From when on one attempt is let through.
        until: Instant,
    },
    /// One attempt is under way, and decides.
    HalfOpen,
}

/// Leave to ask the upstream once. Dropped without a verdict, it says nothing.
#[derive(Debug)]
#[must_use = "the breaker learns nothing from a permit that is dropped"]
pub(crate) struct Permit {
    breaker: Arc<Breaker>,
    /// Whether this is the one attempt of half-open.
    is_probe: bool,
}

impl Breaker {
    pub(crate) fn new(upstream: &str, settings: BreakerSettings) -> Arc<Self> {
        Arc::new(Self {
            upstream: upstream.to_owned(),
            settings,
            state: Mutex::new(State::Closed { failures: 0 }),
        })
    }

    pub(crate) fn state(&self) -> State {
        *self.lock()
    }

    /// Leave to ask, or `None` while the breaker is open.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.lock();
        let is_probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } if Instant::now() >= until => {
                *state = State::HalfOpen;
                true
            }
            State::Open { .. } | State::HalfOpen => return None,
        };
        Some(Permit { breaker: Arc::clone(self), is_probe })
    }

    fn open(&self) -> State {
        tracing::warn!(upstream = self.upstream, "an upstream fails and is left alone for a while");
        State::Open { until: Instant::now() + self.settings.open_for() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is one value, written whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The upstream answered as it should.
    pub(crate) fn succeeded(mut self) {
        let mut state = self.breaker.lock();
        // What was asked before the breaker opened cannot close it: only the probe is recent enough.
        if self.is_probe || matches!(*state, State::Closed { .. }) {
            *state = State::Closed { failures: 0 };
        }
        drop(state);
        self.is_probe = false;
    }

    /// The upstream did not answer, or not as it should.
    pub(crate) fn failed(mut self) {
        let mut state = self.breaker.lock();
        *state = match *state {
            _ if self.is_probe => self.breaker.open(),
            State::Closed { failures } if failures + 1 >= self.breaker.settings.failures => {
                self.breaker.open()
            }
            State::Closed { failures } => State::Closed { failures: failures + 1 },
            other => other,
        };
        drop(state);
        self.is_probe = false;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.is_probe {
            *self.breaker.lock() = State::Open { until: Instant::now() };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const OPEN: Duration = Duration::from_millis(BreakerSettings::DEFAULT.open_ms);

    fn breaker() -> Arc<Breaker> {
        Breaker::new("http://upstream", BreakerSettings { failures: 3, ..BreakerSettings::DEFAULT })
    }

    fn fail(breaker: &Arc<Breaker>, times: usize) {
        (0..times).for_each(|_| breaker.admit().unwrap().failed());
    }

    #[ballet::test]
    async fn it_opens_after_failures_in_a_row_and_only_then() {
        let breaker = breaker();
        fail(&breaker, 2);
        breaker.admit().unwrap().succeeded();
        fail(&breaker, 2);
        assert!(breaker.admit().is_some());
        fail(&breaker, 1);
        assert!(breaker.admit().is_none());
    }

    #[ballet::test]
    async fn half_open_lets_one_through_and_closes_on_its_success() {
        let breaker = breaker();
        fail(&breaker, 3);
        tokio::time::sleep(OPEN).await;
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_none(), "one attempt at a time while half-open");
        probe.succeeded();
        assert_eq!(breaker.state(), State::Closed { failures: 0 });
    }

    #[ballet::test]
    async fn half_open_opens_again_on_a_failure_for_the_whole_time() {
        let breaker = breaker();
        fail(&breaker, 3);
        tokio::time::sleep(OPEN).await;
        fail(&breaker, 1);
        tokio::time::sleep(OPEN - Duration::from_millis(1)).await;
        assert!(breaker.admit().is_none());
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(breaker.admit().is_some());
    }

    #[ballet::test]
    async fn a_cancelled_attempt_says_nothing_and_frees_the_place_of_the_probe() {
        let breaker = breaker();
        fail(&breaker, 2);
        drop(breaker.admit());
        assert_eq!(breaker.state(), State::Closed { failures: 2 });
        fail(&breaker, 1);
        tokio::time::sleep(OPEN).await;
        drop(breaker.admit().unwrap());
        assert!(breaker.admit().is_some(), "the next caller probes");
    }

    #[ballet::test]
    async fn answers_to_what_was_asked_before_it_opened_change_nothing() {
        let breaker = breaker();
        let (late_success, late_failure) = (breaker.admit().unwrap(), breaker.admit().unwrap());
        fail(&breaker, 3);
        late_success.succeeded();
        assert!(breaker.admit().is_none());
        tokio::time::sleep(OPEN).await;
        let probe = breaker.admit().unwrap();
        late_failure.failed();
        assert_eq!(breaker.state(), State::HalfOpen);
        probe.succeeded();
    }
}
