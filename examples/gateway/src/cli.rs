//! The command line: what each word and flag means, and what it does.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ballet::Scope;
use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;

use crate::{Config, Gateway, demo, serve};

const AFTER_HELP: &str = "\
A configuration needs one part; everything else has a default:

  [[part]]
  name = \"profile\"
  need = \"required\"            # or \"optional\", or \"fallback\" with fallback = …
  url = \"http://127.0.0.1:9101/profile/{id}\"

Then `gateway check --config FILE`, `gateway serve --config FILE`, and
`curl -i http://127.0.0.1:8080/page/42`. examples/gateway/gateway.toml has every setting.";

/// Composes pages from parts under one deadline, and answers with what there is.
#[derive(Debug, Parser)]
#[command(name = "gateway", version, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve pages until SIGTERM or Ctrl-C
    Serve(File),
    /// Say whether a configuration is right, and what it means
    Check(File),
    /// Serve a page whose three upstreams can be made ill, to see what becomes of it
    Demo {
        /// Where to serve the page
        #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
    },
}

#[derive(Debug, Args)]
struct File {
    /// The TOML file with the configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Cli {
    /// Does what was asked for, as jobs of the scope.
    ///
    /// # Errors
    ///
    /// When the configuration is wrong or an address is taken, with the remedy.
    pub async fn run(self, scope: &Scope) -> Result<(), ballet::Error> {
        match self.command {
            Command::Serve(file) => start(scope, &file.config).await,
            Command::Check(file) => check(&file.config),
            Command::Demo { listen } => demo::run(scope, listen).await,
        }
    }
}

async fn start(scope: &Scope, path: &Path) -> Result<(), ballet::Error> {
    let config = Config::load(path)?;
    let pages = bind(config.listen, "Change `listen` in the configuration.").await?;
    let admin = match config.admin {
        Some(address) => Some(bind(address, "Change `admin` in the configuration.").await?),
        None => None,
    };
    if config.admin.is_some_and(|address| !address.ip().is_loopback()) {
        tracing::warn!("metrics and the tree can be read beyond this machine: put `admin` on loopback");
    }
    if let Some(admin) = &admin {
        tracing::info!(address = %admin.local_addr()?, "serving /metrics and /tree");
    }
    tracing::info!(address = %pages.local_addr()?, parts = config.parts.len(), "serving pages");
    scope.named("gateway").spawn(serve(Arc::new(Gateway::new(&config)?), pages, admin));
    Ok(())
}

/// Takes a port, or says which one is not to be had and what helps.
pub(crate) async fn bind(address: SocketAddr, remedy: &str) -> Result<TcpListener, ballet::Error> {
    TcpListener::bind(address)
        .await
        .map_err(|error| ballet::Error::msg(format!("cannot listen on {address}: {error}\n{remedy}")))
}

fn check(path: &Path) -> Result<(), ballet::Error> {
    let config = Config::load(path)?;
    let mut out = io::stdout().lock();
    let Config { listen, deadline_ms, pages_max, .. } = config;
    writeln!(out, "right: http://{listen}/page/ID within {deadline_ms} ms, {pages_max} pages at a time")?;
    for part in &config.parts {
        let need = format!("{:?}", part.need).to_lowercase();
        let method = format!("{:?}", part.method).to_uppercase();
        writeln!(out, "  {:<20} {need:<9} {method} {}", part.name, part.url)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_example_in_the_help_is_a_configuration() {
        let example: String =
            AFTER_HELP.lines().skip(2).take(4).map(|line| format!("{}\n", line.trim())).collect();
        assert_eq!(Config::parse(&example).unwrap().parts.len(), 1);
    }
}
