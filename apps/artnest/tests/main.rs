//! Artnest's integration tests: the real program, loopback only.
//! They are modules of one test program, so that it is linked once and `support` has no unused half.

mod cli;
mod crash;
mod drain;
mod edges;
mod full;
mod http;
mod page;
mod roles;
mod rooms;
mod slow;
mod support;
