//! Herald's integration tests: the real program, a real SMTP server, loopback only.
//! They are modules of one test program, so that it is linked once and `support` has no unused half.

mod ambiguous;
mod cli;
mod crash;
mod drain;
mod engine;
mod http;
mod page;
mod smtp;
mod smtp_replies;
mod smtp_tls;
mod store;
mod support;
