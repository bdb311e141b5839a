//! What goes into the store, and what a provider takes out to send.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{DeliveryId, EmailAddress, NotificationId, State};

/// The number of a run on this directory. Each open has a greater one; what a lesser one held is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Epoch(pub(super) i64);

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What was found half-done and taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Deliveries that were leased and are due again.
    pub released: u64,
    /// Deliveries that were about to be sent, and are now unknown.
    pub unknown: u64,
}

/// A client's promise that the same key always comes with the same request.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Within which the key is unique, such as the caller and the route.
    pub scope: String,
    pub key: String,
    pub body_sha256: [u8; 32],
}

/// A notification that is durably stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accepted {
    pub id: NotificationId,
    pub created_at: Timestamp,
    /// Whether this is the answer to an earlier request with the same idempotency key. Its deliveries are then as
    /// they are now, not as they were planned.
    pub replayed: bool,
    pub deliveries: Vec<Planned>,
}

/// One delivery of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    pub id: DeliveryId,
    pub channel: String,
    pub provider: String,
    pub address: String,
    pub state: State,
    /// When it may be claimed; `None` while it is held or done.
    pub due_at: Option<Timestamp>,
}

/// A delivery leased to a provider, with all that is needed to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    pub delivery: DeliveryId,
    pub notification: NotificationId,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    pub to: EmailAddress,
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// `<delivery@domain>`, the same at every attempt.
    pub message_id: String,
    /// Whether an earlier attempt may have sent it.
    pub ambiguous: bool,
}

/// What a provider's answer means; HERALD.md lists them per channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Permanent,
    Transient,
    /// Configuration or credentials.
    Configuration,
    /// The address does not exist any more.
    Gone,
    /// It may or may not have been sent.
    Ambiguous,
}

impl Class {
    pub(super) const ALL: [Self; 5] =
        [Self::Permanent, Self::Transient, Self::Configuration, Self::Gone, Self::Ambiguous];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::Configuration => "configuration",
            Self::Gone => "gone",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub started_at: Timestamp,
    pub outcome: Settled,
    /// What the provider said, such as `250 2.0.0 Ok`.
    pub answer: String,
    /// `None` where it was accepted.
    pub class: Option<Class>,
    /// The mail, for the outbox viewer.
    pub viewer: Option<ViewerMail>,
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Accepted,
    /// To be tried again. With `due_at` past the deadline, it expires at the deadline.
    Retry {
        due_at: Timestamp,
    },
    /// It may have been sent, and is to be sent again.
    Unknown {
        due_at: Timestamp,
    },
    Dead,
    /// The deadline came first. If an earlier attempt may have sent it, it stays unknown and is left in peace.
    Expired,
    /// The provider cannot send anything now: due again later, and the attempt is not counted.
    Deferred {
        due_at: Timestamp,
    },
}

/// A mail as the outbox provider rendered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewerMail {
    pub from: String,
    /// The bytes that a relay would have got.
    pub raw: Vec<u8>,
}
