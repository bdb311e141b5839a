//! Parse, wire, run.

use std::io::{self, IsTerminal, Write};

use clap::Parser;
use gateway::cli::Cli;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

#[ballet::main]
async fn main(scope: ballet::Scope) -> Result<(), ballet::Error> {
    log_to_stderr();
    Cli::parse().run(&scope).await
}

/// Standard output belongs to what was asked for; what happens on the way goes to standard error.
fn log_to_stderr() {
    let filter =
        EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).with_env_var("GATEWAY_LOG");
    let filter = filter.from_env().unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "gateway: GATEWAY_LOG is ignored: {error}");
        filter.parse_lossy("")
    });
    let on_a_terminal = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(on_a_terminal).init();
}
