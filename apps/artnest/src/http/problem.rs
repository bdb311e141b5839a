//! Every error of the API, as RFC 9457 problem details.
//!
//! A problem says what the client can do about it; it never carries what went wrong inside, which goes to the log under
//! the same request id. Each kind has a stable `type` and `code`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::store::Error;

/// How long a client should wait before it asks again, where we cannot know better.
const RETRY_AFTER_SECONDS: u64 = 5;

/// What kind of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    MalformedRequest,
    Unauthorized,
    Forbidden,
    Banned,
    NotFound,
    MethodNotAllowed,
    Timeout,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    UpgradeRequired,
    Internal,
    Unavailable,
    Full,
    DiskFull,
}

impl Kind {
    const fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::Banned => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable | Self::Full | Self::DiskFull => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformed-request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Banned => "banned",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Timeout => "timeout",
            Self::TooLarge => "too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::Invalid => "invalid",
            Self::UpgradeRequired => "upgrade-required",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Full => "full",
            Self::DiskFull => "disk-full",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::MalformedRequest => "The request cannot be understood",
            Self::Unauthorized => "A valid key is needed",
            Self::Forbidden => "This is not for you to do",
            Self::Banned => "You cannot come in",
            Self::NotFound => "There is nothing here",
            Self::MethodNotAllowed => "The method does not apply here",
            Self::Timeout => "The request took too long to arrive",
            Self::TooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body has the wrong media type",
            Self::Invalid => "The request breaks a rule",
            Self::UpgradeRequired => "This is a WebSocket",
            Self::Internal => "Artnest failed",
            Self::Unavailable => "Artnest is not taking requests",
            Self::Full => "There is no place left",
            Self::DiskFull => "The disk is full",
        }
    }
}

/// An error answer in the making.
#[derive(Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// Logs the cause, and tells the client nothing of it.
    pub(crate) fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = cause, "a request failed");
        Self::new(Kind::Internal, "The log says why, under the id in X-Request-Id.")
    }
}

/// What goes over the wire.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    code: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code) = (self.kind.status(), self.kind.code());
        let body = Body {
            r#type: format!("urn:artnest:problem:{code}"),
            code,
            title: self.kind.title(),
            status: status.as_u16(),
            detail: &self.detail,
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
            }
            StatusCode::UNAUTHORIZED => {
                let scheme = HeaderValue::from_static("Bearer realm=\"artnest\"");
                headers.insert(header::WWW_AUTHENTICATE, scheme);
            }
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            }
            _ => {}
        }
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::DiskFull => Self::new(Kind::DiskFull, "Nothing was stored. Repeat the request later."),
            Error::Closed => Self::new(Kind::Unavailable, "Nothing was stored. Repeat the request later."),
            failed @ Error::Failed(_) => Self::internal(&failed),
        }
    }
}
