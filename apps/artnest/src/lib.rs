//! A studio for drawing together, in one binary.
//!
//! Read in this order: `PROTOCOL.md` for what is said, `wire` for its bytes, `canvas` for what a drawing is, `store` for
//! what is kept, `room` for how many draw in one, `socket` for one of them, `http` for what a browser asks, `serve` for
//! how they stand on one stage.

mod clock;
mod http;
mod links;
mod metrics;
mod room;
mod rooms;
mod socket;

pub mod canvas;
pub mod cli;
pub mod config;
pub mod ink;
pub mod model;
pub mod office;
pub mod serve;
pub mod store;
pub mod wire;
