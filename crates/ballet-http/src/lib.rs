#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod health;
mod server;

pub use health::Health;
pub use server::{ACCEPT_PAUSE, Server, serve};
