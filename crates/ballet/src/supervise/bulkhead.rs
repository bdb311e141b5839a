//! A bounded pool of places: who is in, who waits, who is turned away.
//!
//! ```text
//!            acquire, try_acquire, acquire_within
//!   Idle ──────────────────────────────────────────▶ Acquired ──── begin, run ────▶ Busy
//!    ▲                                                   │                            │
//!    └──────────── release, drop ────────────────────────┴───────── end, drop ────────┘
//! ```
//!
//! `line` holds everything that changes, under one lock, and is plain sequential code; `turn` is one caller in the
//! line; `place` is what a caller gets, with a type for each state above. This file is the handle. It refuses to run
//! or own anything: a place is a value, and whoever holds it gives it back by dropping it.

mod line;
mod place;
mod rejected;
mod turn;

pub use line::Occupancy;
pub use place::{Acquired, Busy};
pub use rejected::Rejected;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::coop::cooperative;

use crate::job::{Remark, lock};
use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, wake_each};
use line::{Answer, Line};
use place::Place;
use rejected::Why;
use turn::Turn;

/// A bounded pool of places, so that one overrun part of a system cannot sink the rest.
///
/// A caller takes a place with [`acquire`](Self::acquire), [`try_acquire`](Self::try_acquire) or
/// [`acquire_within`](Self::acquire_within), and gives it back by dropping it, however that comes about: at its end, by
/// a cancellation, by a panic. Places are granted in the order in which callers came; `try_acquire` overtakes nobody,
/// because a place is never free while somebody waits. Never more places are granted than there are.
///
/// Cloning is one reference count; all clones are one pool. It needs no runtime, apart from the clock of
/// `acquire_within`. It is not a mutex: with one place it excludes, but it protects no data.
///
/// # Cost
///
/// A place that is free costs one uncontended lock to take and one to give back, and no allocation; waiting adds an
/// entry in an ordered map.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::Bulkhead;
///
/// let printers = Bulkhead::new("printers", 1);
/// let place = printers.acquire().await?;
/// assert_eq!(
///     printers.try_acquire().unwrap_err().to_string(),
///     "the bulkhead `printers` is full: 1 of 1 places in use, 0 callers waiting",
/// );
/// assert_eq!(place.run(async { "printed" }).await, "printed"); // acquired → busy → given back
/// assert_eq!(printers.occupancy().in_use, 0);
/// # Ok(()) }
/// ```
///
/// Illegal steps do not compile. A place is given back once:
///
/// ```compile_fail,E0382
/// # fn wrong(place: ballet::Acquired) {
/// place.release();
/// place.release(); // error: use of moved value
/// # }
/// ```
///
/// Work that has not begun cannot end:
///
/// ```compile_fail,E0599
/// # fn wrong(place: ballet::Acquired) {
/// place.end(); // error: no method named `end`
/// # }
/// ```
///
/// Work that has begun is not begun again:
///
/// ```compile_fail,E0599
/// # fn wrong(place: ballet::Acquired) {
/// let busy = place.begin();
/// busy.begin(); // error: no method named `begin`
/// # }
/// ```
///
/// And a place cannot be made from nothing, or doubled:
///
/// ```compile_fail,E0599
/// # fn wrong(place: ballet::Acquired) {
/// let two = (place.clone(), place); // error: no method named `clone`
/// # }
/// ```
#[derive(Clone)]
pub struct Bulkhead(Arc<Pool>);

/// What all handles and all places of one bulkhead share.
struct Pool {
    name: Arc<str>,
    line: Mutex<Line>,
    /// How many places are busy. Only who holds a place raises it, and lowers it under the lock with which the place is
    /// given back; so whoever holds the lock reads no more than are in use.
    busy: AtomicUsize,
}

impl Pool {
    /// Of foreign code nothing but a waker's `clone` runs under this lock: wakers are woken and dropped after it.
    fn line(&self) -> MutexGuard<'_, Line> {
        lock(&self.line)
    }

    fn occupancy(&self, line: &Line) -> Occupancy {
        line.occupancy(self.busy.load(Ordering::Relaxed))
    }

    fn rejected(&self, why: Why, line: &Line) -> Rejected {
        Rejected::new(Arc::clone(&self.name), why, self.occupancy(line))
    }
}

/// What a job says that waits for a place.
impl Remark for Pool {
    fn remark(&self) -> String {
        let Occupancy { places, in_use, waiting, .. } = self.occupancy(&self.line());
        format!(
            "waits for the bulkhead `{}`: {in_use} of {places} places in use, {waiting} waiting",
            self.name
        )
    }
}

impl Bulkhead {
    /// A pool of `places`, under a name for its errors. With 0 places nobody gets in until it is
    /// [resized](Self::resize); `usize::MAX` is no bound at all.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, places: usize) -> Self {
        let name = Arc::from(&*name.into());
        Self(Arc::new(Pool { name, line: Mutex::new(Line::new(places)), busy: AtomicUsize::new(0) }))
    }

    /// The name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Waits for a place. Callers are served in the order in which they began to wait.
    ///
    /// # Errors
    ///
    /// [`Rejected`], for which [`is_closed`](Rejected::is_closed) holds: the bulkhead was closed before the caller's
    /// turn came.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future at any moment leaves the line. A place that was granted and not yet looked at goes to the
    /// next in line, so nothing is lost. Whoever calls again stands at the end.
    pub async fn acquire(&self) -> Result<Acquired, Rejected> {
        cooperative(Turn::new(&self.0)).await
    }

    /// Takes a place if one is free, and says no at once if not.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with how many places are in use: the bulkhead is full, or closed.
    pub fn try_acquire(&self) -> Result<Acquired, Rejected> {
        let mut line = self.0.line();
        match line.try_take() {
            Answer::Granted => Ok(Place::acquired(&self.0)),
            answer => {
                let why = if matches!(answer, Answer::Closed) { Why::Closed } else { Why::Full };
                Err(self.0.rejected(why, &line))
            }
        }
    }

    /// Waits for a place for at most `patience`. With a patience of zero it takes a place that is free now, and waits
    /// for none.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with how many places are in use: no turn came within `patience`, or the bulkhead was closed.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with its timer on.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_within(&self, patience: Duration) -> Result<Acquired, Rejected> {
        if let Ok(answer) = tokio::time::timeout(patience, self.acquire()).await {
            return answer;
        }
        let mut line = self.0.line();
        line.note_timed_out();
        Err(self.0.rejected(Why::TimedOut(patience), &line))
    }

    /// Sets how many places there are, from now on.
    ///
    /// More places are granted to those who wait, at once. Fewer take nothing away from those who are in: nobody is let
    /// in until enough of them have left. Of two calls at the same time the later one counts.
    ///
    /// # Examples
    ///
    /// ```
    /// let rooms = ballet::Bulkhead::new("rooms", 2);
    /// let (first, second) = (rooms.try_acquire()?, rooms.try_acquire()?);
    /// rooms.resize(1);
    /// drop(first);
    /// assert!(rooms.try_acquire().is_err()); // the second still holds the only place
    /// drop(second);
    /// assert!(rooms.try_acquire().is_ok());
    /// # Ok::<(), ballet::Rejected>(())
    /// ```
    pub fn resize(&self, places: usize) {
        let granted = self.0.line().resize(places);
        wake_each(granted);
    }

    /// Lets nobody in any more: everybody who waits, and everybody who comes, is [rejected](Rejected::is_closed).
    /// Places in use stay valid until they are given back. A second call does nothing; there is no way to open again.
    pub fn close(&self) {
        let waiting = self.0.line().close();
        wake_each(waiting);
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.line().is_closed()
    }

    /// How full it is now, and what it has done so far: all figures of the same moment.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        self.0.occupancy(&self.0.line())
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead")
            .field("name", &self.name())
            .field("occupancy", &self.occupancy())
            .finish_non_exhaustive()
    }
}
