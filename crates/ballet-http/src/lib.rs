#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod around;
mod health;
mod server;

pub use around::{Around, around};
pub use health::Health;
pub use server::{ACCEPT_PAUSE, Server, serve};
