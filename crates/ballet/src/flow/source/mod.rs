//! Where flows begin that are not written as code.

mod channel;
mod iter;
mod stream;
mod tick;

pub use channel::{ChannelCode, callback, channel, channel_flow};
pub use iter::{Iter, iter};
pub use stream::{FromStream, IntoStream, stream};
pub use tick::{Tick, tick};
