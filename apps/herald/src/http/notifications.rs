//! Taking notifications in, and telling what became of them.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    Api,
    auth::Caller,
    body::JsonBytes,
    idempotency::IdempotencyKey,
    problem::Problem,
    query::{Asked, Named, Part, absent},
};
use crate::{
    api_key,
    model::{DeliveryId, NewNotification, NotificationId},
    store::{Accepted, Idempotency, NotificationSummary, NotificationView, Page},
};

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The answer to an accepted notification. It holds only what never changes, so that a replay says the same as the
/// first answer did; the states are at the notification's own address.
#[derive(Serialize)]
struct Plan {
    id: NotificationId,
    created_at: Timestamp,
    deliveries: Vec<Delivery>,
}

#[derive(Serialize)]
struct Delivery {
    id: DeliveryId,
    channel: String,
    provider: String,
    address: String,
}

impl From<Accepted> for Plan {
    fn from(accepted: Accepted) -> Self {
        let deliveries = accepted.deliveries.into_iter().map(|planned| Delivery {
            id: planned.id,
            channel: planned.channel,
            provider: planned.provider,
            address: planned.address,
        });
        Self { id: accepted.id, created_at: accepted.created_at, deliveries: deliveries.collect() }
    }
}

/// 202 once the notification and its plan are durable, and not before.
pub(super) async fn accept(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    IdempotencyKey(key): IdempotencyKey,
    JsonBytes(body): JsonBytes,
) -> Result<Response, Problem> {
    let started = Instant::now();
    let notification = NewNotification::from_json(&body)?;
    let idempotency = key.map(|key| Idempotency {
        scope: format!("{} POST /v1/notifications", caller.0),
        key,
        body_sha256: api_key::hash_bytes(&body),
    });
    let accepted = api.store.accept(notification, idempotency).await?;
    api.metrics.accepted(started.elapsed());
    Ok(answer(accepted))
}

fn answer(accepted: Accepted) -> Response {
    let replayed = accepted.replayed;
    let location = format!("/v1/notifications/{}", accepted.id);
    let mut response =
        (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(Plan::from(accepted))).into_response();
    if replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Named(id): Named<NotificationId>,
) -> Result<Json<NotificationView>, Problem> {
    api.store.notification(id).await?.map(Json).ok_or_else(absent)
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Asked(part): Asked<Part>,
) -> Result<Json<Page<NotificationSummary>>, Problem> {
    Ok(Json(api.store.notifications(part.cursor, part.limit.0).await?))
}
