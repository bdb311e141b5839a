//! The project's automation: what a developer runs is what CI runs.
//!
//! Each command is one module; `process` is how they all run a program. Nothing here imports the product, so
//! that the automation builds while the product does not: `tidy` holds it to that.

mod bench;
mod loom;
mod process;
mod sanitize;
mod setup;
mod soak;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// The project's automation. Run it as `cargo xtask <COMMAND>`.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the tests need and this machine lacks; says where each tool was found.
    Setup,
    /// Everything a change must pass: formatting, lints, tests, documentation, structure.
    Test(test::Options),
    /// Check what compilers do not: the architecture's arrows, dependencies, links in Markdown.
    Tidy,
    /// Explore every order of the steps of Ballet's lock-free protocols.
    Loom,
    /// Run Ballet's tests under the address and thread sanitizers and Miri, as far as this machine has them.
    Sanitize,
    /// Put random trees under load with faults, and watch that nothing is left behind.
    Soak(soak::Options),
    /// Run a benchmark and print its table.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    // Every path in xtask is relative to the workspace, wherever it was called from.
    let root = workspace::root();
    std::env::set_current_dir(&root).with_context(|| format!("cannot enter {}", root.display()))?;
    match &arguments.command {
        Command::Setup => setup::run(),
        Command::Test(options) => test::run(options),
        Command::Tidy => tidy::run(),
        Command::Loom => loom::run(),
        Command::Sanitize => sanitize::run(),
        Command::Soak(options) => soak::run(options),
        Command::Bench(options) => bench::run(options),
    }
}
