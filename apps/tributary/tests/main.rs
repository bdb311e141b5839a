//! The integration tests, one program.

mod corpus;
mod feeds;
mod new_kind;
mod social;
mod support;
mod web;
