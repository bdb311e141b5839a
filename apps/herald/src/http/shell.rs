//! What Herald says around its requests, and when it is ready.

use std::time::Duration;

use axum::{
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use ballet_http::Around;

use super::{
    Api,
    problem::{Kind, Problem},
};
use crate::store::Store;

impl Around for Api {
    const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

    fn panicked() -> Response {
        Problem::new(Kind::Internal, "The log says why, under the id in X-Request-Id.").into_response()
    }

    fn late() -> Response {
        let detail =
            "Whether the request was carried out is not known; repeat it with the same Idempotency-Key.";
        Problem::new(Kind::Unavailable, detail).into_response()
    }

    fn answered(&self, method: &Method, route: &str, status: StatusCode) {
        self.metrics.answered(method, route, status);
    }
}

/// It takes writes.
pub(super) async fn is_open(store: Store) -> Result<(), String> {
    if store.is_closed() { Err("it has closed itself; the log says why".to_owned()) } else { Ok(()) }
}

/// It has room for what is new.
pub(super) async fn has_room(store: Store) -> Result<(), String> {
    if store.disk_is_low() {
        Err("there is less free space than disk_free_mib_min; nothing new is accepted".to_owned())
    } else {
        Ok(())
    }
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
