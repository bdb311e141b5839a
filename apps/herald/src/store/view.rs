//! What is read out of the store, in the form in which it is shown.

use std::{collections::BTreeMap, fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Serialize;

use super::work::Class;
use crate::model::{DeliveryId, NotificationId, State};

/// Who may call. The key itself is nowhere stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub name: String,
    pub sha256: [u8; 32],
    pub created_at: Timestamp,
}

/// A notification with everything that became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationView {
    pub id: NotificationId,
    pub created_at: Timestamp,
    pub to: String,
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
    pub send_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub category: Option<String>,
    pub deliveries: Vec<DeliveryView>,
}

/// A delivery with its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryView {
    pub id: DeliveryId,
    pub channel: String,
    pub provider: String,
    pub address: String,
    pub state: State,
    /// When it may be claimed; `None` while it is held or done.
    pub due_at: Option<Timestamp>,
    /// How often it was marked unknown.
    pub unknown_count: u32,
    pub updated_at: Timestamp,
    pub attempts: Vec<Attempt>,
    pub timeline: Vec<Entry>,
}

/// One attempt to send, as it was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    /// What the delivery became.
    pub state: State,
    pub class: Option<Class>,
    pub answer: String,
}

/// A line of a delivery's history, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub at: Timestamp,
    pub state: State,
    pub note: Option<String>,
}

/// A line in the list of notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationSummary {
    pub id: NotificationId,
    pub created_at: Timestamp,
    pub address: String,
    pub subject: String,
    pub category: Option<String>,
    /// Of its delivery.
    pub state: State,
}

/// A line in the list of deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliverySummary {
    pub id: DeliveryId,
    pub notification: NotificationId,
    /// The notification's.
    pub created_at: Timestamp,
    pub subject: String,
    pub channel: String,
    pub provider: String,
    pub address: String,
    pub state: State,
    pub attempts: u32,
    pub unknown_count: u32,
    pub due_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub state: Option<State>,
}

/// A part of a list, and where the next part begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// `None` on the last page.
    pub next: Option<Cursor>,
}

/// A place in a list, opaque to clients. It stays valid while rows are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub(super) [u8; 16]);

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// The text was not made by this API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: take it as it came, from `next`")]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| NotACursor)?;
        bytes.try_into().map(Self).map_err(|_| NotACursor)
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something happened, in the order of commits. Leases and intents are too many and too short to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    pub seq: u64,
    pub at: Timestamp,
    pub kind: EventKind,
    pub notification: NotificationId,
    pub delivery: DeliveryId,
    /// What the delivery became.
    pub state: State,
    /// What the provider said, where it did.
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A notification came in, and the delivery was planned.
    Planned,
    /// An attempt ended.
    Settled,
    /// Its deadline passed.
    Expired,
    /// A restart found it half-done.
    Recovered,
}

impl EventKind {
    pub(super) const ALL: [Self; 4] = [Self::Planned, Self::Settled, Self::Expired, Self::Recovered];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Settled => "settled",
            Self::Expired => "expired",
            Self::Recovered => "recovered",
        }
    }
}

/// A mail in the outbox viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMail {
    pub delivery: DeliveryId,
    pub notification: NotificationId,
    pub at: Timestamp,
    pub from: String,
    pub to: String,
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
    /// The bytes that a relay would have got.
    pub raw: Vec<u8>,
}

/// How many deliveries there are, and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Counted from the rows as they are.
    pub by_state: BTreeMap<State, u64>,
    /// Deliveries ever planned: counted up when a notification is accepted, independently of the rows.
    pub accepted_total: u64,
    /// Deliveries ever marked unknown, whatever became of them since.
    pub unknown_total: u64,
    /// Attempts ever settled.
    pub attempts_total: u64,
    /// Claimable deliveries by the provider they are planned for.
    pub claimable_by_provider: BTreeMap<String, u64>,
}

impl Counts {
    pub fn of(&self, state: State) -> u64 {
        self.by_state.get(&state).copied().unwrap_or(0)
    }

    /// Deliveries that are neither final nor unknown.
    pub fn pending(&self) -> u64 {
        self.by_state.iter().filter(|(state, _)| state.is_pending()).map(|(_, count)| count).sum()
    }

    /// Whether nothing was lost and nothing came from nowhere:
    /// accepted = delivered + dead + expired + cancelled + skipped + unknown + pending.
    pub fn balances(&self) -> bool {
        self.accepted_total == self.by_state.values().sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let cursor = Cursor([7; 16]);
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "!", "AAAA"] {
            assert_eq!(text.parse::<Cursor>(), Err(NotACursor));
        }
    }

    #[test]
    fn the_books_balance_only_when_every_delivery_is_somewhere() {
        let by_state = [(State::Accepted, 3), (State::Unknown, 1), (State::Retry, 2)].into();
        let counts = Counts { by_state, accepted_total: 6, ..Counts::default() };
        assert!(counts.balances());
        assert_eq!(counts.pending(), 2);
        assert!(!Counts { accepted_total: 7, ..counts }.balances());
    }
}
