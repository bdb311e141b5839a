//! A daemon that reads feeds and APIs, each under supervision, and loses nothing on the way to its sinks.
//!
//! Read in this order: `source` for what a source is and `item` for what it gives, `kinds` for the sources there are, `web`
//! for how they reach their servers; `store` for what is kept, `sources` for the loop around a source, `sinks` for where
//! items go; `config` for the one file, `daemon` for how all of it stands on one stage, `http` for the status page.

mod charset;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
mod digest;
pub mod fields;
mod files;
pub mod http;
pub mod item;
pub mod kinds;
pub mod sinks;
pub mod source;
pub mod sources;
pub mod store;
mod text;
pub mod web;
