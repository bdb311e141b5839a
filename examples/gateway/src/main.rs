//! Parse, wire, run.

use std::io::{self, IsTerminal};

use clap::Parser;
use gateway::cli::Cli;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

#[ballet::main]
async fn main(scope: ballet::Scope) -> Result<(), ballet::Error> {
    // Standard output belongs to what was asked for.
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = filter.with_env_var("GATEWAY_LOG").from_env_lossy();
    let on_a_terminal = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(on_a_terminal).init();
    Cli::parse().run(&scope).await
}
