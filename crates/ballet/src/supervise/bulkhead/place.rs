//! A place in a bulkhead, with a type for each state that its holder can be in.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::lazy;

use super::Pool;
use crate::sync::{Ordering, wake_each};

/// The one holder of one place; its drop gives the place back, whichever state it is in.
pub(super) struct Place {
    pool: Arc<Pool>,
    busy: bool,
}

impl Place {
    /// The place that the line has just granted.
    pub(super) fn acquired(pool: &Arc<Pool>) -> Acquired {
        Acquired(Self { pool: Arc::clone(pool), busy: false })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut line = self.pool.line();
        if self.busy {
            self.pool.busy.fetch_sub(1, Ordering::Relaxed);
        }
        let next = line.give_back();
        drop(line);
        wake_each(next);
    }
}

/// A place that was acquired and is not worked in yet. Dropping it gives the place back.
///
/// # Examples
///
/// ```
/// let rooms = ballet::Bulkhead::new("rooms", 1);
/// let acquired = rooms.try_acquire()?;
/// acquired.release(); // changed my mind: back to idle
///
/// let busy = rooms.try_acquire()?.begin();
/// assert_eq!(rooms.occupancy().busy, 1);
/// busy.end();
/// assert_eq!(rooms.occupancy().in_use, 0);
/// # Ok::<(), ballet::Rejected>(())
/// ```
#[must_use = "dropping it gives the place back at once"]
pub struct Acquired(Place);

impl Acquired {
    /// Begins to work.
    pub fn begin(mut self) -> Busy {
        self.0.pool.busy.fetch_add(1, Ordering::Relaxed);
        self.0.busy = true;
        Busy(self.0)
    }

    /// Works, for as long as `work` runs, and gives the place back when that has ended, or when the future is dropped, as
    /// by a panic that unwinds. The work is gone before the place is free.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the work, then gives the place back.
    pub fn run<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        // In this order, in which they are dropped where nobody polls this.
        let held = (work, self);
        lazy(|_| {
            let (work, place) = held;
            let busy = place.begin();
            work.map(|output| {
                busy.end();
                output
            })
        })
        .flatten()
    }

    /// Gives the place back unused. The same as dropping it, with a name.
    pub fn release(self) {}
}

/// A place in which somebody works. Dropping it gives the place back, also while a panic unwinds.
///
/// Its example stands at [`Acquired`].
#[must_use = "dropping it ends the work and gives the place back at once"]
pub struct Busy(Place);

impl Busy {
    /// Ends the work and gives the place back. The same as dropping it, with a name.
    pub fn end(self) {}
}

impl fmt::Debug for Acquired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acquired({:?})", self.0.pool.name)
    }
}

impl fmt::Debug for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Busy({:?})", self.0.pool.name)
    }
}
