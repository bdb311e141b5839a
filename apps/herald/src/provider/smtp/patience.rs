//! How long to wait for each thing a relay does: the configured time-outs, cut short by the deadline of the mail.
//!
//! A deadline is a time of day. Clocks that measure durations stand still while a machine sleeps, and do not notice that
//! the time of day was corrected; so it is looked at anew before each command, and before the message.

use std::{future::Future, time::Duration};

use jiff::Timestamp;

use super::{Settings, classify::Trouble};

/// The waiting times for one mail.
#[derive(Debug)]
pub(super) struct Patience {
    connect: Duration,
    command: Duration,
    reply: Duration,
    /// When the mail expires. It bounds every wait up to the final dot and none after it: by then the relay may
    /// have taken the mail, and only its reply can tell.
    expires_at: Option<Timestamp>,
}

impl Patience {
    pub(super) fn new(settings: &Settings, expires_at: Option<Timestamp>) -> Self {
        Self {
            connect: settings.connect_timeout(),
            command: settings.command_timeout(),
            reply: settings.reply_timeout(),
            expires_at,
        }
    }

    /// Waits for a TCP connection.
    pub(super) async fn connect<T>(&self, connecting: impl Future<Output = T>) -> Result<T, Trouble> {
        wait(self.until_deadline(self.connect)?, connecting).await
    }

    /// Sends a command, or the message, and waits for the reply. Where it is too late, nothing of it is sent.
    pub(super) async fn command<T>(&self, command: impl Future<Output = T>) -> Result<T, Trouble> {
        wait(self.until_deadline(self.command)?, command).await
    }

    /// Waits for the reply to the final dot.
    pub(super) async fn reply<T>(&self, reply: impl Future<Output = T>) -> Result<T, Trouble> {
        wait(self.reply, reply).await
    }

    fn until_deadline(&self, configured: Duration) -> Result<Duration, Trouble> {
        let Some(expires_at) = self.expires_at else { return Ok(configured) };
        match Duration::try_from(expires_at.duration_since(Timestamp::now())) {
            Ok(left) if !left.is_zero() => Ok(left.min(configured)),
            _ => Err(Trouble::Late),
        }
    }
}

async fn wait<T>(limit: Duration, waited_for: impl Future<Output = T>) -> Result<T, Trouble> {
    ballet::timeout(limit, waited_for).await.map_err(|_| Trouble::Silent(limit))
}
