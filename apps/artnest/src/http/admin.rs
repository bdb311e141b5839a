//! The operator's listener: a page, orders as JSON, and the metrics.
//!
//! It stands on loopback unless a key guards it. A browser on the same machine must not be made to give orders by
//! somebody else's page: the name in `Host` has to be an address or `localhost`, and orders are JSON, which no form can
//! send.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use ballet_http::around;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::{
    Api,
    access::bearer,
    body,
    problem::{Kind, Problem},
    shell,
};
use crate::{
    config::Creation,
    office::{Error, Office, Order},
};

const PAGE: &str = include_str!("admin/page.html");
const SCRIPT: &str = include_str!("admin/page.js");
const STYLE: &str = include_str!("admin/page.css");
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) api: Arc<Api>,
    pub(crate) office: Office,
    pub(crate) key: Option<SecretString>,
    pub(crate) started: Instant,
}

pub(crate) fn router(admin: &Arc<Admin>) -> Router {
    let api = Arc::clone(&admin.api);
    let guarded = Router::new()
        .route("/api/status", get(status))
        .route("/api/orders", post(order))
        .route("/metrics", get(metrics))
        .route_layer(from_fn_with_state(Arc::clone(admin), guard));
    let shown = Router::new()
        .route("/", get(async || file("text/html; charset=utf-8", PAGE)))
        .route("/page.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
        .route("/page.css", get(async || file("text/css; charset=utf-8", STYLE)));
    guarded
        .merge(shown)
        .with_state(Arc::clone(admin))
        .merge(shell::health(&api))
        .fallback(async || Problem::new(Kind::NotFound, "No such path; the README lists them."))
        .layer(axum::extract::DefaultBodyLimit::max(body::BODY_BYTES_MAX))
        .layer(from_fn_with_state(api, around::<Api>))
}

fn file(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}

async fn guard(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    match may_enter(&admin, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn may_enter(admin: &Admin, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(key) = &admin.key else {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        return if is_local(host) {
            Ok(())
        } else {
            Err(Problem::new(Kind::Forbidden, "Ask by an address of this machine, or set ARTNEST_ADMIN_KEY."))
        };
    };
    let known = Creation::digest(key.expose_secret().as_bytes());
    if bool::from(Creation::digest(bearer(headers)).ct_eq(&known)) {
        return Ok(());
    }
    Err(Problem::new(Kind::Unauthorized, "Send `Authorization: Bearer` with ARTNEST_ADMIN_KEY."))
}

/// A name that somebody else's server could have is none of ours, wherever it leads to.
fn is_local(host: &str) -> bool {
    let Some(authority) = host.parse::<Uri>().ok().and_then(|uri| uri.authority().cloned()) else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}

async fn status(State(admin): State<Arc<Admin>>) -> Result<Json<Value>, Problem> {
    let api = &admin.api;
    let totals = api.door.store.totals().await?;
    let health = api.door.store.probe().await;
    let live: Vec<_> = api
        .door
        .rooms
        .census()
        .into_iter()
        .map(|(id, online)| json!({ "id": id, "online": online }))
        .collect();
    let stats = api.door.store.writer_stats();
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": admin.started.elapsed().as_secs(),
        "draining": !api.phases.is_ready(),
        "trouble": health.err().map(|error| error.to_string()),
        "totals": totals,
        "live": live,
        "store": {
            "commits": stats.commits,
            "operations": stats.operations,
            "last_commit_ms": stats.last_commit.as_secs_f64() * 1_000.0,
        },
    })))
}

async fn order(
    State(admin): State<Arc<Admin>>,
    body::Json(order): body::Json<Order>,
) -> Result<Json<Value>, Problem> {
    admin.office.carry_out(order).await.map(Json).map_err(|error| match error {
        Error::NoRoom(_) => Problem::new(Kind::NotFound, error.to_string()),
        Error::Wrong(_) | Error::Open(_) => Problem::new(Kind::Invalid, error.to_string()),
        Error::Store(error) => error.into(),
    })
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Result<impl IntoResponse, Problem> {
    let door = &admin.api.door;
    let totals = door.store.totals().await?;
    let text = door.metrics.encode(&totals, &door.store, &door.rooms);
    let text = text.map_err(|error| Problem::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_local_and_names_are_not() {
        for host in ["127.0.0.1:8421", "localhost:8421", "[::1]:8421", "10.0.0.7"] {
            assert!(is_local(host), "{host}");
        }
        for host in
            ["evil.example", "evil.example:8421", "localhost.evil.example", "", "127.0.0.1.evil.example"]
        {
            assert!(!is_local(host), "{host}");
        }
    }
}
