//! The body of a request: JSON by its media type, bounded in size and in time, without unknown members.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::problem::{Kind, Problem};

/// The largest body that is read.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a client may take to send its body.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);

/// A body, read as a `T`.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "Send the body with `Content-Type: application/json`.";
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        let read = tokio::time::timeout(BODY_WAIT_MAX, Bytes::from_request(request, state)).await;
        let Ok(read) = read else {
            let detail = format!("The body did not arrive within {} seconds.", BODY_WAIT_MAX.as_secs());
            return Err(Problem::new(Kind::Timeout, detail));
        };
        let bytes = read.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(Kind::TooLarge, format!("A body may have at most {BODY_BYTES_MAX} bytes."))
            }
            _ => Problem::new(Kind::MalformedRequest, "The body broke off."),
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            // serde_json calls some values that are out of place an error of the syntax, such as null for a word.
            let is_json = serde_json::from_slice::<IgnoredAny>(&bytes).is_ok();
            let kind = if is_json { Kind::Invalid } else { Kind::MalformedRequest };
            Problem::new(kind, error.to_string())
        })
    }
}

/// `application/json`, with or without parameters such as a charset.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let (essence, _parameters) = value.split_once(';').unwrap_or((value, ""));
    essence.trim().eq_ignore_ascii_case("application/json")
}
