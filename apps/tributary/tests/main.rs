//! The integration tests, one program.

mod cli;
mod clock;
mod corpus;
mod crash;
mod crowd;
mod edges;
mod feeds;
mod new_kind;
mod page;
mod reload;
mod sinks;
mod social;
mod support;
mod web;
