//! Every error of the API, as RFC 9457 problem details.
//!
//! A problem says what the client can do about it; it never carries what went wrong inside Herald, which goes to
//! the log under the same request id. Each kind has a stable `type`, listed in the README.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    model::{Fault, Invalid},
    store::{AcceptError, Error},
};

/// How long a client should wait before it asks again, where we cannot know better.
const RETRY_AFTER_SECONDS: u64 = 5;

/// What kind of problem it is: the `type` on the wire, the title, and the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    MalformedRequest,
    MalformedJson,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    Timeout,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    KeyReused,
    Internal,
    Unavailable,
    DiskFull,
}

impl Kind {
    const fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest | Self::MalformedJson => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid | Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable | Self::DiskFull => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn uri(self) -> &'static str {
        match self {
            Self::MalformedRequest => "urn:herald:problem:malformed-request",
            Self::MalformedJson => "urn:herald:problem:malformed-json",
            Self::Unauthorized => "urn:herald:problem:unauthorized",
            Self::NotFound => "urn:herald:problem:not-found",
            Self::MethodNotAllowed => "urn:herald:problem:method-not-allowed",
            Self::Timeout => "urn:herald:problem:timeout",
            Self::TooLarge => "urn:herald:problem:too-large",
            Self::UnsupportedMediaType => "urn:herald:problem:unsupported-media-type",
            Self::Invalid => "urn:herald:problem:invalid",
            Self::KeyReused => "urn:herald:problem:idempotency-key-reused",
            Self::Internal => "urn:herald:problem:internal",
            Self::Unavailable => "urn:herald:problem:unavailable",
            Self::DiskFull => "urn:herald:problem:disk-full",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::MalformedRequest => "The request cannot be understood",
            Self::MalformedJson => "The body is not JSON",
            Self::Unauthorized => "A valid API key is needed",
            Self::NotFound => "There is nothing here",
            Self::MethodNotAllowed => "The method does not apply here",
            Self::Timeout => "The request took too long to arrive",
            Self::TooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body has the wrong media type",
            Self::Invalid => "The request breaks a rule",
            Self::KeyReused => "The idempotency key belongs to another body",
            Self::Internal => "Herald failed",
            Self::Unavailable => "Herald is not taking requests",
            Self::DiskFull => "Herald's disk is full",
        }
    }
}

/// An error answer in the making.
#[derive(Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<Fault>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new() }
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
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let body = Body {
            r#type: self.kind.uri(),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"herald\""));
            }
            _ => {}
        }
        response
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let said = invalid.to_string();
        match invalid {
            // The title says already that it is no JSON.
            Invalid::Syntax { detail } => Self::new(Kind::MalformedJson, detail),
            Invalid::Content { faults } => Self { errors: faults, ..Self::new(Kind::Invalid, said) },
        }
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::KeyReused => {
                Self::new(Kind::KeyReused, "Use a new Idempotency-Key, or repeat the request as it was.")
            }
            AcceptError::Overdue => Invalid::overdue().into(),
            AcceptError::DiskFull => Error::DiskFull.into(),
            AcceptError::Closed => Error::Closed.into(),
            AcceptError::Failed(error) => error.into(),
        }
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
