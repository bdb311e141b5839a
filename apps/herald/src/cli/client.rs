//! `herald send` and `herald status`: the API of a running server, from a terminal.
//!
//! Of each answer only what is shown is read. Exit codes: 0 done, 1 refused or out of reach, 3 not sent, or not yet
//! when the waiting was over.

use std::{fmt::Write, io, process::ExitCode, time::Duration};

use jiff::Timestamp;
use reqwest::{RequestBuilder, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Remote, Send, Status,
    say::{say, warn},
};
use crate::model::State;

const NOT_SENT: u8 = 3;
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(40);
const POLL_PAUSE: Duration = Duration::from_millis(200);

/// Why a command could not be carried out, with the remedy where there is one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no API key: set HERALD_API_KEY to the one that the server printed when it first started\n\
         If it is lost, stop the server and make another with `herald key add NAME`."
    )]
    NoKey,
    #[error("cannot reach Herald at {server}: {}\n{}", root(source), remedy(server))]
    Unreachable { server: String, source: reqwest::Error },
    #[error("{0}")]
    Refused(Refusal),
    #[error("what answers at {server} does not speak as Herald does (status {status})")]
    NotHerald { server: String, status: StatusCode },
    #[error("cannot write to standard output: {0}")]
    Unsaid(#[from] io::Error),
}

/// Problem details, as far as they are shown.
#[derive(Debug, Deserialize)]
pub struct Refusal {
    title: String,
    detail: String,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
struct Fault {
    pointer: String,
    detail: String,
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

#[derive(Deserialize)]
struct Notification {
    id: String,
    subject: String,
    expires_at: Option<Timestamp>,
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
struct Delivery {
    address: String,
    channel: String,
    provider: String,
    state: State,
    due_at: Option<Timestamp>,
    timeline: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    at: Timestamp,
    state: State,
    note: Option<String>,
}

/// Sends a notification, and prints its plan, or with `--wait` what became of it.
///
/// # Errors
///
/// When the server cannot be reached or refuses it.
pub async fn send(send: &Send) -> Result<ExitCode, Error> {
    let client = Client::new(&send.remote);
    let mut request = client.post("/v1/notifications").json(&body_of(send));
    if let Some(key) = &send.idempotency_key {
        request = request.header("Idempotency-Key", key);
    }
    let accepted: Accepted = client.ask(request).await?;
    let Some(seconds) = send.wait else {
        say(format_args!("{}\n", accepted.id))?;
        warn(format_args!("accepted; `herald status {}` shows what becomes of it", accepted.id));
        return Ok(ExitCode::SUCCESS);
    };
    let notification = client.wait_until_final(&accepted.id, Duration::from_secs(seconds)).await?;
    say(notification.report())?;
    Ok(if notification.is_sent() { ExitCode::SUCCESS } else { ExitCode::from(NOT_SENT) })
}

/// Prints the timeline of a notification.
///
/// # Errors
///
/// When the server cannot be reached, or does not know it.
pub async fn status(status: &Status) -> Result<ExitCode, Error> {
    let notification = Client::new(&status.remote).notification(&status.id).await?;
    say(notification.report())?;
    Ok(ExitCode::SUCCESS)
}

/// Absent members stay absent: the API refuses `null` where it expects a value.
fn body_of(send: &Send) -> Value {
    let mut body = json!({ "to": { "email": send.to }, "subject": send.subject });
    let optional = [
        ("text", send.text.clone()),
        ("html", send.html.clone()),
        ("send_at", send.send_at.map(|at| at.to_string())),
        ("expires_at", send.expires_at.map(|at| at.to_string())),
        ("category", send.category.clone()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            body[name] = value.into();
        }
    }
    body
}

struct Client<'a> {
    remote: &'a Remote,
    http: reqwest::Client,
}

impl<'a> Client<'a> {
    fn new(remote: &'a Remote) -> Self {
        // It fails only where a choice was made already, which is then as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { remote, http: reqwest::Client::new() }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.remote.server)
    }

    async fn notification(&self, id: &str) -> Result<Notification, Error> {
        self.ask(self.get(&format!("/v1/notifications/{id}"))).await
    }

    /// The notification when all its deliveries are settled, or as it is when the time is over.
    async fn wait_until_final(&self, id: &str, within: Duration) -> Result<Notification, Error> {
        let deadline = Instant::now() + within;
        loop {
            let notification = self.notification(id).await?;
            if notification.is_final() || Instant::now() >= deadline {
                return Ok(notification);
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let server = || self.remote.server.clone();
        let key = self.remote.key().ok_or(Error::NoKey)?;
        let request = request.bearer_auth(key).timeout(ANSWER_WAIT_MAX);
        let response =
            request.send().await.map_err(|source| Error::Unreachable { server: server(), source })?;
        let status = response.status();
        let bytes =
            response.bytes().await.map_err(|source| Error::Unreachable { server: server(), source })?;
        let not_herald = |_| Error::NotHerald { server: server(), status };
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(not_herald);
        }
        Err(Error::Refused(serde_json::from_slice(&bytes).map_err(not_herald)?))
    }
}

/// What to look at first where nobody answers at `server`.
fn remedy(server: &str) -> &'static str {
    if server.starts_with("https:") {
        "Herald itself speaks plain HTTP, and https only behind a proxy with TLS. Is it http://?"
    } else {
        "Is it running? `herald serve` starts it, --server names another."
    }
}

/// What lies under the layers of the HTTP client, such as `Connection refused`.
fn root(error: &dyn std::error::Error) -> &dyn std::error::Error {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error)
}

impl Notification {
    fn is_final(&self) -> bool {
        self.deliveries.iter().all(|delivery| delivery.state.is_final())
    }

    fn is_sent(&self) -> bool {
        self.deliveries.iter().all(|delivery| delivery.state == State::Accepted)
    }

    fn report(&self) -> String {
        let mut report = format!("{}  {}\n", self.id, self.subject);
        for delivery in &self.deliveries {
            delivery.report(self.expires_at, &mut report);
        }
        report
    }
}

impl Delivery {
    fn report(&self, expires_at: Option<Timestamp>, report: &mut String) {
        let Self { address, channel, provider, state, timeline, .. } = self;
        let goes_on = self.goes_on_at(Timestamp::now(), expires_at);
        let goes_on = goes_on.map(|at| format!(", goes on at {at:.3}")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(report, "{channel} to {address} through {provider}: {state}{goes_on}");
        for Entry { at, state, note } in timeline {
            let line = format!("  {at:.3}  {:<9}  {}", state.as_str(), note.as_deref().unwrap_or_default());
            let _ = writeln!(report, "{}", line.trim_end());
        }
    }

    /// When it is taken up again: `None` where that is now, or would be after its deadline.
    fn goes_on_at(&self, now: Timestamp, expires_at: Option<Timestamp>) -> Option<Timestamp> {
        self.due_at.filter(|&due| due > now && expires_at.is_none_or(|end| due < end))
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.title, self.detail)?;
        self.errors.iter().try_for_each(|fault| write!(formatter, "\n  {}: {}", fault.pointer, fault.detail))
    }
}
