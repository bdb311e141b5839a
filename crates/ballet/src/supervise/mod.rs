//! What keeps a system up while parts of it fail or are overrun.
//!
//! Today this is the [`Bulkhead`], a bounded pool of places. The module stands above [`crate::scope`] and may use
//! it; it refuses to own jobs of its own. Read `bulkhead` first.

mod bulkhead;

pub use bulkhead::{Acquired, Bulkhead, Busy, Occupancy, Rejected};
