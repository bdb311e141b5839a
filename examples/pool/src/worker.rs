//! A worker, with a type for each state it can be in.
//!
//! ```text
//!   Idle ── try_acquire, acquire ──▶ Acquired ── begin ──▶ Busy
//!    ▲                                  │                    │
//!    └────────────── cancel ────────────┴─────── end ────────┘
//! ```
//!
//! Each step consumes one state and gives the next. Whoever drops a worker that holds a place, in a cancellation or a
//! panic, takes the arrow back to idle as well; only the worker itself is gone then.

use ballet::{Bulkhead, Rejected};

use crate::{Recorder, Step};

/// A worker without a place.
///
/// A worker that has given its place back has none to give:
///
/// ```compile_fail,E0382
/// # fn wrong(busy: pool::Busy) {
/// busy.end();
/// busy.end(); // error: use of moved value
/// # }
/// ```
///
/// One that was cancelled does not begin:
///
/// ```compile_fail,E0382
/// # fn wrong(acquired: pool::Acquired) {
/// let idle = acquired.cancel();
/// acquired.begin(); // error: use of moved value
/// # }
/// ```
///
/// And one that is idle has nothing to end:
///
/// ```compile_fail,E0599
/// # fn wrong(idle: pool::Idle) {
/// idle.end(); // error: no method named `end`
/// # }
/// ```
#[derive(Debug)]
pub struct Idle(Worker);

/// What stays of a worker through all its states.
#[derive(Clone, Debug)]
struct Worker {
    number: usize,
    pool: Bulkhead,
    recorder: Recorder,
}

/// A worker with a place, which has not begun. Dropping it gives the place back.
#[derive(Debug)]
#[must_use = "dropping it gives the place back at once"]
pub struct Acquired {
    presence: Presence,
    place: ballet::Acquired,
}

/// A worker at work. Dropping it gives the place back.
#[derive(Debug)]
#[must_use = "dropping it gives the place back at once"]
pub struct Busy {
    presence: Presence,
    place: ballet::Busy,
}

/// Records the release when it is dropped. It stands before the place in each state, so that the release is in the trace
/// before anybody else can get the place.
#[derive(Debug)]
struct Presence(Worker);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.recorder.record(self.0.number, Step::Released);
    }
}

/// A worker that was given no place, and why.
#[derive(Debug)]
pub struct TurnedAway {
    /// The worker, idle as before.
    pub idle: Idle,
    /// What the pool said.
    pub rejected: Rejected,
}

impl Idle {
    /// A worker of `pool`, which writes what happens to it into the trace of `recorder`.
    #[must_use]
    pub fn new(number: usize, pool: &Bulkhead, recorder: &Recorder) -> Self {
        Self(Worker { number, pool: pool.clone(), recorder: recorder.clone() })
    }

    /// Takes a place if one is free.
    ///
    /// # Errors
    ///
    /// [`TurnedAway`] at once, and in the trace, if none is.
    pub fn try_acquire(self) -> Result<Acquired, TurnedAway> {
        match self.0.pool.try_acquire() {
            Ok(place) => Ok(self.admitted(place)),
            Err(rejected) => {
                self.0.recorder.record(self.0.number, Step::Rejected);
                Err(TurnedAway { idle: self, rejected })
            }
        }
    }

    /// Waits for a place, in the order of arrival.
    ///
    /// # Errors
    ///
    /// [`TurnedAway`] where the pool is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the line; no place is lost, and nothing was recorded.
    pub async fn acquire(self) -> Result<Acquired, TurnedAway> {
        match self.0.pool.acquire().await {
            Ok(place) => Ok(self.admitted(place)),
            Err(rejected) => Err(TurnedAway { idle: self, rejected }),
        }
    }

    fn admitted(self, place: ballet::Acquired) -> Acquired {
        self.0.recorder.record(self.0.number, Step::Acquired);
        Acquired { presence: Presence(self.0), place }
    }
}

impl Acquired {
    /// Begins to work.
    pub fn begin(self) -> Busy {
        Busy { presence: self.presence, place: self.place.begin() }
    }

    /// Gives the place back unused.
    #[must_use]
    pub fn cancel(self) -> Idle {
        let idle = self.presence.leave();
        self.place.release();
        idle
    }
}

impl Busy {
    /// Works for as long as `work` takes. Where that panics or is dropped, it is gone before the place is given back.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the work, then gives the place back.
    pub async fn work<F: Future>(self, work: F) -> (Idle, F::Output) {
        let value = work.await;
        (self.end(), value)
    }

    /// Ends the work and gives the place back.
    pub fn end(self) -> Idle {
        let idle = self.presence.leave();
        self.place.end();
        idle
    }
}

impl Presence {
    /// Records the release, by dropping itself.
    fn leave(self) -> Idle {
        Idle(self.0.clone())
    }
}
