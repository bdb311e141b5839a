//! What happened, in order: each event with its time and its worker.

use std::fmt;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

/// A trace that begins now: one end to record it, the other to read it.
#[must_use]
pub fn trace() -> (Recorder, Trace) {
    // Without a bound, because recording must not wait: each worker of a story records three events at most.
    let (sender, receiver) = unbounded_channel();
    (Recorder { began: Instant::now(), sender }, Trace(receiver))
}

/// One thing that happened to one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// How long after the beginning of the trace.
    pub at: Duration,
    /// The number of the worker.
    pub worker: usize,
    /// What happened.
    pub step: Step,
}

/// What can happen to a worker that others can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It got a place.
    Acquired,
    /// It was turned away at once.
    Rejected,
    /// It gave its place back, for whatever reason.
    Released,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, worker, step } = self;
        let what = match step {
            Step::Acquired => "gets a place",
            Step::Rejected => "is turned away: the pool is full",
            Step::Released => "gives its place back",
        };
        write!(f, "{:>6} ms  worker {worker} {what}", at.as_millis())
    }
}

/// The end that writes. Clones write the same trace.
#[derive(Clone, Debug)]
pub struct Recorder {
    began: Instant,
    sender: UnboundedSender<Event>,
}

impl Recorder {
    /// Writes an event down. Where nobody reads the trace any more, it is dropped.
    pub(crate) fn record(&self, worker: usize, step: Step) {
        self.sender.send(Event { at: self.began.elapsed(), worker, step }).ok();
    }
}

/// The end that reads.
#[derive(Debug)]
pub struct Trace(UnboundedReceiver<Event>);

impl Trace {
    /// The next event; `None` when every recorder is gone.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// What has been recorded so far and not been read.
    pub fn so_far(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}
