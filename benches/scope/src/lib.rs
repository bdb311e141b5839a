//! The measuring half of the benchmark: a process that reads a [`Case`] per line and answers with its figure.
//!
//! An allocator is chosen when a program is linked, so there is a program for each in `bin/`, and all they differ in
//! is that. `main.rs` is the asking half, which decides what is measured and makes rows of it. Read `case.rs` for
//! what there is to measure, then `scenario.rs` for how, then `peer/` for how each peer does it.

mod case;
mod child;
mod peer;
mod scenario;
mod serve;

pub use case::{Allocator, Case, Flavour, Scenario, Work};
pub use peer::Peer;
pub use serve::serve;
