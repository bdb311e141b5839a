//! The one error of a bulkhead.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Occupancy;

/// A [`Bulkhead`](crate::Bulkhead) did not let a caller in: it was full, no turn came in time, or it is closed.
///
/// # Examples
///
/// ```
/// let rooms = ballet::Bulkhead::new("rooms", 1);
/// let first = rooms.try_acquire()?;
/// let rejected = rooms.try_acquire().unwrap_err();
/// assert!(rejected.is_full() && !rejected.is_closed());
/// assert_eq!((rejected.in_use(), rejected.places()), (1, 1));
///
/// rooms.close();
/// assert!(rooms.try_acquire().unwrap_err().is_closed());
/// # Ok::<(), ballet::Rejected>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rejected {
    bulkhead: Arc<str>,
    why: Why,
    places: usize,
    in_use: usize,
    waiting: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Why {
    Full,
    TimedOut(Duration),
    Closed,
}

impl Rejected {
    pub(super) fn new(bulkhead: Arc<str>, why: Why, occupancy: Occupancy) -> Self {
        let Occupancy { places, in_use, waiting, .. } = occupancy;
        Self { bulkhead, why, places, in_use, waiting }
    }

    /// The bulkhead's name.
    #[must_use]
    pub fn bulkhead(&self) -> &str {
        &self.bulkhead
    }

    /// Whether it was full and the caller did not want to wait.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.why, Why::Full)
    }

    /// Whether the caller's patience ended before a turn came.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        matches!(self.why, Why::TimedOut(_))
    }

    /// Whether it is closed: no later call will succeed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.why, Why::Closed)
    }

    /// How many places were in use at that moment.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.in_use
    }

    /// How many places there were at that moment.
    #[must_use]
    pub fn places(&self) -> usize {
        self.places
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bulkhead, places, in_use, waiting, .. } = self;
        match self.why {
            Why::Full => write!(f, "the bulkhead `{bulkhead}` is full")?,
            Why::TimedOut(patience) => {
                write!(f, "the bulkhead `{bulkhead}` had no place within {patience:?}")?;
            }
            Why::Closed => return write!(f, "the bulkhead `{bulkhead}` is closed"),
        }
        write!(f, ": {in_use} of {places} places in use, {waiting} callers waiting")
    }
}

impl std::error::Error for Rejected {}
