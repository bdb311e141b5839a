//! Herald's integration tests: the real program, a real SMTP server, loopback only.
//! They are modules of one test program, so that it is linked once and `support` has no unused half.

mod smtp;
mod support;
