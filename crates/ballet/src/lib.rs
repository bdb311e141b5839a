//! Structured concurrency for Rust on Tokio.
