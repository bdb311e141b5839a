//! One provider's deliveries: claims as many as there are free slots, and starts an attempt for each.

use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use ballet::SupervisorScope;
use jiff::Timestamp;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep},
};

use super::{
    ProviderStatus,
    attempt::attempt,
    outage::Outage,
    pause::{Pause, Round},
    tally::Tally,
};
use crate::{
    provider::{Answer, Provider},
    store::Store,
};

/// The wall clock is looked at so often during a wait for one of its times.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(30);

/// A provider with what its deliveries share.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) store: Store,
    pub(super) provider: Provider,
    pause: Pause,
    outage: Outage,
    pub(super) tally: Tally,
    /// One permit for each delivery that may be under way.
    slots: Arc<Semaphore>,
}

/// When a send began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    at: Instant,
    round: Round,
}

impl Channel {
    pub(super) fn new(store: Store, provider: Provider) -> Self {
        let slots = Arc::new(Semaphore::new(provider.concurrency()));
        let (pause, outage, tally) = (Pause::default(), Outage::default(), Tally::default());
        Self { store, provider, pause, outage, tally, slots }
    }

    pub(super) fn name(&self) -> &'static str {
        self.provider.name()
    }

    pub(super) fn status(&self) -> ProviderStatus {
        ProviderStatus {
            name: self.name(),
            in_flight: self.provider.concurrency().saturating_sub(self.slots.available_permits()),
            paused: self.pause.left().is_some(),
            attempts: self.tally.read(),
        }
    }

    /// Delivers until the stage drains; returns when the deliveries under way have ended.
    pub(super) async fn run(self: Arc<Self>) -> Result<(), ballet::Error> {
        ballet::supervisor_scope(async |scope: SupervisorScope| {
            tokio::select! {
                ended = self.claim(&scope) => ended,
                never = self.provider.tend() => match never {},
            }
        })
        .await?;
        self.provider.close().await;
        Ok(())
    }

    /// Claims and starts what is due, until the stage drains.
    async fn claim(self: &Arc<Self>, scope: &SupervisorScope) -> Result<(), ballet::Error> {
        let mut due = self.store.due_signal();
        let mut draining = pin!(ballet::draining());
        loop {
            let slots = tokio::select! {
                biased;
                () = &mut draining => return Ok(()),
                slots = self.free_slots() => slots?,
            };
            due.borrow_and_update();
            let all_claimed = self.start(scope, slots).await?;
            if all_claimed {
                tokio::select! {
                    () = &mut draining => return Ok(()),
                    waited = self.wait_until_due(&mut due) => waited?,
                }
            }
        }
    }

    /// Starts an attempt in each slot for which something is due. Tells whether there was less than that.
    async fn start(
        self: &Arc<Self>,
        scope: &SupervisorScope,
        mut slots: OwnedSemaphorePermit,
    ) -> Result<bool, ballet::Error> {
        for work in self.store.claim(self.name(), slots.num_permits()).await? {
            let slot = slots.split(1);
            let name = work.delivery.to_string();
            let attempt = attempt(Arc::clone(self), work);
            scope.named(name).spawn(async move {
                let _held = slot;
                attempt.await
            });
        }
        Ok(slots.num_permits() > 0)
    }

    /// Waits until a delivery may begin; gives all slots that are free then. After a pause it is a single one until
    /// the provider is known to take us again.
    async fn free_slots(&self) -> Result<OwnedSemaphorePermit, ballet::Error> {
        while let Some(left) = self.pause.left() {
            sleep(left).await;
        }
        if self.pause.is_probing() {
            return self.probe().await;
        }
        let mut slots = Arc::clone(&self.slots).acquire_owned().await?;
        let more = u32::try_from(self.slots.available_permits())?;
        if let Ok(more) = Arc::clone(&self.slots).try_acquire_many_owned(more) {
            slots.merge(more);
        }
        Ok(slots)
    }

    /// Notes that a send begins.
    pub(super) fn begin(&self) -> Begun {
        Begun { at: Instant::now(), round: self.pause.round() }
    }

    /// Pauses where the provider refused us. Gives the time at which it may be asked again.
    pub(super) fn heed(&self, begun: Begun, answer: &Answer) -> Timestamp {
        self.tell_outage(begun.at, answer);
        match answer {
            Answer::Configuration { reply } => self.refused(begun.round, reply),
            Answer::Transient { .. } | Answer::Unreachable { .. } => {}
            Answer::Accepted { .. }
            | Answer::Permanent { .. }
            | Answer::Gone { .. }
            | Answer::Ambiguous { .. } => {
                self.pause.ended(begun.round);
            }
        }
        Timestamp::now().saturating_add(self.pause.left().unwrap_or_default()).unwrap_or(Timestamp::MAX)
    }

    fn tell_outage(&self, started: Instant, answer: &Answer) {
        let provider = self.name();
        if let Answer::Unreachable { reply } = answer {
            if self.outage.begins() {
                tracing::warn!(provider, reply, "the provider cannot be reached; deliveries are tried again");
            }
        } else if let Some(lasted) = self.outage.ends(started) {
            tracing::info!(provider, ?lasted, "the provider can be reached again");
        }
    }

    fn refused(&self, round: Round, reply: &str) {
        if let Some(length) = self.pause.refused(round) {
            let provider = self.name();
            tracing::error!(provider, reply, pause = ?length, "the provider refuses us, check its settings; deliveries wait");
        }
    }

    async fn probe(&self) -> Result<OwnedSemaphorePermit, ballet::Error> {
        let all = u32::try_from(self.provider.concurrency())?;
        let mut all = Arc::clone(&self.slots).acquire_many_owned(all).await?;
        Ok(all.split(1).unwrap_or(all))
    }

    async fn wait_until_due(&self, due: &mut watch::Receiver<u64>) -> Result<(), ballet::Error> {
        let next = self.store.next_due(self.name()).await?;
        tokio::select! {
            changed = due.changed() => changed?,
            () = wait_until(next, Timestamp::now) => {}
        }
        Ok(())
    }
}

/// Waits for a time of the wall clock, which may be set, and goes on while the machine sleeps; the timers do neither.
/// So the clock is asked again and again.
async fn wait_until(time: Option<Timestamp>, now: impl Fn() -> Timestamp) {
    let Some(time) = time else { return pending().await };
    while let Ok(left) = Duration::try_from(time.duration_since(now()))
        && !left.is_zero()
    {
        sleep(left.min(LOOK_AT_CLOCK)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join;
    use tokio::time::{advance, timeout};

    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    #[ballet::test]
    async fn a_clock_that_is_set_forward_ends_the_wait() {
        let start = Timestamp::now();
        let clock = Cell::new(start);
        let begun = Instant::now();
        let set = async {
            advance(Duration::from_secs(1)).await;
            clock.set(start + HOUR);
        };
        join(wait_until(Some(start + HOUR), || clock.get()), set).await;
        assert!(begun.elapsed() <= LOOK_AT_CLOCK + Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[ballet::test]
    async fn a_clock_that_is_set_back_prolongs_the_wait() {
        let time = Timestamp::now();
        let waited = timeout(2 * HOUR, wait_until(Some(time), || time - HOUR)).await;
        assert!(waited.is_err(), "by the clock it is not yet time");
        wait_until(Some(time), || time).await;
    }
}
