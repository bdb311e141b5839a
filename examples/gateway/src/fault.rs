//! Why a part has no fresh value. The code of each is what a client reads in `meta.parts[].error_code`.
//!
//! A fault is decided here to be worth another attempt or not, and to speak against the upstream's health or not.

/// Why a part could not be fetched.
///
/// # Examples
///
/// ```
/// assert_eq!(gateway::Fault::Timeout.code(), "timeout");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// The deadline passed before the whole answer was there.
    #[error("the deadline passed before the whole answer was there")]
    Timeout,
    /// No connection could be made.
    #[error("no connection could be made")]
    Unreachable,
    /// The connection broke before the whole answer was there.
    #[error("the connection broke before the whole answer was there")]
    Interrupted,
    /// The upstream answered with a 5xx.
    #[error("the upstream answered with a 5xx")]
    ServerError,
    /// The upstream answered with something that is neither 200 nor a 5xx.
    #[error("the upstream answered with neither 200 nor a 5xx")]
    UnexpectedStatus,
    /// The answer is longer than the part may be.
    #[error("the answer is longer than the part may be")]
    TooLarge,
    /// The answer is not JSON, or not of the shape the part wants.
    #[error("the answer is not JSON, or not of the shape the part wants")]
    Malformed,
    /// The upstream was not asked, because it failed too often just now.
    #[error("the upstream failed too often just now and was not asked")]
    BreakerOpen,
    /// The gateway's own code for this part panicked.
    #[error("the gateway's own code for this part panicked")]
    Panicked,
    /// A required part failed, so nobody waited for this one.
    #[error("a required part failed, so nobody waited for this one")]
    NotNeeded,
}

impl Fault {
    /// The stable name of the fault on the wire and in metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
            Self::ServerError => "server_error",
            Self::UnexpectedStatus => "unexpected_status",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::BreakerOpen => "breaker_open",
            Self::Panicked => "panicked",
            Self::NotNeeded => "not_needed",
        }
    }

    /// Whether another attempt may well succeed: a timeout is none of these, since it has used up the time for one.
    pub(crate) const fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::Interrupted | Self::ServerError)
    }

    /// Whether the upstream is not well, as far as this one answer tells.
    ///
    /// A 404 for one id says nothing about the rest, and what goes wrong on our side is not the upstream's.
    pub(crate) const fn is_upstreams(self) -> bool {
        match self {
            Self::Timeout
            | Self::Unreachable
            | Self::Interrupted
            | Self::ServerError
            | Self::TooLarge
            | Self::Malformed => true,
            Self::UnexpectedStatus | Self::BreakerOpen | Self::Panicked | Self::NotNeeded => false,
        }
    }
}
