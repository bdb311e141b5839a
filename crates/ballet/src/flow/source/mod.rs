//! Where flows begin that are not written as code.

mod iter;
mod stream;
mod tick;

pub use iter::{Iter, iter};
pub use stream::{FromStream, IntoStream, stream};
pub use tick::{Tick, tick};
