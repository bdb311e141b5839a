//! What keeps a system up while parts of it fail or are overrun.
//!
//! Today this is the [`Bulkhead`], a bounded pool of places, and with it blocking work that has a bound of its own
//! (`blocking`). The module stands above [`crate::scope`] and may use it; it refuses to own jobs. Read `bulkhead` first.

mod blocking;
mod bulkhead;

pub use bulkhead::{Acquired, Bulkhead, Busy, Occupancy, Rejected};
