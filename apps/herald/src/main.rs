//! Parse, wire, run.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::Parser;
use herald::{
    cli::{self, Cli, Command, Key},
    serve,
};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

fn main() -> ExitCode {
    log_to_stderr();
    run(Cli::parse().into_command()).unwrap_or_else(|error| {
        // Where nobody can be told, the exit code says it.
        let _ = writeln!(io::stderr(), "herald: {error}");
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> Result<ExitCode, ballet::Error> {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    match command {
        Command::Serve(overrides) => Ok(serve::serve(overrides)?),
        Command::Send(send) => Ok(runtime()?.block_on(cli::send(&send))?),
        Command::Status(status) => Ok(runtime()?.block_on(cli::status(&status))?),
        Command::Key(Key::Add { name, place }) => Ok(runtime()?.block_on(cli::add_key(&name, place))?),
    }
}

/// Standard output belongs to what was asked for; what happens on the way goes to standard error.
fn log_to_stderr() {
    let filter =
        EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).with_env_var("HERALD_LOG");
    let filter = filter.from_env().unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "herald: HERALD_LOG is ignored: {error}");
        filter.parse_lossy("")
    });
    let on_a_terminal = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(on_a_terminal).init();
}
