//! The HTTP API, the metrics and the page, as one axum router.
//!
//! Handlers read and write the [`Store`] and nothing else; what a request means is decided there. Every error is a
//! problem document (`problem`). Read `auth` for who may call; `ballet_http` accepts the connections.

mod auth;
mod body;
mod deliveries;
mod events;
mod idempotency;
mod metrics;
mod notifications;
mod outbox;
mod page;
mod problem;
mod query;
mod shell;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use ballet_http::{Health, around};

use self::{
    auth::Keys,
    metrics::Metrics,
    problem::{Kind, Problem},
};
use crate::{
    deliver::Monitor,
    store::{ApiKey, Store},
};

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Api {
    store: Store,
    keys: Keys,
    metrics: Metrics,
    monitor: Monitor,
}

impl Api {
    /// # Errors
    ///
    /// When the metrics contradict one another.
    pub(crate) fn new(store: Store, keys: Vec<ApiKey>, monitor: Monitor) -> Result<Self, prometheus::Error> {
        Ok(Self { store, keys: Keys::new(keys), metrics: Metrics::new()?, monitor })
    }
}

/// Every route, with its guards.
pub(crate) fn router(api: Api, health: Health) -> Router {
    let api = Arc::new(api);
    let (open, roomy) = (api.store.clone(), api.store.clone());
    let health = health
        .check("store", move || shell::is_open(open.clone()))
        .check("disk", move || shell::has_room(roomy.clone()));
    let guarded = Router::new()
        .route("/v1/notifications", post(notifications::accept).get(notifications::list))
        .route("/v1/notifications/{id}", get(notifications::one))
        .route("/v1/deliveries", get(deliveries::list))
        .route("/v1/counts", get(deliveries::counts))
        .route("/v1/outbox", get(outbox::list))
        .route("/v1/outbox/{delivery}", get(outbox::one))
        .route("/v1/events", get(events::stream))
        .route_layer(from_fn_with_state(Arc::clone(&api), auth::require));
    let local = Router::new()
        .route("/metrics", get(metrics::scrape))
        .route_layer(from_fn_with_state(Arc::clone(&api), auth::require_unless_local));
    Router::new()
        .merge(guarded)
        .merge(local)
        .merge(health.router())
        .route("/", get(page::index))
        .route("/assets/{name}", get(page::asset))
        .fallback(async || Problem::new(Kind::NotFound, "No such path; the README lists the routes."))
        .method_not_allowed_fallback(async || {
            Problem::new(Kind::MethodNotAllowed, "The Allow header lists the methods of this path.")
        })
        .layer(DefaultBodyLimit::max(body::BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&api), around::<Api>))
        .with_state(api)
}
