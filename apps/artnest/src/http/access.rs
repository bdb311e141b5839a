//! Who asks, and for which room: the room in the path and the token in `Authorization: Bearer`.
//!
//! A room that the caller may not see is answered as one that does not exist.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::{HeaderMap, header, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use subtle::ConstantTimeEq;

use super::{
    Api,
    problem::{Kind, Problem},
};
use crate::{
    config::Creation,
    model::{Role, RoomId, Visibility},
    store::RoomRow,
};

/// Somebody who may see the room.
pub(super) struct Visitor {
    pub(super) room: RoomRow,
    pub(super) role: Role,
}

/// Somebody who owns it.
pub(super) struct Owner(pub(super) RoomRow);

#[derive(Deserialize)]
struct InPath {
    room: String,
}

impl FromRequestParts<Arc<Api>> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let in_path = Path::<InPath>::from_request_parts(parts, api).await;
        let id: RoomId =
            in_path.ok().and_then(|Path(InPath { room })| room.parse().ok()).ok_or_else(absent)?;
        let room = api.door.store.room(id).await?.ok_or_else(absent)?;
        let by_token = bearer(&parts.headers).and_then(|token| api.door.mint.role_of(&room, token));
        let as_anybody = (room.visibility == Visibility::Public).then_some(Role::Viewer);
        let role = by_token.or(as_anybody).ok_or_else(absent)?;
        Ok(Self { room, role })
    }
}

impl FromRequestParts<Arc<Api>> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let Visitor { room, role } = Visitor::from_request_parts(parts, api).await?;
        if role.may_manage() {
            return Ok(Self(room));
        }
        Err(Problem::new(Kind::Forbidden, "This is for the owners of the room."))
    }
}

/// Somebody who may make rooms.
pub(super) struct Creator;

impl FromRequestParts<Arc<Api>> for Creator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        match &api.creation {
            Creation::Anyone => Ok(Self),
            Creation::Nobody => {
                Err(Problem::new(Kind::Forbidden, "On this server only the operator makes rooms."))
            }
            Creation::Key(digest) => {
                let presented = bearer(&parts.headers).unwrap_or_default();
                if bool::from(Creation::digest(presented.as_bytes()).ct_eq(digest)) {
                    return Ok(Self);
                }
                let detail = "Making rooms needs the key of this server: `Authorization: Bearer KEY`.";
                Err(Problem::new(Kind::Unauthorized, detail))
            }
        }
    }
}

pub(super) fn absent() -> Problem {
    Problem::new(Kind::NotFound, "There is no such room, or the token does not open it.")
}

/// The token of `Bearer TOKEN`; the scheme is case-insensitive (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case("Bearer ").then(|| token.trim())
}

/// The query, read as a `T`.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => Err(Problem::new(Kind::MalformedRequest, rejection.body_text())),
        }
    }
}
