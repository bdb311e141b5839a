//! The pause of a provider that refuses us: 30 seconds, doubling to five minutes, until it accepts something again.
//!
//! Sends are under way in parallel, so one cause gives many refusals at once. Each send remembers when it began;
//! what began before the last pause says nothing new and prolongs nothing.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// One provider's pause.
#[derive(Debug, Default)]
pub(super) struct Pause {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many pauses there were. A send belongs to the round it began in.
    round: u64,
    /// The length of the last pause, while nothing has been accepted since.
    length: Option<Duration>,
    until: Option<Instant>,
}

/// The round in which a send began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Round(u64);

impl Pause {
    pub(super) fn round(&self) -> Round {
        Round(self.lock().round)
    }

    /// The provider refused a send of `round`. Gives the length of the pause that begins, if one does.
    pub(super) fn refused(&self, round: Round) -> Option<Duration> {
        let mut state = self.lock();
        if round != Round(state.round) {
            return None;
        }
        let length = state.length.map_or(FIRST, |last| (last * 2).min(LONGEST));
        state.round += 1;
        state.length = Some(length);
        state.until = Some(Instant::now() + length);
        Some(length)
    }

    /// The provider took us at a send of `round`, whatever it said of the mail: the next pause is a short one again.
    pub(super) fn ended(&self, round: Round) {
        let mut state = self.lock();
        if round == Round(state.round) {
            state.length = None;
        }
    }

    /// Whether nothing is known to have been taken since the last pause, so that one send at a time should ask.
    pub(super) fn is_probing(&self) -> bool {
        self.lock().length.is_some()
    }

    /// How long the pause still lasts.
    pub(super) fn left(&self) -> Option<Duration> {
        let until = self.lock().until?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_until_something_is_accepted() {
        let pause = Pause::default();
        let lengths: Vec<u64> = (0..6).map(|_| begin(&pause)).collect();
        assert_eq!(lengths, [30, 60, 120, 240, 300, 300]);
        pause.ended(pause.round());
        assert_eq!(begin(&pause), 30);
    }

    #[test]
    fn refusals_of_one_round_make_one_pause() {
        let pause = Pause::default();
        let round = pause.round();
        assert_eq!(pause.refused(round), Some(FIRST));
        assert_eq!(pause.refused(round), None);
        pause.ended(round);
        assert_eq!(begin(&pause), 60, "an answer from before the pause says nothing about the time after it");
    }

    #[ballet::test]
    async fn a_pause_ends() {
        let pause = Pause::default();
        assert_eq!(pause.left(), None);
        pause.refused(pause.round());
        assert_eq!(pause.left(), Some(FIRST));
        tokio::time::advance(FIRST).await;
        assert_eq!(pause.left(), None);
    }

    fn begin(pause: &Pause) -> u64 {
        pause.refused(pause.round()).expect("a new pause").as_secs()
    }
}
