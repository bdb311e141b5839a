//! What stands in the path and after the question mark, with a [`Problem`] where it makes no sense.

use std::{error::Error, fmt::Display, str::FromStr};

use axum::{
    extract::{FromRequestParts, Path, Query, rejection::QueryRejection},
    http::request::Parts,
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::problem::{Kind, Problem};
use crate::{model::State, store::Cursor};

const LIMIT_MAX: usize = 200;

/// How many of the newest to read.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Newest {
    pub(super) limit: Limit,
}

/// Which part of a list to read.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Part {
    #[serde(deserialize_with = "from_text")]
    pub(super) cursor: Option<Cursor>,
    pub(super) limit: Limit,
}

/// Which part of the deliveries to read. (`serde` cannot flatten what refuses unknown fields.)
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DeliveriesPart {
    #[serde(deserialize_with = "from_text")]
    pub(super) state: Option<State>,
    #[serde(deserialize_with = "from_text")]
    pub(super) cursor: Option<Cursor>,
    pub(super) limit: Limit,
}

/// How many items a list may have.
#[derive(Debug, Deserialize)]
#[serde(try_from = "usize")]
pub(super) struct Limit(pub(super) usize);

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<usize> for Limit {
    type Error = String;

    fn try_from(limit: usize) -> Result<Self, String> {
        match limit {
            1..=LIMIT_MAX => Ok(Self(limit)),
            _ => Err(format!("expected 1 to {LIMIT_MAX}")),
        }
    }
}

/// The query, read as a `T`.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => Err(Problem::new(Kind::MalformedRequest, cause(&rejection))),
        }
    }
}

/// What is wrong with a query, without the sentence that axum puts before it.
fn cause(rejection: &QueryRejection) -> String {
    rejection.source().map_or_else(|| rejection.body_text(), ToString::to_string)
}

/// The id in the path; what is not even an id names nothing.
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await.ok();
        text.and_then(|Path(text)| text.parse().ok()).map(Self).ok_or_else(absent)
    }
}

pub(super) fn absent() -> Problem {
    Problem::new(Kind::NotFound, "Nothing has this id.")
}

/// An empty value, as in `?state=&cursor=`, is none.
fn from_text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(serde::de::Error::custom)
}
