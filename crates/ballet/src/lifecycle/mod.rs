//! A process's life: it runs, is asked to end, and ends in phases that each have a budget.
//!
//! A [`Stage`] runs one scope as the whole program and turns SIGINT and SIGTERM into
//! *ready off → drain → cancel → finalize → abort*. What each phase took and who was left is told by the
//! [`Curtain`]. It refuses to decide what draining means: components wait for [`draining`] and stop taking work.

mod curtain;
mod phase;
mod signals;
mod stage;

pub use curtain::{Curtain, Departure, Ending};
pub use phase::{Phase, Phases, draining};
pub use stage::Stage;

use std::process::ExitCode;
use std::time::Duration;

use crate::job::Error;
use crate::scope::Scope;

/// How long a runtime that is done waits for threads in blocking calls before the process exits.
const BLOCKING_BUDGET: Duration = Duration::from_secs(1);

/// What `#[ballet::main]` calls: a multi-thread runtime with a [`Stage`] in its default form.
///
/// Prints the failure, if there is one, and the timeline, if the program was asked to end, on standard error.
#[doc(hidden)]
pub fn main(body: impl AsyncFnOnce(Scope) -> Result<(), Error>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the Tokio runtime could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let curtain = runtime.block_on(Stage::new().run(body));
    runtime.shutdown_timeout(BLOCKING_BUDGET);
    if let Some(failure) = curtain.failure() {
        eprintln!("{failure}");
    }
    if curtain.was_asked() {
        eprint!("{curtain}");
    }
    curtain.exit_code()
}
