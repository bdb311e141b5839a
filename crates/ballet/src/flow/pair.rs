//! Two flows that become one, item by item: side by side, in turn, or whichever is first.
//!
//! Both are polled inside the collector's task, so nothing is spawned and what borrows may be paired.

mod combine;
mod interleave;
mod merge;
mod race;
mod zip;

pub use combine::Combine;
pub use interleave::Interleave;
pub use merge::Merge;
pub use race::Race;
pub use zip::Zip;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    First,
    Second,
}

impl Turn {
    fn next(self) -> Self {
        match self {
            Turn::First => Turn::Second,
            Turn::Second => Turn::First,
        }
    }
}
