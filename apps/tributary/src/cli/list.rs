//! `tributary list`: the file's sources, and what the running daemon says of each.

use std::{process::ExitCode, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Error,
    say::{say, warn},
};
use crate::{config::Config, daemon};

const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What is shown of the daemon's status.
#[derive(Debug, Deserialize)]
struct Status {
    sources: Vec<Source>,
}

#[derive(Debug, Deserialize)]
struct Source {
    name: String,
    state: String,
    why: String,
    next_at: Option<Timestamp>,
    items: u64,
}

pub(super) async fn list(config: &Config, json: bool) -> Result<ExitCode, Error> {
    let url = format!("http://{}/api/status", daemon::address_of(&config.fixed));
    let Some(text) = ask(&url).await else {
        if json {
            return Err(Error::NoDaemon { url });
        }
        warn(Error::NoDaemon { url });
        for source in config.sources.values() {
            say(format_args!("{}  {}  {}", source.name, source.kind, source.visit.address()))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    if json {
        say(text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let status: Status = serde_json::from_str(&text).map_err(ballet::Error::from)?;
    let width = status.sources.iter().map(|source| source.name.len()).max().unwrap_or_default();
    for Source { name, state, why, next_at, items } in status.sources {
        let next = next_at.map(|at| format!(" until {at:.0}")).unwrap_or_default();
        say(format_args!("{name:width$}  {items:>6} items  {state}{next}: {why}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// None where nobody answers.
async fn ask(url: &str) -> Option<String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(ANSWER_MAX).build().ok()?;
    let response = client.get(url).send().await.ok()?.error_for_status().ok()?;
    response.text().await.ok()
}
