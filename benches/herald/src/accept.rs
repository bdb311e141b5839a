//! Accepting one by one: wrk on 64 kept-alive connections, each waiting for its 202 before the next post.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::server::{API_KEY, Server, notification};

const CONNECTIONS: u32 = 64;
const SECONDS: u32 = 4;
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/accept.lua");

/// When what is accepted falls due: whether the machine delivers while it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    Tomorrow,
}

/// The last line of the script.
#[derive(Debug, Deserialize)]
struct Summary {
    requests: u32,
    /// Answers that were not a success.
    refused: u32,
    /// Connections that failed, and answers that did not come.
    broken: u32,
    microseconds: u64,
    p50: u64,
    p99: u64,
}

/// Starts Herald on an empty folder and posts to it; accepts in a second.
pub(crate) async fn run(folder: &Path, when: When) -> Result<f64> {
    let server = Server::start(folder, "").await?;
    let send_at = (when == When::Tomorrow).then(|| Timestamp::now() + SignedDuration::from_hours(24));
    let body = notification(send_at).to_string();
    let summary = wrk(&server.url("/v1/notifications"), &body)?;
    ensure!(summary.refused == 0 && summary.broken == 0, "not every post was accepted: {summary:?}");
    let stored = server.metric("herald_accepted_total").await?;
    // Requests that were under way when wrk stopped were accepted without being counted by it.
    let counted = f64::from(summary.requests);
    ensure!(
        (counted..=counted + f64::from(CONNECTIONS)).contains(&stored),
        "wrk counted {counted} accepts, Herald stored {stored}"
    );
    let took = Duration::from_micros(summary.microseconds);
    let rate = counted / took.as_secs_f64();
    eprintln!("accept, due {when:?}: {rate:.0}/s, p50 {} µs, p99 {} µs", summary.p50, summary.p99);
    Ok(rate)
}

fn wrk(url: &str, body: &str) -> Result<Summary> {
    let mut command = Command::new("wrk");
    command.args(["--threads", "1", "--connections", &CONNECTIONS.to_string()]);
    command.args(["--duration", &format!("{SECONDS}s"), "--script", SCRIPT, url]);
    let output = command.env("HERALD_API_KEY", API_KEY).env("NOTIFICATION", body).output();
    let output = output.context("cannot run wrk; `cargo xtask bench herald` installs it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    let summary = text.lines().last().unwrap_or_default();
    serde_json::from_str(summary).with_context(|| format!("wrk's script did not end with a summary: {text}"))
}
