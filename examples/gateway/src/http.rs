//! What goes over the wire: the page, the health, and for the operator the metrics and the tree.
//!
//! Every answer carries the request id and the trace. Errors are problem+json that say what the client can do; what
//! went wrong inside goes to the log. Nothing of a request reaches an upstream but its id, its trace and its time.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::FutureExt;
use serde::Serialize;

use crate::{Gateway, Identity, Page, metrics};

/// How much time the asking side gives, in milliseconds: read from clients, told to upstreams.
pub(crate) const TIMEOUT_MS: HeaderName = HeaderName::from_static("x-request-timeout-ms");
/// Whether every part of the page is fresh.
const COMPLETED: HeaderName = HeaderName::from_static("x-gateway-completed");
/// When a client that was refused may come again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// What clients see.
pub(crate) fn pages(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/page/{id}", get(page))
        .route("/healthz", get(health))
        .fallback(async || Problem::NotFound)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .layer(middleware::from_fn(identify))
        .with_state(gateway)
}

/// What the operator sees.
pub(crate) fn admin(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .route("/tree", get(async || ballet::tree().to_string()))
        .route("/healthz", get(health))
        .with_state(gateway)
}

/// Gives the request its identity, and the answer the same.
async fn identify(mut request: Request, next: Next) -> Response {
    let identity = Identity::from_headers(request.headers());
    request.extensions_mut().insert(identity.clone());
    let mut response = next.run(request).await;
    identity.write(response.headers_mut());
    response
}

async fn page(
    State(gateway): State<Arc<Gateway>>,
    Extension(identity): Extension<Identity>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Not even text, as `%ff`.
    let Path(id) = id.map_err(|_| Problem::WrongId)?;
    let limit = limit(&headers)?;
    let request_id = identity.request_id().to_owned();
    let visit = gateway.visit(&id, identity, limit).ok_or(Problem::WrongId)?;
    let page = gateway.page(visit).await.map_err(|_| Problem::Unavailable)?;
    answer(&page, &request_id, gateway.max_age_seconds())
}

fn limit(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let Some(value) = headers.get(TIMEOUT_MS) else { return Ok(None) };
    let milliseconds = value.to_str().ok().and_then(|text| text.parse().ok()).ok_or(Problem::WrongTimeout)?;
    Ok(Some(Duration::from_millis(milliseconds)))
}

fn answer(page: &Page, request_id: &str, max_age_seconds: u32) -> Result<Response, Problem> {
    if !page.is_complete() {
        let why = page.slots().iter().filter_map(|slot| Some((slot.name(), slot.fault()?.code())));
        tracing::debug!(request_id, parts = ?why.collect::<Vec<_>>(), "a page is incomplete");
    }
    let body = page.to_json(request_id).map_err(|error| {
        tracing::error!(request_id, %error, "a page cannot be written");
        Problem::Internal
    })?;
    let status = if page.is_failed() { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, cache_control(page, max_age_seconds));
    let completed = if page.is_complete() { "true" } else { "false" };
    headers.insert(COMPLETED, HeaderValue::from_static(completed));
    Ok(response)
}

/// An incomplete page is never kept. A complete one may hold what is meant for one person.
fn cache_control(page: &Page, max_age_seconds: u32) -> HeaderValue {
    let kept = (page.is_complete() && max_age_seconds > 0)
        .then(|| HeaderValue::from_str(&format!("private, max-age={max_age_seconds}")).ok());
    kept.flatten().unwrap_or(HeaderValue::from_static("no-store"))
}

async fn health() -> (StatusCode, &'static str) {
    match ballet::draining().now_or_never() {
        None => (StatusCode::OK, "ok\n"),
        Some(()) => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

async fn scrape(State(gateway): State<Arc<Gateway>>) -> Result<impl IntoResponse, Problem> {
    let text = metrics::scrape(&gateway).map_err(|error| {
        tracing::error!(%error, "the metrics cannot be told");
        Problem::Internal
    })?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text))
}

/// Why there is no page, as RFC 9457 problem details.
#[derive(Clone, Copy, Debug)]
enum Problem {
    WrongId,
    WrongTimeout,
    NotFound,
    MethodNotAllowed,
    Unavailable,
    Internal,
}

#[derive(Serialize)]
struct Body {
    r#type: &'static str,
    title: &'static str,
    status: u16,
}

impl Problem {
    fn body(self) -> Body {
        let (status, r#type, title) = match self {
            Self::WrongId => {
                (400, "urn:gateway:problem:wrong-id", "An id is 1 to 64 letters, digits, - or _")
            }
            Self::WrongTimeout => (
                400,
                "urn:gateway:problem:wrong-timeout",
                "X-Request-Timeout-Ms is a whole number of milliseconds",
            ),
            Self::NotFound => (404, "urn:gateway:problem:not-found", "Pages are at /page/ID"),
            Self::MethodNotAllowed => {
                (405, "urn:gateway:problem:method-not-allowed", "Pages are only read: use GET")
            }
            Self::Unavailable => {
                (503, "urn:gateway:problem:unavailable", "The gateway has no room now: come again later")
            }
            Self::Internal => {
                (500, "urn:gateway:problem:internal", "The log says why, under the id in X-Request-Id")
            }
        };
        Body { r#type, title, status }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.body();
        let status = StatusCode::from_u16(body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        response
    }
}
