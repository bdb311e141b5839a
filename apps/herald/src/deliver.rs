//! The delivery engine: for each provider a channel that claims what is due, sends it and records what became of it.
//!
//! Channels are children of a supervisor, so that one provider's trouble stays its own; a channel that fails or panics
//! is started again, as long as the stage does not drain. Under it each delivery is a child of its own. Beside them, one
//! child expires what is late (`deadlines`). Nothing here knows a protocol, and nothing keeps state that a restart would
//! need: that is the store's. Read `channel`, then `attempt`.

mod attempt;
mod backoff;
mod channel;
mod deadlines;
mod outage;
mod pause;
mod tally;
mod verdict;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ballet::{Backoff, Life, Supervised, Supervisor, child};

use self::channel::Channel;
use crate::{provider::Provider, store::Store};

/// When a failed channel is started again: later and later while it keeps failing, and soon after two good minutes.
const RESTART: Backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60))
    .healthy_after(Duration::from_secs(120));

/// All channels, ready to run.
#[derive(Debug)]
pub struct Engine {
    store: Store,
    channels: Vec<Arc<Channel>>,
}

/// What can be seen of a running engine from outside.
#[derive(Debug, Clone)]
pub struct Monitor {
    channels: Vec<Arc<Channel>>,
}

/// One provider, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderStatus {
    pub name: &'static str,
    /// How many deliveries are under way.
    pub in_flight: usize,
    /// Whether it waits, since the provider refused our configuration or credentials.
    pub paused: bool,
    /// How many attempts ended how, since the start: `accepted`, or the class of what went wrong.
    pub attempts: BTreeMap<&'static str, u64>,
}

impl Engine {
    pub fn new(store: &Store, providers: Vec<Provider>) -> Self {
        let channel = |provider| Arc::new(Channel::new(store.clone(), provider));
        Self { store: store.clone(), channels: providers.into_iter().map(channel).collect() }
    }

    pub fn monitor(&self) -> Monitor {
        Monitor { channels: self.channels.clone() }
    }

    /// Delivers until the stage drains and the deliveries under way have ended.
    ///
    /// # Errors
    ///
    /// None that a channel has: those are logged, and the channel is started again.
    ///
    /// # Cancel safety
    ///
    /// Deliveries that are cut off are recorded as unknown where they may have been sent, else as due or to be tried again.
    pub async fn run(self) -> Result<(), ballet::Error> {
        let supervisor =
            Supervisor::one_for_one().without_limit().stop_together().no_restart_after(ballet::draining);
        let supervisor = supervisor.child(deadlines(self.store));
        let supervisor = self.channels.into_iter().map(deliveries).fold(supervisor, Supervisor::child);
        let report = supervisor.run().await?;
        tracing::debug!(%report, "deliveries have ended");
        Ok(())
    }
}

impl Monitor {
    pub fn providers(&self) -> impl Iterator<Item = ProviderStatus> {
        self.channels.iter().map(|channel| channel.status())
    }
}

/// The watch over the deadlines as a child, by the rules of a channel.
fn deadlines(store: Store) -> Supervised {
    child("deadlines").transient().backoff(RESTART).run(async move |life: Life| {
        life.ready();
        deadlines::watch(&store).await
    })
}

/// A channel as a child: it ends by itself when the stage drains, and is started again when it fails.
fn deliveries(channel: Arc<Channel>) -> Supervised {
    child(channel.name()).transient().backoff(RESTART).run(async move |life: Life| {
        life.ready();
        channel.run().await
    })
}
