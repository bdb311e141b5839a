//! Flows: values over time.
//!
//! The hot one stands here: a [`SharedFlow`] tells every subscriber every item (`shared`). It runs by itself, whether
//! anybody listens or not, and can end. It refuses to own a job: whoever holds an [`Emitter`] is what drives it.

mod audience;
mod shared;
mod wait_list;

pub use shared::{Emitter, NotEmitted, Overflow, SharedError, SharedFlow, Sharing, Subscriber};
