//! The state of a delivery.
//!
//! ```text
//! planned ─┐
//! due ─────┤        intend          settle
//! retry ───┼ claim ──► leased ──► intent ──► accepted | dead
//! unknown ─┘             │           ├─────► retry | unknown | due   (claimed again when due)
//!    ▲                   │           └─────► expired
//!    └──── due ◄─────────┘ release
//! ```
//!
//! A claim past the deadline gives `expired`. A restart gives `leased → due` and `intent → unknown`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for its `send_at`.
    Planned,
    /// May be claimed now.
    Due,
    /// A provider of this epoch holds it; nothing was sent yet.
    Leased,
    /// Durably about to be sent: from here on a crash leaves its fate unknown.
    Intent,
    /// The provider took it. Final.
    Accepted,
    /// A transient failure; may be claimed again at its `due_at`.
    Retry,
    /// It may or may not have been sent. May be claimed again, as its channel's policy says.
    Unknown,
    /// A permanent failure. Final.
    Dead,
    /// Its deadline passed before it was sent. Final.
    Expired,
    /// Withdrawn before it was sent. Final.
    Cancelled,
    /// Never meant to be sent, for a reason known when it was planned. Final.
    Skipped,
}

impl State {
    pub const ALL: [Self; 11] = [
        Self::Planned,
        Self::Due,
        Self::Leased,
        Self::Intent,
        Self::Accepted,
        Self::Retry,
        Self::Unknown,
        Self::Dead,
        Self::Expired,
        Self::Cancelled,
        Self::Skipped,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Due => "due",
            Self::Leased => "leased",
            Self::Intent => "intent",
            Self::Accepted => "accepted",
            Self::Retry => "retry",
            Self::Unknown => "unknown",
            Self::Dead => "dead",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether nothing will ever change it again.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Accepted | Self::Dead | Self::Expired | Self::Cancelled | Self::Skipped)
    }

    /// Whether work is still owed: neither final nor unknown.
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Planned | Self::Due | Self::Leased | Self::Intent | Self::Retry)
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a state: expected one of planned, due, leased, intent, accepted, retry, unknown, dead, expired, cancelled, skipped"
)]
pub struct NotAState;

impl FromStr for State {
    type Err = NotAState;

    fn from_str(text: &str) -> Result<Self, NotAState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(NotAState)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_survives_its_text() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!("gone".parse::<State>(), Err(NotAState));
    }

    #[test]
    fn only_unknown_is_neither_final_nor_pending() {
        for state in State::ALL {
            let settled_or_owed = state.is_final() ^ state.is_pending();
            assert_eq!(settled_or_owed, state != State::Unknown, "{state}");
        }
    }
}
