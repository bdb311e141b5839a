//! What the end of a visit means for the next one: the only place that looks into a [`Trouble`].

use std::time::Duration;

use ballet::Backoff;
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;

use super::{board::Waits, rhythm::Rhythm};
use crate::{
    config::Pace,
    source::{Trouble, Visited, Wait},
    store::SourceState,
};

/// No server can send us away for longer than this at a time.
const SERVER_WAIT_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The bound of the pause after a first failure, where the floor is not lower still.
const RETRY_FIRST: Duration = Duration::from_secs(60);

/// Longer intervals are told in whole seconds.
const ROUNDED_FROM: Duration = Duration::from_secs(10);

/// What a source waits for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) wait: Duration,
    pub(super) what: Waits,
    pub(super) why: String,
}

/// What an end says about the host that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    Lives,
    Dead,
}

impl Next {
    /// For what is disabled.
    pub(super) fn never(trouble: &Trouble) -> Self {
        Self { wait: Duration::ZERO, what: Waits::Backoff, why: trouble.to_string() }
    }
}

/// Whether the host gave a sign of life.
pub(super) fn host(ended: &Result<Visited, Trouble>) -> Host {
    match ended {
        Err(Trouble::Unreachable { .. }) => Host::Dead,
        Ok(_) | Err(_) => Host::Lives,
    }
}

/// After a good visit.
pub(super) fn succeeded(
    state: &mut SourceState,
    pace: Pace,
    now: Timestamp,
    visited: &Visited,
    brings_news: bool,
) -> Next {
    let mut rhythm = Rhythm::resume(pace, state.interval);
    rhythm.adapt(brings_news);
    state.visits += 1;
    state.failures = 0;
    state.last_error = None;
    (state.last_visit_at, state.last_success_at) = (Some(now), Some(now));
    state.interval = Some(rhythm.interval());
    state.unchanged_total += u64::from(visited.is_unchanged);
    state.bytes_total += visited.bytes;
    state.mark = Some(visited.mark.clone());
    if let Some(moved) = &visited.moved {
        state.moved = Some(moved.clone());
    }
    if brings_news {
        state.last_item_at = Some(now);
    }
    let wait = rhythm.wait(&mut rand::rng());
    match &visited.wait {
        Some(Wait { length, why }) if *length > wait => {
            Next { wait: (*length).min(SERVER_WAIT_MAX), what: Waits::Server, why: why.clone() }
        }
        _ => Next { wait, what: Waits::Schedule, why: schedule(rhythm.interval(), brings_news) },
    }
}

fn schedule(interval: Duration, brought_news: bool) -> String {
    let why = if brought_news {
        "the last visit brought something new"
    } else {
        "the last visit brought nothing new"
    };
    // Nobody wants to read of milliseconds where there are minutes.
    let interval = if interval < ROUNDED_FROM { interval } else { Duration::from_secs(interval.as_secs()) };
    let interval = SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX);
    format!("it is visited about every {interval:#}; {why}")
}

/// After a visit that brought nothing. None where there is to be no next one; the state says why.
pub(super) fn failed(state: &mut SourceState, pace: Pace, now: Timestamp, trouble: &Trouble) -> Option<Next> {
    state.visits += 1;
    state.last_visit_at = Some(now);
    if let Trouble::Later { wait, why } = trouble {
        let spread = rand::rng().random_range(1.0..=1.1);
        let wait = (*wait).min(SERVER_WAIT_MAX).max(pace.floor).mul_f64(spread).min(SERVER_WAIT_MAX);
        return Some(Next { wait, what: Waits::Server, why: why.clone() });
    }
    state.failures = state.failures.saturating_add(1);
    state.failures_total += 1;
    state.last_error = Some(trouble.to_string());
    let (wait, why) = match trouble {
        Trouble::Later { .. } => unreachable!("answered above"),
        Trouble::Gone { why } => {
            state.disabled = Some(why.clone());
            return None;
        }
        Trouble::Refused { why } => {
            let rhythm = Rhythm::resume(pace, Some(pace.ceiling));
            (rhythm.wait(&mut rand::rng()), format!("it was refused: {why}"))
        }
        Trouble::Unreachable { why } | Trouble::Broken { why } => {
            let backoff = Backoff::exponential(pace.floor.min(RETRY_FIRST), pace.ceiling);
            let why = match state.failures {
                1 => format!("the last visit failed: {why}"),
                times => format!("the last {times} visits failed: {why}"),
            };
            (backoff.delay(state.failures - 1), why)
        }
    };
    Some(Next { wait, what: Waits::Backoff, why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Mark;

    const PACE: Pace = Pace { floor: Duration::from_secs(600), ceiling: Duration::from_secs(86_400) };

    fn why() -> String {
        "why".to_owned()
    }

    fn after(state: &mut SourceState, trouble: &Trouble) -> Option<Next> {
        failed(state, PACE, Timestamp::UNIX_EPOCH, trouble)
    }

    fn visited(wait: Option<Duration>) -> Visited {
        Visited {
            items: Vec::new(),
            mark: Mark::of(&1),
            moved: None,
            wait: wait.map(|length| Wait { length, why: why() }),
            is_unchanged: true,
            bytes: 10,
        }
    }

    #[test]
    fn a_server_that_asks_for_time_gets_it_and_no_failure_is_counted() {
        let mut state = SourceState::default();
        let next = after(&mut state, &Trouble::Later { wait: Duration::from_secs(900), why: why() }).unwrap();
        assert!(next.wait >= Duration::from_secs(900) && next.wait <= Duration::from_secs(990), "{next:?}");
        assert_eq!((next.what, state.failures), (Waits::Server, 0));
        let soon = after(&mut state, &Trouble::Later { wait: Duration::ZERO, why: why() }).unwrap();
        assert!(soon.wait >= PACE.floor, "not below the floor: {soon:?}");
        let never = after(&mut state, &Trouble::Later { wait: Duration::MAX, why: why() }).unwrap();
        assert_eq!(never.wait, SERVER_WAIT_MAX);
    }

    #[test]
    fn what_is_gone_is_disabled_with_its_reason() {
        let mut state = SourceState::default();
        assert_eq!(after(&mut state, &Trouble::Gone { why: why() }), None);
        assert_eq!(state.disabled, Some(why()));
    }

    #[test]
    fn failures_back_off_up_to_the_ceiling_and_a_success_forgets_them() {
        let mut state = SourceState::default();
        for times in 1..=40 {
            let next = after(&mut state, &Trouble::Unreachable { why: why() }).unwrap();
            assert!(next.wait <= PACE.ceiling && state.failures == times);
        }
        succeeded(&mut state, PACE, Timestamp::UNIX_EPOCH, &visited(None), false);
        assert_eq!((state.failures, state.last_error, state.visits), (0, None, 41));
    }

    #[test]
    fn a_refusal_waits_about_as_long_as_the_ceiling() {
        let next = after(&mut SourceState::default(), &Trouble::Refused { why: why() }).unwrap();
        assert!(next.wait >= PACE.ceiling.mul_f64(0.9));
    }

    #[test]
    fn a_server_may_ask_for_longer_than_the_schedule_and_not_for_less() {
        let mut state = SourceState::default();
        let hour = Duration::from_secs(3_600);
        let next = succeeded(&mut state, PACE, Timestamp::UNIX_EPOCH, &visited(Some(hour)), false);
        assert_eq!((next.wait, next.what), (hour, Waits::Server));
        let second = Duration::from_secs(1);
        let next = succeeded(&mut state, PACE, Timestamp::UNIX_EPOCH, &visited(Some(second)), false);
        assert_eq!(next.what, Waits::Schedule);
    }

    #[test]
    fn only_silence_says_that_a_host_is_dead() {
        assert_eq!(host(&Err(Trouble::Unreachable { why: why() })), Host::Dead);
        assert_eq!(host(&Err(Trouble::Broken { why: why() })), Host::Lives);
        assert_eq!(host(&Err(Trouble::Refused { why: why() })), Host::Lives);
        assert_eq!(host(&Ok(visited(None))), Host::Lives);
    }
}
