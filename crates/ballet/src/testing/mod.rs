//! Tests that own time, order and mishap: what `#[ballet::test]` runs, and what it is steered with.
//!
//! [`run`] (`rehearsal`) runs the body of a test below a root of its own and judges what it left behind. `idle` knows
//! when nothing can run; from it follow virtual time beside real IO (`quiet`), time that is steered by hand (`time`),
//! and the end of a test that cannot go on (`standstill`). `seeds` runs a test in many orders of its polls, `cut` drops
//! it at each of its yields, `faults` makes things go wrong in it. What a flow does is tested event by event (`flow`),
//! a shutdown against a limit (`shutdown`).
//! Nothing in the crate uses this module.

mod cut;
mod faults;
mod flow;
mod idle;
mod quiet;
mod rehearsal;
mod seeds;
mod shutdown;
mod standstill;
mod time;

pub use cut::{CUTS_MAX, cancel_at_every_await};
pub use faults::{Faults, Point, at, passes};
pub use flow::{EVENTS_MAX, Event, Events, PATIENCE, ShowError, test_flow};
pub use quiet::{IO_PATIENCE, IO_QUIET};
pub use rehearsal::{run, take_unobserved};
pub use seeds::{Verdict, run_seeds};
pub use shutdown::assert_shutdown_within;
pub use time::{advance_by, real, wait_idle};
