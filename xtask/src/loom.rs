//! The loom models of `crates/ballet/src`, which stand beside the code that they explore.
//!
//! They are built with a flag that replaces the library's atomics by loom's, so they have a target folder of their
//! own. A model whose steps are interleaved without bound may take hours; three preemptions find nearly all that is
//! to be found, and are what is explored here.

use anyhow::Result;

use crate::process;

const PREEMPTIONS_MAX: &str = "3";

/// Runs every model; the closing lines are the runner's own.
pub(crate) fn run_keeping() -> (Vec<String>, Result<()>) {
    let mut command = process::cargo();
    command
        .args(["test", "--package", "ballet", "--lib", "--target-dir", "target/loom", "--", "models"])
        .env("RUSTFLAGS", "--cfg ballet_loom")
        .env("LOOM_MAX_PREEMPTIONS", PREEMPTIONS_MAX);
    process::run_keeping(&mut command, |line| line.starts_with("test result: "))
}

/// Runs every model.
pub(crate) fn run() -> Result<()> {
    run_keeping().1
}
