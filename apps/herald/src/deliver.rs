//! The delivery engine: for each provider a channel that claims what is due, sends it and records what became of it.
//!
//! Channels are children of a supervisor scope, so that one provider's trouble stays its own; a channel that fails
//! or panics is started again. Under it each delivery is a child of its own. Nothing here knows a protocol, and
//! nothing keeps state that a restart would need: that is the store's. Read `channel`, then `attempt`.

mod attempt;
mod backoff;
mod channel;
mod pause;
mod tally;
mod verdict;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ballet::SupervisorScope;
use tokio::time::{Instant, sleep};

use self::channel::Channel;
use crate::{provider::Provider, store::Store};

/// The delay before a failed channel is started again. It doubles while it keeps failing …
const RESTART_FIRST: Duration = Duration::from_secs(1);
/// … up to this,
const RESTART_LONGEST: Duration = Duration::from_secs(60);
/// and begins anew once a channel has run for so long.
const HEALTHY_AFTER: Duration = Duration::from_secs(120);

/// All channels, ready to run.
#[derive(Debug)]
pub struct Engine {
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
        Self { channels: providers.into_iter().map(channel).collect() }
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
    /// Deliveries that are cut off are recorded as unknown, or as due where nothing was sent yet.
    pub async fn run(self) -> Result<(), ballet::Error> {
        ballet::supervisor_scope(async |scope: SupervisorScope| {
            for channel in self.channels {
                scope.named(channel.name()).spawn(keep_running(channel));
            }
            Ok(())
        })
        .await?;
        Ok(())
    }
}

impl Monitor {
    pub fn providers(&self) -> impl Iterator<Item = ProviderStatus> {
        self.channels.iter().map(|channel| channel.status())
    }
}

/// Runs a channel until it ends by itself, and starts it again when it fails.
async fn keep_running(channel: Arc<Channel>) -> Result<(), ballet::Error> {
    ballet::supervisor_scope(async |scope: SupervisorScope| {
        let mut delay = RESTART_FIRST;
        loop {
            let started = Instant::now();
            let Err(failure) = scope.named("deliveries").spawn(Arc::clone(&channel).run()).await else {
                return Ok(());
            };
            if started.elapsed() >= HEALTHY_AFTER {
                delay = RESTART_FIRST;
            }
            tracing::error!(provider = channel.name(), %failure, ?delay, "deliveries failed and start again");
            tokio::select! {
                () = ballet::draining() => return Ok(()),
                () = sleep(delay) => delay = (delay * 2).min(RESTART_LONGEST),
            }
        }
    })
    .await?;
    Ok(())
}
