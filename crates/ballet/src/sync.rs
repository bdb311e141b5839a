//! The atomics of the lock-free steps: std's, or loom's where a model explores every order of them.
//!
//! `cargo xtask loom` builds the crate with `--cfg ballet_loom` and runs the models beside the code.

#[cfg(ballet_loom)]
pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering, fence};
#[cfg(not(ballet_loom))]
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering, fence};
