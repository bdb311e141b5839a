//! The body of a request: JSON by its media type, bounded in size and in time.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};

use super::problem::{Kind, Problem};

/// The largest body that is read.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a client may take to send its body.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);

/// The bytes of a body that says it is JSON; whether it is, its reader finds out.
pub(super) struct JsonBytes(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBytes {
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
        read.map(Self).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(Kind::TooLarge, format!("A body may have at most {BODY_BYTES_MAX} bytes."))
            }
            _ => Problem::new(Kind::MalformedRequest, "The body broke off."),
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
