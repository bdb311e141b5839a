//! The gateway's integration tests: real servers on loopback, real time, short deadlines.
//! They are modules of one test program, so that it is linked once and `support` has no unused half.
//!
//! `table` holds every combination of three parts and seven states against an oracle; `edge` the cases that every
//! application's suite shares by name; `resilience` retries, breakers and load; `process` the program itself.

mod edge;
mod oracle;
mod process;
mod resilience;
mod support;
mod table;
