//! Flows: values over time.
//!
//! The hot ones stand here: a [`SharedFlow`] tells every subscriber every item (`shared`), and a [`StateFlow`] tells
//! every watcher the newest value (`state`). Both run by themselves, whether anybody listens or not, and both can end.
//! They refuse to own a job: whoever holds an [`SharedEmitter`] or a [`StateCell`] is what drives them. Read `shared` first.

mod audience;
mod shared;
mod state;
mod wait_list;

pub use shared::{NotEmitted, Overflow, SharedEmitter, SharedError, SharedFlow, Sharing, Subscriber};
pub use state::{Ended, StateCell, StateFlow, Watcher};
