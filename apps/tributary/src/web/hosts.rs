//! Each host's turn: one token bucket for all sources that ask the same host.
//!
//! A bucket has the configured pace, and is held back by what the host itself says. Who would wait longer than is useful
//! does not wait in line: the source is sent home with the time at which to come again, so that no visit hangs.

use std::{
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ballet::{Rate, RateLimiter, timeout};
use lru::LruCache;

use super::dialect::Word;
use crate::source::{Doing, Progress, Trouble};

/// Hosts that are remembered; of more, the one is forgotten that was asked longest ago.
const HOSTS_MAX: NonZero<usize> = NonZero::new(16_384).expect("not zero");
/// How long a visit waits in line for its turn. Whoever would wait longer comes again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one answer can stop all sources of its host. The source that got it may have to stay away longer.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// The buckets.
#[derive(Debug)]
pub(super) struct Hosts {
    rate: Rate,
    known: Mutex<LruCache<Arc<str>, Host>>,
}

#[derive(Debug, Clone)]
struct Host {
    limiter: RateLimiter,
    /// What it said last about being asked less.
    word: Arc<Mutex<Option<String>>>,
}

impl Hosts {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, known: Mutex::new(LruCache::new(HOSTS_MAX)) }
    }

    /// Waits until the host may be asked once.
    ///
    /// # Errors
    ///
    /// [`Trouble::Later`] where that would take longer than is useful.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses the place in the line, and takes no turn from others.
    pub(super) async fn turn(&self, name: &str, progress: &Progress) -> Result<(), Trouble> {
        let host = self.host(name);
        let Err(limited) = host.limiter.try_acquire() else { return Ok(()) };
        let wait = limited.retry_after();
        let why = host.why();
        if wait > PATIENCE {
            return Err(Trouble::Later { wait, why: format!("{name} has to be left alone: {why}") });
        }
        progress.set(Doing::WaitsForHost { host: name.to_owned(), why: why.clone() });
        let too_long =
            |_| Trouble::Later { wait: PATIENCE, why: format!("the line for {name} is too long: {why}") };
        timeout(PATIENCE * 2, host.limiter.acquire()).await.map_err(too_long)
    }

    /// Hears what the host said about being asked.
    pub(super) fn hear(&self, name: &str, word: &Word) {
        let host = self.host(name);
        host.limiter.pause_for(word.wait.min(PAUSE_MAX));
        *lock(&host.word) = Some(word.why.clone());
    }

    fn host(&self, name: &str) -> Host {
        let mut known = lock(&self.known);
        if let Some(host) = known.get(name) {
            return host.clone();
        }
        let host = Host { limiter: RateLimiter::new(name.to_owned(), self.rate), word: Arc::default() };
        known.put(name.into(), host.clone());
        host
    }
}

impl Host {
    fn why(&self) -> String {
        lock(&self.word).clone().unwrap_or_else(|| "the sources of this host share its pace".to_owned())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use ballet::{Scope, scope};
    use tokio::time::Instant;

    use super::*;

    fn stop(seconds: u64) -> Word {
        Word { wait: Duration::from_secs(seconds), why: "it said so".to_owned(), is_stop: true }
    }

    #[ballet::test]
    async fn sources_of_one_host_share_its_pace_and_other_hosts_do_not_wait() {
        let hosts = Arc::new(Hosts::new(Rate::new(60, Duration::from_secs(60)).burst(1)));
        let began = Instant::now();
        let turns = scope(async |s: Scope| {
            let turns: Vec<_> = ["a.example", "a.example", "a.example", "b.example"]
                .into_iter()
                .map(|name| {
                    let hosts = Arc::clone(&hosts);
                    s.spawn(async move {
                        hosts.turn(name, &Progress::default()).await.unwrap();
                        Ok((name, began.elapsed().as_secs()))
                    })
                })
                .collect();
            let mut seen = Vec::new();
            for turn in turns {
                seen.push(turn.await);
            }
            Ok(seen)
        })
        .await
        .unwrap();
        assert_eq!(turns, [("a.example", 0), ("a.example", 1), ("a.example", 2), ("b.example", 0)]);
    }

    #[ballet::test]
    async fn a_short_pause_is_waited_for_and_a_long_one_sends_home() {
        let hosts = Hosts::new(Rate::new(60, Duration::from_secs(60)));
        let began = Instant::now();
        hosts.hear("a.example", &stop(10));
        hosts.turn("a.example", &Progress::default()).await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 10);

        hosts.hear("a.example", &stop(900));
        let refusal = hosts.turn("a.example", &Progress::default()).await.unwrap_err();
        assert_eq!(
            refusal,
            Trouble::Later {
                wait: Duration::from_secs(900),
                why: "a.example has to be left alone: it said so".to_owned()
            }
        );
        hosts.turn("b.example", &Progress::default()).await.unwrap();
    }

    #[ballet::test]
    async fn no_host_is_stopped_for_longer_than_an_hour_by_one_answer() {
        let hosts = Hosts::new(Rate::new(60, Duration::from_secs(60)));
        hosts.hear("a.example", &stop(1_000_000));
        let refusal = hosts.turn("a.example", &Progress::default()).await.unwrap_err();
        assert!(matches!(refusal, Trouble::Later { wait, .. } if wait == PAUSE_MAX), "{refusal:?}");
    }
}
