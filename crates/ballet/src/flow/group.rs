//! Items in groups: by number, by time, and by what they are.

mod chunked;
mod group_by;
mod mailbox;
mod within;

pub use chunked::{Chunked, Windowed};
pub use group_by::GroupBy;
pub use mailbox::Group;
pub use within::GroupedWithin;
