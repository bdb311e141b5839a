//! The services that carry a message to its recipient, and what their answers mean.
//!
//! A provider sends one delivery once and classifies what came back; it refuses to retry, to wait for a better
//! moment or to write to the store, which is `deliver`'s. Read `mail` for the bytes, `smtp` for the conversation.

mod mail;
mod outbox;
pub mod smtp;
#[cfg(test)]
pub(crate) mod testing;

pub use mail::{Mail, Unrenderable, render};
pub use outbox::Outbox;
pub use smtp::Smtp;

use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::store::{ViewerMail, Work};

/// One configured provider.
#[expect(
    clippy::large_enum_variant,
    reason = "there are as many as the operator configured, each in one place"
)]
#[derive(Debug)]
pub enum Provider {
    /// Shows mails on Herald's own page instead of sending them.
    Outbox(Outbox),
    /// Hands mails to a relay over SMTP.
    Smtp(Smtp),
}

/// What became of one send.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The provider is responsible for it from here on.
    Accepted { reply: String, viewer: Option<ViewerMail> },
    /// This message will never be taken. No other is concerned.
    Permanent { reply: String },
    /// The address does not exist, and should not be used again.
    Gone { reply: String },
    /// Not now; nothing was delivered.
    Transient { reply: String },
    /// Nobody took a connection. Nothing was delivered, and no other delivery would fare better now.
    Unreachable { reply: String },
    /// The provider refuses us, not the message: its credentials or settings are wrong, and every other delivery
    /// would fare the same.
    Configuration { reply: String },
    /// It may or may not have been delivered.
    Ambiguous { detail: String },
}

/// Whether one send has reached the point from which on the provider may have the whole message. It begins before the
/// bytes that complete the message are written, so until then the message was not delivered for certain.
#[derive(Debug, Clone, Default)]
pub struct Handover(Arc<AtomicBool>);

impl Handover {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Provider {
    /// The name that deliveries are planned with.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Outbox(_) => "outbox",
            Self::Smtp(_) => "smtp",
        }
    }

    /// How many sends it takes at the same time.
    pub fn concurrency(&self) -> usize {
        match self {
            Self::Outbox(_) => outbox::CONCURRENCY,
            Self::Smtp(smtp) => smtp.concurrency(),
        }
    }

    /// Sends one delivery.
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, the delivery may have been sent where its `handover` has begun, and was not where it has not.
    pub async fn send(&self, work: &Work, handover: &Handover) -> Answer {
        match self {
            Self::Outbox(outbox) => outbox.send(work),
            Self::Smtp(smtp) => smtp.send(work, handover).await,
        }
    }

    /// Closes connections that have been idle for too long, for as long as it is polled.
    pub async fn tend(&self) -> Infallible {
        match self {
            Self::Outbox(_) => pending().await,
            Self::Smtp(smtp) => smtp.tend().await,
        }
    }

    /// Says goodbye on every idle connection.
    pub async fn close(&self) {
        match self {
            Self::Outbox(_) => (),
            Self::Smtp(smtp) => smtp.close().await,
        }
    }
}
