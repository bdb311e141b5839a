//! Parse, wire, run.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::Parser;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};
use tributary::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(cli.log_level());
    cli::run(cli).unwrap_or_else(|error| {
        // Where nobody can be told, the exit code says it.
        let _ = writeln!(io::stderr(), "tributary: {error}");
        ExitCode::FAILURE
    })
}

/// Standard output belongs to what was asked for; what happens on the way goes to standard error.
fn log_to_stderr(level: LevelFilter) {
    let filter = EnvFilter::builder().with_default_directive(level.into()).with_env_var("TRIBUTARY_LOG");
    let filter = filter.from_env().unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "tributary: TRIBUTARY_LOG is ignored: {error}");
        filter.parse_lossy("")
    });
    let on_a_terminal = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(on_a_terminal).init();
}
