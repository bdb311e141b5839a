//! Delivering to Postfix's `smtp-sink`: from the moment when all mails fall due to the last durable result.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use crate::postfix::{self, Sink};
use crate::server::{Server, notification};

const MAILS: u32 = 5_000;
/// Enough to accept all of them before they fall due; the run fails where it is not.
const ACCEPT_WITHIN: SignedDuration = SignedDuration::from_secs(6);
const POSTS_AT_ONCE: usize = 64;
const DELIVER_WITHIN: Duration = Duration::from_secs(120);

/// Mails a second by Herald.
pub(crate) async fn run(folder: &Path) -> Result<f64> {
    let sink = Sink::start(folder)?;
    let server = Server::start(folder, &sink.as_relay()).await?;
    let due = Timestamp::now() + ACCEPT_WITHIN;
    accept_all(&server, due).await?;
    ensure!(Timestamp::now() < due, "{MAILS} mails were not accepted before they fell due");

    tokio::time::sleep(Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or_default()).await;
    let start = Instant::now();
    let taken = sink.wait_for(MAILS, DELIVER_WITHIN).await?;
    let unsettled = || async { Ok::<_, anyhow::Error>(server.metric(ACCEPTED).await? < f64::from(MAILS)) };
    while unsettled().await? {
        ensure!(start.elapsed() < DELIVER_WITHIN, "not every result was stored within {DELIVER_WITHIN:?}");
    }
    let rate = f64::from(MAILS) / start.elapsed().as_secs_f64();
    ensure!(taken == MAILS, "{MAILS} mails were delivered as {taken}");
    eprintln!("deliver {MAILS} mails to smtp-sink: {rate:.0}/s");
    Ok(rate)
}

const ACCEPTED: &str = "herald_deliveries{state=\"accepted\"}";

async fn accept_all(server: &Server, due: Timestamp) -> Result<()> {
    let body = notification(Some(due));
    let posts = stream::iter(0..MAILS).map(|_| server.post(&body));
    posts.buffer_unordered(POSTS_AT_ONCE).try_collect().await
}

/// Mails a second by `smtp-source`, over as many kept connections as Herald uses by default.
pub(crate) async fn bare(folder: &Path) -> Result<f64> {
    let sink = Sink::start(folder)?;
    let start = Instant::now();
    postfix::send(sink.address(), MAILS)?;
    let taken = sink.wait_for(MAILS, DELIVER_WITHIN).await?;
    let rate = f64::from(MAILS) / start.elapsed().as_secs_f64();
    ensure!(taken == MAILS, "{MAILS} mails were delivered as {taken}");
    eprintln!("smtp-source: {rate:.0}/s");
    Ok(rate)
}
