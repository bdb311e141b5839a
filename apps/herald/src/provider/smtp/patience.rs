//! How long to wait for each thing a relay does: the configured time-outs, cut short by the deadline of the mail.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Settings, classify::Trouble};

/// The waiting times for one mail.
#[derive(Debug)]
pub(super) struct Patience {
    connect: Duration,
    command: Duration,
    reply: Duration,
    /// When the mail expires. It bounds every wait up to the final dot and none after it: by then the relay may
    /// have taken the mail, and only its reply can tell.
    deadline: Option<Instant>,
}

impl Patience {
    pub(super) fn new(settings: &Settings, expires_at: Option<Timestamp>) -> Self {
        Self {
            connect: settings.connect_timeout(),
            command: settings.command_timeout(),
            reply: settings.reply_timeout(),
            deadline: expires_at.map(|at| Instant::now() + until(at)),
        }
    }

    /// Waits for a TCP connection.
    pub(super) async fn connect<T>(&self, connecting: impl Future<Output = T>) -> Result<T, Trouble> {
        wait(self.until_deadline(self.connect), connecting).await
    }

    /// Waits for a command's reply.
    pub(super) async fn command<T>(&self, command: impl Future<Output = T>) -> Result<T, Trouble> {
        wait(self.until_deadline(self.command), command).await
    }

    /// Waits for the reply to the final dot.
    pub(super) async fn reply<T>(&self, reply: impl Future<Output = T>) -> Result<T, Trouble> {
        wait(self.reply, reply).await
    }

    fn until_deadline(&self, configured: Duration) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(configured, |left| left.min(configured))
    }
}

fn until(at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default()
}

async fn wait<T>(limit: Duration, waited_for: impl Future<Output = T>) -> Result<T, Trouble> {
    ballet::timeout(limit, waited_for).await.map_err(|_| Trouble::Silent(limit))
}
