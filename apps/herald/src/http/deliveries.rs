//! The deliveries in a list, and in numbers.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;

use super::{
    Api,
    problem::Problem,
    query::{Asked, DeliveriesPart},
};
use crate::store::{Counts, DeliveryFilter, DeliverySummary, Page};

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Asked(part): Asked<DeliveriesPart>,
) -> Result<Json<Page<DeliverySummary>>, Problem> {
    let filter = DeliveryFilter { state: part.state };
    Ok(Json(api.store.deliveries(filter, part.cursor, part.limit.0).await?))
}

/// The numbers of the conservation equation, and whether it holds.
#[derive(Serialize)]
pub(super) struct Balance {
    #[serde(flatten)]
    counts: Counts,
    balances: bool,
    version: &'static str,
}

pub(super) async fn counts(State(api): State<Arc<Api>>) -> Result<Json<Balance>, Problem> {
    let counts = api.store.counts().await?;
    Ok(Json(Balance { balances: counts.balances(), counts, version: env!("CARGO_PKG_VERSION") }))
}
