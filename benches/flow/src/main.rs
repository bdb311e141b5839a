//! What flows cost: against plain loops, against the streams of Rust's ecosystem, against Kotlin's flows and Go.
//!
//! A scenario stands in a file of its own. Within one, all contenders take turns, round by round, in an order that moves
//! on by one each time, and each checks what it computed; `turns.rs` does that. Go and Kotlin are the programs of
//! benches/versus, whose SCENARIOS.md says what is done.

mod buffered;
mod chain;
mod fan_out;
mod merged;
mod state;
mod turns;

use anyhow::Result;
use bench_versus::{Language, Program};
use clap::Parser;
use tokio::runtime::{Builder, Runtime};

const WORKERS: usize = 2;

/// Measures flows, and prints the rows as JSON.
#[derive(Parser)]
struct Arguments {
    /// Only the comparisons whose name contains this, such as `buffer`.
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
}

/// Where everybody performs.
struct Stage {
    runtime: Runtime,
    go: Program,
    kotlin: Program,
}

fn main() -> Result<()> {
    let only = Arguments::parse().only;
    let mut stage = Stage {
        runtime: Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?,
        go: Program::start(Language::Go)?,
        kotlin: Program::start(Language::Kotlin)?,
    };
    let mut rows = Vec::new();
    for scenario in [chain::compare, buffered::compare, merged::compare, fan_out::compare, state::compare] {
        rows.extend(scenario(&mut stage, &only)?);
    }
    bench_report::print(&rows)?;
    Ok(())
}
