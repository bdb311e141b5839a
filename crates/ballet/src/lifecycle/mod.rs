//! A process's life: it runs, is asked to end, and ends in phases that each have a budget.
//!
//! A [`Stage`] runs one scope as the whole program and turns SIGINT and SIGTERM into
//! *ready off → drain → cancel → finalize → abort*. What each phase took and who was left is told by the
//! [`Curtain`]. It refuses to decide what draining means: components wait for [`draining`] and stop taking work.

mod component;
mod curtain;
#[cfg(feature = "serde")]
mod json;
mod phase;
mod signals;
mod stage;
#[cfg(feature = "systemd")]
mod systemd;

pub use component::component;
pub use curtain::{Curtain, Departure, Ending};
pub use phase::{Phase, Phases, draining};
pub use stage::Stage;

use std::process::ExitCode;

use crate::job::Error;
use crate::scope::Scope;

/// What `#[ballet::main]` calls: a [`Stage`] in its default form, on a runtime of its own, with its report.
#[doc(hidden)]
pub fn main(body: impl AsyncFnOnce(Scope) -> Result<(), Error>) -> ExitCode {
    match Stage::new().block_on(body) {
        Ok(curtain) => curtain.report(),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
