//! A daemon that reads feeds and APIs, each under supervision, and loses nothing on the way to its sinks.
//!
//! Read in this order: `source` for what a source is and `item` for what it gives, `kinds` for the sources there are, `web`
//! for how they reach their servers.

pub mod clock;
pub mod fields;
pub mod item;
pub mod kinds;
pub mod source;
mod text;
pub mod web;
