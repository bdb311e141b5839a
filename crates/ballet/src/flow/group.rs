//! Items in groups: by number, by time, and by what they are.

mod chunked;
mod group_by;
mod within;

pub use chunked::{Chunked, Windowed};
pub use group_by::{Group, GroupBy};
pub use within::GroupedWithin;
