//! An outage of a provider: told once when nobody can be reached, and once when somebody answers again.
//!
//! Sends are under way in parallel, so their answers come out of order: what began before the outage says nothing about
//! its end. A provider that comes and goes is told of once a minute, not with each delivery.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How far apart two outages must begin for both to be told.
const TOLD_APART: Duration = Duration::from_secs(60);

/// One provider's outages.
#[derive(Debug, Default)]
pub(super) struct Outage {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Since when there is an outage, where there is one and it was told.
    since: Option<Instant>,
    /// When the last outage was told.
    told: Option<Instant>,
}

impl Outage {
    /// Nobody could be reached. Whether that is to be told.
    pub(super) fn begins(&self) -> bool {
        let mut state = self.lock();
        if state.since.is_some() || state.told.is_some_and(|told| told.elapsed() < TOLD_APART) {
            return false;
        }
        state.since = Some(Instant::now());
        state.told = state.since;
        true
    }

    /// Somebody answered a send that began at `started`. Gives how long the outage was that ends with it, if one does.
    pub(super) fn ends(&self, started: Instant) -> Option<Duration> {
        let mut state = self.lock();
        state.since.take_if(|since| *since <= started).map(|since| since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[ballet::test]
    async fn an_outage_is_told_once_and_so_is_its_end() {
        let outage = Outage::default();
        assert_eq!(outage.ends(Instant::now()), None, "there was none");
        assert!(outage.begins());
        assert!(!outage.begins());
        advance(SECOND).await;
        assert_eq!(outage.ends(Instant::now()), Some(SECOND));
        assert_eq!(outage.ends(Instant::now()), None);
    }

    #[ballet::test]
    async fn an_answer_to_what_began_before_ends_no_outage() {
        let outage = Outage::default();
        let before = Instant::now();
        advance(SECOND).await;
        assert!(outage.begins());
        assert_eq!(outage.ends(before), None);
        assert_eq!(outage.ends(Instant::now()), Some(Duration::ZERO));
    }

    #[ballet::test]
    async fn a_provider_that_comes_and_goes_is_told_of_once_a_minute() {
        let outage = Outage::default();
        let mut told = 0;
        for _ in 0..120 {
            told += u32::from(outage.begins());
            advance(SECOND).await;
            outage.ends(Instant::now());
        }
        assert_eq!(told, 2);
    }
}
