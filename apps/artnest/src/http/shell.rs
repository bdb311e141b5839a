//! What surrounds every request: an id, a log line, a net for panics, and the headers that keep a browser from guessing.
//! Also the two questions an orchestrator asks: is it alive, is it ready.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    Api,
    problem::{Kind, Problem},
};
use crate::store::Error;

/// How long an answer may take to begin: pictures wait for their turn.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_CHARS_MAX: usize = 128;

pub(super) async fn around(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), %method, route);

    let mut response = answer(request, next).instrument(span.clone()).await;

    let status = response.status();
    span.in_scope(|| tracing::debug!(%status, elapsed = ?started.elapsed(), "answered"));
    api.door.metrics.answered(route, status.as_u16());
    harden(&mut response, id);
    response
}

async fn answer(request: Request, next: Next) -> Response {
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(ANSWER_WAIT_MAX, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => {
            // What it said, and where, the panic hook has written already.
            tracing::error!("a handler panicked");
            Problem::new(Kind::Internal, "The log says why, under the id in X-Request-Id.").into_response()
        }
        Err(_elapsed) => {
            Problem::new(Kind::Unavailable, "It took too long. Ask again later.").into_response()
        }
    }
}

/// The client's own id where it is fit for a log, else a new one.
fn request_id(request: &Request) -> HeaderValue {
    let theirs = request.headers().get(REQUEST_ID).filter(|value| {
        (1..=REQUEST_ID_CHARS_MAX).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    theirs.cloned().unwrap_or_else(|| {
        let fresh = Uuid::now_v7().to_string();
        HeaderValue::try_from(fresh).unwrap_or_else(|_| HeaderValue::from_static("none"))
    })
}

fn harden(response: &mut Response, id: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
}

/// The process answers: it need not be restarted.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// It takes strokes: it is not shutting down, and its store can write.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Result<Json<Value>, Problem> {
    if !api.phases.is_ready() {
        return Err(Problem::new(Kind::Unavailable, "Artnest is shutting down."));
    }
    // Whatever keeps the store from taking changes, requests had better go elsewhere until it does.
    api.door.store.probe().await.map_err(|error| match error {
        Error::Failed(_) => {
            tracing::error!(%error, "the store takes no changes");
            Problem::new(Kind::Unavailable, "The store takes no changes.")
        }
        error => error.into(),
    })?;
    Ok(Json(json!({ "status": "ready" })))
}
