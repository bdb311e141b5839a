//! What Artnest says around its requests, and the health that an orchestrator asks about.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use ballet_http::{Around, Health};

use super::{
    Api,
    problem::{Kind, Problem},
};
use crate::store::Store;

impl Around for Api {
    /// Pictures wait for their turn.
    const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);

    fn panicked() -> Response {
        Problem::new(Kind::Internal, "The log says why, under the id in X-Request-Id.").into_response()
    }

    fn late() -> Response {
        Problem::new(Kind::Unavailable, "It took too long. Ask again later.").into_response()
    }

    fn answered(&self, _: &Method, route: &str, status: StatusCode) {
        self.door.metrics.answered(route, status.as_u16());
    }
}

/// Whether it is alive, and whether it takes strokes.
pub(super) fn health<S: Clone + Send + Sync + 'static>(api: &Arc<Api>) -> Router<S> {
    let store = api.door.store.clone();
    Health::new(api.phases.clone()).check("store", move || takes_changes(store.clone())).router()
}

/// Whatever keeps the store from taking changes, requests had better go elsewhere until it does.
async fn takes_changes(store: Store) -> Result<(), String> {
    store.probe().await.map_err(|error| {
        tracing::error!(%error, "the store takes no changes");
        "it takes no changes".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn a_panic_and_a_late_answer_are_problems_with_a_remedy() {
        let (panicked, late) = (Api::panicked(), Api::late());
        assert_eq!(
            (panicked.status(), late.status()),
            (StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE)
        );
        for answer in [panicked, late] {
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
        }
    }
}
