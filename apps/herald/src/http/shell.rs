//! What surrounds every request: an id, a log line, a limit in time, a net for panics, and the headers that keep a
//! browser from guessing.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    Api,
    problem::{Kind, Problem},
};
use crate::store::Store;

/// How long Herald may take for an answer; the events, once begun, may go on.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
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
    api.metrics.answered(&method, route, status);
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
            let detail =
                "Whether the request was carried out is not known; repeat it with the same Idempotency-Key.";
            Problem::new(Kind::Unavailable, detail).into_response()
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
    headers.insert(header::X_DNS_PREFETCH_CONTROL, HeaderValue::from_static("off"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
}

/// It takes notifications.
pub(super) async fn is_open(store: Store) -> Result<(), String> {
    if store.is_closed() { Err("it has closed itself; the log says why".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::to_bytes, http::StatusCode, middleware::from_fn, routing::get};
    use tower_service::Service;

    use super::*;

    async fn panics() {
        panic!("the secret of the handler");
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let mut router = Router::new().route("/", get(panics)).layer(from_fn(answer));
        let Ok(response) = Service::<Request>::call(&mut router, Request::default()).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }
}
