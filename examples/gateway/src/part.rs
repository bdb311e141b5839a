//! One part of the page: how its upstream is asked, what counts as an answer, and what stands in for one.
//!
//! Every wait here ends at the visit's deadline, every answer is bounded in bytes, every attempt has leave from the
//! breaker and every further one from the budget. A part knows nothing of its siblings and decides nothing about the
//! page: it has a fresh value or a [`Fault`], and something or nothing to stand in.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use ballet::{Admission, Breaker, BreakerState};
use reqwest::{RequestBuilder, Response};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::config::{ID, Method, Need, PartSettings};
use crate::gateway::Shared;
use crate::http::TIMEOUT_MS;
use crate::page::{Slot, Status};
use crate::{Fault, Visit};

/// Code of the gateway's own that trims or refuses what an upstream sent.
pub type Reshape = dyn Fn(Box<RawValue>) -> Result<Box<RawValue>, String> + Send + Sync;

pub(crate) struct Part {
    pub(crate) name: Arc<str>,
    need: Need,
    /// With `{id}` in it.
    url: String,
    method: Method,
    bytes_max: usize,
    /// Zero where no last good value may stand in.
    stale_max: Duration,
    fallback: Option<Arc<RawValue>>,
    reshape: Option<Arc<Reshape>>,
    /// Shared with the other parts of the same upstream.
    breaker: Breaker,
    shared: Arc<Shared>,
}

impl Part {
    pub(crate) fn new(
        settings: &PartSettings,
        reshape: Option<Arc<Reshape>>,
        breaker: Breaker,
        shared: Arc<Shared>,
    ) -> serde_json::Result<Self> {
        let fallback = settings.fallback.as_ref().map(serde_json::value::to_raw_value).transpose()?;
        Ok(Self {
            name: settings.name.as_str().into(),
            need: settings.need,
            url: settings.url.clone(),
            method: settings.method,
            bytes_max: settings.bytes_max,
            stale_max: Duration::from_millis(settings.stale_max_ms),
            fallback: fallback.map(Arc::from),
            reshape,
            breaker,
            shared,
        })
    }

    /// Fetches a fresh value, and keeps it as the last good one.
    pub(crate) async fn fetch(self: Arc<Self>, visit: Arc<Visit>) -> Result<Arc<RawValue>, Fault> {
        let url = self.url(&visit);
        let raw = self.attempts(&url, &visit).await?;
        let value: Arc<RawValue> = self.reshape(raw)?.into();
        if !self.stale_max.is_zero() {
            self.shared.cache.put(self.key(&visit), Arc::clone(&value));
        }
        Ok(value)
    }

    /// What stands in the part's place: the fresh value, else the last good one, else the fallback, else nothing.
    pub(crate) fn slot(&self, visit: &Visit, fetched: Result<Arc<RawValue>, Fault>) -> Slot {
        let (status, value, age, fault) = match fetched {
            Ok(value) => (Status::Ok, Some(value), Some(Duration::ZERO), None),
            Err(fault) => match (self.last_good(visit), &self.fallback) {
                (Some((value, age)), _) => (Status::Stale, Some(value), Some(age), Some(fault)),
                (None, Some(value)) => (Status::Fallback, Some(Arc::clone(value)), None, Some(fault)),
                (None, None) => (Status::Missing, None, None, Some(fault)),
            },
        };
        Slot { name: Arc::clone(&self.name), need: self.need, status, value, age, fault }
    }

    fn last_good(&self, visit: &Visit) -> Option<(Arc<RawValue>, Duration)> {
        if self.stale_max.is_zero() {
            return None;
        }
        self.shared.cache.get(&self.key(visit), self.stale_max)
    }

    /// What a last good value is kept under: all that makes the answer what it is. The name stands for the method, and for
    /// the gateway's own code for the part.
    fn key(&self, visit: &Visit) -> String {
        let (name, url) = (&self.name, self.url(visit));
        match self.method {
            Method::Get => format!("{name} {url}"),
            // The id is in the body, whether it is in the URL or not.
            Method::Post => format!("{name} {url} {}", visit.id()),
        }
    }

    fn url(&self, visit: &Visit) -> String {
        // An id means nothing in a URL, so there is nothing to escape.
        self.url.replace(ID, visit.id())
    }

    async fn attempts(&self, url: &str, visit: &Visit) -> Result<Box<RawValue>, Fault> {
        // Where the failure has opened the breaker, there is nobody to ask again.
        let again = |fault: &Fault| {
            let is_left_alone = matches!(self.breaker.state(), BreakerState::Open { .. });
            fault.is_transient() && self.method == Method::Get && !is_left_alone
        };
        let attempt = async |number| {
            let admission = self.breaker.try_admit().map_err(|_| Fault::BreakerOpen)?;
            if number > 1 {
                self.shared.metrics.retried(&self.name);
            }
            self.attempt(url, visit, admission).await
        };
        self.shared.retry.clone().until(visit.deadline()).when(again).run(attempt).await
    }

    /// Asks once, and tells the breaker.
    async fn attempt(&self, url: &str, visit: &Visit, admission: Admission) -> Result<Box<RawValue>, Fault> {
        let answer = ballet::timeout(visit.left(), self.ask(url, visit)).await.unwrap_or(Err(Fault::Timeout));
        match &answer {
            // A client that gives no time may not make an upstream look sick.
            Err(Fault::Timeout) if visit.is_hurried() => drop(admission),
            Err(fault) if fault.is_upstreams() => admission.failed(),
            Ok(_) | Err(_) => admission.succeeded(),
        }
        answer
    }

    async fn ask(&self, url: &str, visit: &Visit) -> Result<Box<RawValue>, Fault> {
        let response = self.request(url, visit).send().await.map_err(|error| {
            tracing::debug!(part = &*self.name, %error, "an upstream did not answer");
            if error.is_connect() { Fault::Unreachable } else { Fault::Interrupted }
        })?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_server_error() => return Err(Fault::ServerError),
            _ => return Err(Fault::UnexpectedStatus),
        }
        let body = self.read(response).await?;
        serde_json::from_slice(&body).map_err(|_| Fault::Malformed)
    }

    fn request(&self, url: &str, visit: &Visit) -> RequestBuilder {
        let mut headers = HeaderMap::with_capacity(4);
        visit.identity().write(&mut headers);
        headers.insert(TIMEOUT_MS, u64::try_from(visit.left().as_millis()).unwrap_or(u64::MAX).into());
        let request = match self.method {
            Method::Get => self.shared.client.get(url),
            Method::Post => {
                let body = format!(r#"{{"id":"{}"}}"#, visit.id());
                self.shared.client.post(url).header(header::CONTENT_TYPE, "application/json").body(body)
            }
        };
        request.headers(headers)
    }

    /// The whole body, unless it is too long: what is too long is refused unread where its length is announced.
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Fault> {
        let announced = response.content_length().unwrap_or(0);
        if announced > self.bytes_max as u64 {
            return Err(Fault::TooLarge);
        }
        let mut body = Vec::with_capacity(announced as usize);
        while let Some(chunk) = response.chunk().await.map_err(|_| Fault::Interrupted)? {
            if body.len() + chunk.len() > self.bytes_max {
                return Err(Fault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn reshape(&self, raw: Box<RawValue>) -> Result<Box<RawValue>, Fault> {
        let Some(reshape) = &self.reshape else { return Ok(raw) };
        reshape(raw).map_err(|why| {
            tracing::debug!(part = &*self.name, why, "an answer was refused");
            Fault::Malformed
        })
    }
}

impl Visit {
    /// The time until the deadline.
    fn left(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }
}
