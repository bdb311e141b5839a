//! Parse, wire, run.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use artnest::{
    cli::{self, Cli, Command},
    serve,
};
use clap::Parser;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

fn main() -> ExitCode {
    log_to_stderr();
    run(Cli::parse().into_command()).unwrap_or_else(|error| {
        // Where nobody can be told, the exit code says it.
        let _ = writeln!(io::stderr(), "artnest: {error}");
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> Result<ExitCode, ballet::Error> {
    match command {
        Command::Serve(overrides) => Ok(serve::serve(overrides)?),
        Command::Operate(operate) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(cli::run(operate))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Standard output belongs to what was asked for; what happens on the way goes to standard error.
fn log_to_stderr() {
    let filter =
        EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).with_env_var("ARTNEST_LOG");
    let filter = filter.from_env().unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "artnest: ARTNEST_LOG is ignored: {error}");
        filter.parse_lossy("")
    });
    let on_a_terminal = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(on_a_terminal).init();
}
