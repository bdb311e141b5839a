//! An aggregating HTTP gateway that answers with what it has.
//!
//! A page is composed of parts, each fetched from an upstream of its own, all under one supervisor scope and one
//! deadline. A part that is dead or late does not take the page with it: its last good value, its fallback or
//! nothing stands in its place, and the answer says which and why. Read `gateway` for how a page is composed, `part`
//! for how one part is fetched, `http` for what goes over the wire.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod config;
mod fault;
mod gateway;
mod identity;
mod page;

mod cache;
mod part;

mod http;
mod metrics;
mod server;

pub mod cli;
pub mod demo;

pub use config::{
    BreakerSettings, CacheSettings, Config, ConfigError, Method, Need, PartSettings, RetrySettings,
};
pub use fault::Fault;
pub use gateway::{Gateway, StartError, Unavailable, Visit};
pub use identity::Identity;
pub use page::{Page, Slot, Status};
pub use part::Reshape;
pub use server::serve;
