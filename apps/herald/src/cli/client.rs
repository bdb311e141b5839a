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
    say::{Foreign, say, warn},
};
use crate::model::{NotificationId, State};

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
    #[error("{refusal}")]
    Refused { status: StatusCode, refusal: Refusal },
    #[error("what answers at {server} does not speak as Herald does (status {status})")]
    NotHerald { server: String, status: StatusCode },
    #[error("cannot write to standard output: {0}")]
    Unsaid(#[from] io::Error),
}

impl Error {
    /// Whether the server may answer better when it is asked again: it is out of reach, or not well.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } | Self::NotHerald { status, .. } => status.is_server_error(),
            Self::NoKey | Self::Unsaid(_) => false,
        }
    }
}

/// Problem details, as far as they are shown.
#[derive(Debug, Deserialize)]
pub struct Refusal {
    title: Foreign,
    detail: Foreign,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
struct Fault {
    pointer: Foreign,
    detail: Foreign,
}

#[derive(Deserialize)]
struct Accepted {
    id: NotificationId,
}

#[derive(Deserialize)]
struct Notification {
    id: NotificationId,
    subject: Foreign,
    expires_at: Option<Timestamp>,
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
struct Delivery {
    address: Foreign,
    channel: Foreign,
    provider: Foreign,
    state: State,
    due_at: Option<Timestamp>,
    timeline: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    at: Timestamp,
    state: State,
    note: Option<Foreign>,
}

/// Sends a notification, and prints its id, and with `--wait` what became of it.
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
    // Whatever happens while it waits, the id is known.
    say(heading(accepted.id, &Foreign::from(send.subject.as_str())))?;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    match client.wait_until_final(accepted.id, deadline).await {
        Ok(notification) => {
            say(notification.timeline())?;
            Ok(if notification.is_sent() { ExitCode::SUCCESS } else { ExitCode::from(NOT_SENT) })
        }
        Err(error) if error.may_pass() => {
            warn(&error);
            warn(format_args!("accepted; `herald status {}` shows what became of it", accepted.id));
            Ok(ExitCode::from(NOT_SENT))
        }
        Err(error) => Err(error),
    }
}

/// Prints the timeline of a notification.
///
/// # Errors
///
/// When the server cannot be reached, or does not know it.
pub async fn status(status: &Status) -> Result<ExitCode, Error> {
    let notification = Client::new(&status.remote).notification(&status.id).await?;
    say(heading(notification.id, &notification.subject))?;
    say(notification.timeline())?;
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

    /// The notification when all its deliveries are settled, or as it is when the time is over. A server that starts
    /// again meanwhile has it still.
    async fn wait_until_final(&self, id: NotificationId, deadline: Instant) -> Result<Notification, Error> {
        loop {
            let told = self.notification(&id.to_string()).await;
            let is_settled = match &told {
                Ok(notification) => notification.is_final(),
                Err(error) => !error.may_pass(),
            };
            if is_settled || Instant::now() >= deadline {
                return told;
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
        Err(Error::Refused { status, refusal: serde_json::from_slice(&bytes).map_err(not_herald)? })
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

/// The first line of what is told of a notification.
fn heading(id: NotificationId, subject: &Foreign) -> String {
    format!("{id}  {subject}\n")
}

impl Notification {
    fn is_final(&self) -> bool {
        self.deliveries.iter().all(|delivery| delivery.state.is_final())
    }

    fn is_sent(&self) -> bool {
        self.deliveries.iter().all(|delivery| delivery.state == State::Accepted)
    }

    fn timeline(&self) -> String {
        let mut report = String::new();
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
            let _ = match note {
                Some(note) => writeln!(report, "  {at:.3}  {:<9}  {note}", state.as_str()),
                None => writeln!(report, "  {at:.3}  {state}"),
            };
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
