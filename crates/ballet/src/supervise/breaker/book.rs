//! The book of a breaker: its state, and what it has seen. Plain sequential code; its caller holds the lock.

use std::fmt;

use tokio::time::Instant;

use super::trip::{Recent, Trip};
use crate::supervise::backoff::{Backoff, after};

/// The state of a [`Breaker`](crate::Breaker).
///
/// # Examples
///
/// See [`Breaker`](crate::Breaker).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It lets every call through.
    Closed {
        /// Failures since the last success.
        failures: u32,
    },
    /// It turns everybody away, until then at least.
    Open {
        /// From when on one caller is let through.
        until: Instant,
    },
    /// One call is under way, and decides; everybody else is turned away.
    HalfOpen,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BreakerState::Closed { .. } => f.write_str("closed"),
            BreakerState::Open { until } => {
                write!(f, "open for another {:.1?}", until.saturating_duration_since(Instant::now()))
            }
            BreakerState::HalfOpen => f.write_str("half-open"),
        }
    }
}

pub(super) struct Book {
    recent: Recent,
    rest: Backoff,
    state: State,
    /// How often it has opened. A ticket from before the last time is out of date.
    era: u64,
    /// How often it has opened since it was closed.
    openings: u32,
}

#[derive(Clone, Copy)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen,
}

/// A call that was let through.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    era: u64,
    is_probe: bool,
}

impl Book {
    pub(super) fn new(trip: Trip, rest: Backoff) -> Self {
        Self { recent: Recent::new(trip), rest, state: State::Closed, era: 0, openings: 0 }
    }

    pub(super) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed { failures: self.recent.in_a_row() },
            State::Open { until } => BreakerState::Open { until },
            State::HalfOpen => BreakerState::HalfOpen,
        }
    }

    /// Lets a call through, or says until when it does not, if that is known.
    pub(super) fn try_admit(&mut self, now: Instant) -> Result<Ticket, Option<Instant>> {
        match self.state {
            State::Closed => Ok(Ticket { era: self.era, is_probe: false }),
            State::Open { until } if now < until => Err(Some(until)),
            State::Open { .. } => {
                self.state = State::HalfOpen;
                Ok(Ticket { era: self.era, is_probe: true })
            }
            State::HalfOpen => Err(None),
        }
    }

    /// A call succeeded. This and the next three say whether the state has changed.
    pub(super) fn succeeded(&mut self, ticket: Ticket, now: Instant) -> bool {
        if self.is_probe(ticket) {
            self.recent.forget();
            (self.state, self.openings) = (State::Closed, 0);
            return true;
        }
        if self.counts(ticket) {
            self.recent.count(false, now);
        }
        false
    }

    pub(super) fn failed(&mut self, ticket: Ticket, now: Instant) -> bool {
        let opens = self.is_probe(ticket) || self.counts(ticket) && self.recent.count(true, now);
        if opens {
            self.open(now);
        }
        opens
    }

    pub(super) fn trip(&mut self, ticket: Ticket, now: Instant) -> bool {
        let opens = self.is_probe(ticket) || self.counts(ticket);
        if opens {
            self.open(now);
        }
        opens
    }

    /// A call said nothing. Where it was the one that decides, the next one may try.
    pub(super) fn give_back(&mut self, ticket: Ticket, now: Instant) -> bool {
        let was_probe = self.is_probe(ticket);
        if was_probe {
            self.state = State::Open { until: now };
        }
        was_probe
    }

    fn open(&mut self, now: Instant) {
        let until = after(now, self.rest.delay(self.openings));
        self.state = State::Open { until };
        self.openings = self.openings.saturating_add(1);
        self.era += 1;
    }

    /// Whether this is the call that decides.
    fn is_probe(&self, ticket: Ticket) -> bool {
        ticket.is_probe && ticket.era == self.era && matches!(self.state, State::HalfOpen)
    }

    /// Whether this call is one of those that the closed breaker counts.
    fn counts(&self, ticket: Ticket) -> bool {
        ticket.era == self.era && matches!(self.state, State::Closed)
    }
}
