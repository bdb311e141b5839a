//! The conformance cases: what the most trusted systems of structured concurrency promise, one test a case.
//!
//! A test's name begins with its case's number; the cases, and the suites they come from, are listed in
//! `docs/conformance.md`, and `cargo xtask tidy` holds the list and the tests together. Where a rule of the design
//! decides differently from the source, the comment above the test says so. Other behaviour is tested beside this folder.

mod cancellation;
mod cleanup;
mod failure;
mod late;
mod ownership;
mod shields;
mod supervision;
mod supervisors;
mod timeouts;
mod words;
