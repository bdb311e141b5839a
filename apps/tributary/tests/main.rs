//! The integration tests, one program.

mod support;
mod web;
