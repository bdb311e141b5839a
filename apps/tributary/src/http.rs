//! The status page, its JSON, the metrics, and the two questions an orchestrator asks.
//!
//! It stands on loopback and asks nobody who they are, so a browser on the same machine must not be made to use it by
//! somebody else's page: the name in `Host` has to be an address or `localhost`, and the one order there is wants a header
//! that no form can send.

mod metrics;
mod status;

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use ballet_http::Health;
use serde_json::{Value, json};

use crate::daemon::Daemon;

const PAGE: &str = include_str!("http/page/page.html");
const SCRIPT: &str = include_str!("http/page/page.js");
const STYLE: &str = include_str!("http/page/page.css");
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// What the page sends along with an order.
const ORDER: &str = "x-tributary";

pub(crate) fn router(daemon: &Arc<Daemon>) -> Router {
    Router::new()
        .route("/", get(async || file("text/html; charset=utf-8", PAGE)))
        .route("/page.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
        .route("/page.css", get(async || file("text/css; charset=utf-8", STYLE)))
        .route("/api/status", get(tell))
        .route("/api/sources/{name}/visit", post(visit))
        .route("/metrics", get(scrape))
        .fallback(async || problem(StatusCode::NOT_FOUND, "There is no such path; the README lists them."))
        .with_state(Arc::clone(daemon))
        .merge(health(daemon).router())
        .layer(from_fn(guard))
}

fn file(media_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))], text).into_response()
}

/// Problem details (RFC 9457).
fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut response = if is_local(host) {
        next.run(request).await
    } else {
        problem(StatusCode::FORBIDDEN, "Ask by an address of this machine.")
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    response
}

/// A name that somebody else's server could have is none of ours, wherever it leads to.
fn is_local(host: &str) -> bool {
    let Some(authority) = host.parse::<Uri>().ok().and_then(|uri| uri.authority().cloned()) else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}

async fn tell(State(daemon): State<Arc<Daemon>>) -> Result<Json<status::Status>, Response> {
    status::of(&daemon).await.map(Json).map_err(|error| unavailable(&error))
}

async fn scrape(State(daemon): State<Arc<Daemon>>) -> Result<impl IntoResponse, Response> {
    let status = status::of(&daemon).await.map_err(|error| unavailable(&error))?;
    let text = metrics::encode(&status).map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written");
        problem(StatusCode::INTERNAL_SERVER_ERROR, "The log says why.")
    })?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text))
}

/// It is ready while it carries items: not while it starts or shuts down, nor while its store cannot write.
fn health(daemon: &Daemon) -> Health {
    let store = daemon.shared.store.clone();
    Health::new(daemon.phases.clone()).check("store", move || {
        let writable = store.is_writable();
        async move { if writable { Ok(()) } else { Err("it takes no changes".to_owned()) } }
    })
}

/// Visits a source now.
async fn visit(
    State(daemon): State<Arc<Daemon>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Response> {
    if !headers.contains_key(ORDER) {
        return Err(problem(StatusCode::FORBIDDEN, "Send the header X-Tributary with anything in it."));
    }
    let known = name.parse().is_ok_and(|name| daemon.sources.hurry(&name));
    if !known {
        return Err(problem(StatusCode::NOT_FOUND, "There is no source of that name."));
    }
    Ok(Json(json!({ "status": "asked" })))
}

fn unavailable(error: &ledger::Error) -> Response {
    tracing::error!(%error, "the store cannot be read");
    problem(StatusCode::SERVICE_UNAVAILABLE, "The store cannot be read.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_local_and_names_are_not() {
        for host in ["127.0.0.1:8440", "localhost:8440", "[::1]:8440"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
