//! What the sinks that speak HTTP share: a client, and what an answer means.
//!
//! Their addresses are the operator's own, so they may be anywhere; redirects are not followed, since whoever gets the items
//! is named in the settings.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, StatusCode, redirect};

use super::{Answer, Failure};
use crate::web;

const CONNECT_MAX: Duration = Duration::from_secs(10);
const ANSWER_MAX: Duration = Duration::from_secs(30);

pub(super) fn client() -> Result<Client, Failure> {
    // The first of the process installs it; the others find it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_MAX)
        .timeout(ANSWER_MAX)
        .no_proxy()
        .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Failure::new(format!("there is no HTTP client: {error}")))
}

/// Sends one item.
pub(super) async fn send(request: RequestBuilder) -> Answer {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Answer::Failed(Failure::new(root(&error))),
    };
    let status = response.status();
    let after = web::retry_after(response.headers(), Timestamp::now());
    match status {
        _ if status.is_success() => Answer::Taken,
        // What it says of this item it will say again. All else may pass: a key that is replaced, a path that comes back.
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Answer::Refused(format!("it answered {status}"))
        }
        _ => Answer::Failed(Failure { why: format!("it answered {status}"), after }),
    }
}

/// The innermost cause, which says what happened.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
