//! What a flow has done, and what of that the test has taken.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::task::{Context as Poller, Poll, Waker};

use super::EVENTS_MAX;
use crate::flow::{FlowError, Never};
use crate::job::Fault;

/// How many of the events that were taken are remembered for a message.
const REMEMBERED: usize = 8;

/// One thing that a flow did.
#[derive(Clone, PartialEq, Eq)]
pub enum Event<T, E = Never> {
    /// It emitted an item.
    Item(T),
    /// It failed.
    Failed(E),
    /// It completed.
    Completed,
}

/// An error of a flow, as a message shows it.
///
/// Implemented for every error of a flow; there is nothing to write.
pub trait ShowError: FlowError {
    /// Its `Debug`.
    fn show(&self) -> String;
}

impl ShowError for Never {
    fn show(&self) -> String {
        match *self {}
    }
}

impl<E: Fault> ShowError for E {
    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl<T: fmt::Debug, E: ShowError> fmt::Debug for Event<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Item(item) => write!(f, "item {item:?}"),
            Event::Failed(error) => write!(f, "failed: {}", error.show()),
            Event::Completed => f.write_str("completed"),
        }
    }
}

impl<T, E> Event<T, E> {
    pub(super) fn into_item(self) -> Result<T, Self> {
        match self {
            Event::Item(item) => Ok(item),
            other => Err(other),
        }
    }

    pub(super) fn into_error(self) -> Result<E, Self> {
        match self {
            Event::Failed(error) => Ok(error),
            other => Err(other),
        }
    }

    pub(super) fn into_end(self) -> Result<(), Self> {
        match self {
            Event::Completed => Ok(()),
            other => Err(other),
        }
    }
}

/// What there is to take, and how the flow is to go on.
pub(super) struct Log<T, E> {
    events: VecDeque<Event<T, E>>,
    /// The last that were taken, as text, and how many were taken before those.
    taken: VecDeque<String>,
    forgotten: usize,
    waiting: Option<Waker>,
    pub(super) wish: Wish,
}

/// What the test wants of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// That it runs.
    Run,
    /// That it is dropped.
    Cancel,
    /// Nothing more.
    Cancelled,
}

impl<T, E> Log<T, E> {
    pub(super) fn new() -> Self {
        Self { events: VecDeque::new(), taken: VecDeque::new(), forgotten: 0, waiting: None, wish: Wish::Run }
    }

    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= EVENTS_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whoever waits for an event is to be woken.
    #[must_use]
    pub(super) fn push(&mut self, event: Event<T, E>) -> Option<Waker> {
        self.events.push_back(event);
        self.waiting.take()
    }

    pub(super) fn poll_next(&mut self, cx: &mut Poller<'_>) -> Poll<Event<T, E>> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                self.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(super) fn take_all(&mut self) -> Vec<Event<T, E>> {
        self.events.drain(..).collect()
    }
}

impl<T: fmt::Debug, E: ShowError> Log<T, E> {
    pub(super) fn remember(&mut self, event: String) {
        self.taken.push_back(event);
        if self.taken.len() > REMEMBERED {
            self.taken.pop_front();
            self.forgotten += 1;
        }
    }

    /// The message of a failure: what is wrong, and what has happened.
    pub(super) fn message(&self, wrong: &str) -> String {
        let mut message = format!("{wrong}\n  taken before: {}", self.taken());
        for (index, event) in self.events.iter().enumerate() {
            let _ = write!(
                message,
                "\n  {} {event:?}",
                if index == 0 { "not taken:   " } else { "             " }
            );
        }
        if self.is_full() {
            let _ = write!(message, "\n  and perhaps more: a flow waits while {EVENTS_MAX} are not taken");
        }
        message
    }

    fn taken(&self) -> String {
        let taken = Vec::from_iter(self.taken.iter().map(String::as_str)).join(", ");
        match (self.forgotten, self.taken.is_empty()) {
            (0, true) => "nothing".to_owned(),
            (0, false) => taken,
            (forgotten, _) => format!("{forgotten} events, then {taken}"),
        }
    }
}
