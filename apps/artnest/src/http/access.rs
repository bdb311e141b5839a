//! Who asks, and for which room: the room in the path, the token in `Authorization: Bearer`, and in `Artnest-Member` the
//! key of the member who asks, if one does.
//!
//! A member has the role that the socket would give them, so what an owner decided about them counts here as well. A
//! room that the caller may not see is answered as one that does not exist.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    Api,
    problem::{Kind, Problem},
};
use crate::{
    config::Creation,
    model::{Code, Role, RoomId},
    store::{Admission, Entry, RoomRow},
};

/// Names the member who asks, by the key that only they have.
const MEMBER: &str = "artnest-member";

/// Somebody who may see the room.
pub(super) struct Visitor {
    pub(super) room: RoomRow,
    pub(super) role: Role,
}

/// Somebody who owns it.
pub(super) struct Owner(pub(super) RoomRow);

#[derive(Deserialize)]
struct RoomOf {
    room: String,
}

impl FromRequestParts<Arc<Api>> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let InPath(RoomOf { room }) = InPath::from_request_parts(parts, api).await?;
        let id: RoomId = room.parse().map_err(|_| absent())?;
        let room = api.door.store.room(id).await?.ok_or_else(absent)?;
        let token = str::from_utf8(bearer(&parts.headers)).unwrap_or_default();
        let by_link = api.door.role_by(&room, token);
        let role = match member_key(&parts.headers)? {
            Some(key) => role_of_member(api, &room, key, by_link).await?,
            None => by_link,
        };
        Ok(Self { role: role.ok_or_else(absent)?, room })
    }
}

/// The role of the member with this key who comes by this link. A key that nobody has counts for nothing.
async fn role_of_member(
    api: &Api,
    room: &RoomRow,
    key: [u8; 16],
    by_link: Option<Role>,
) -> Result<Option<Role>, Problem> {
    let entry = Entry { key_sha256: Sha256::digest(key).into(), role: by_link, name: String::new() };
    match api.door.store.recognise(room.key, entry).await? {
        Some(Admission::Banned) => Err(Problem::new(Kind::Banned, Code::Banned.text())),
        Some(Admission::Member { role, .. }) => Ok(Some(role)),
        _ => Ok(by_link),
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
                if bool::from(Creation::digest(bearer(&parts.headers)).ct_eq(digest)) {
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

/// The token of `Bearer TOKEN`, or nothing; the scheme is case-insensitive (RFC 9110 §11.1). An operator's key may be of
/// any characters, so it is bytes.
pub(super) fn bearer(headers: &HeaderMap) -> &[u8] {
    let header = headers.get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
    match header.split_at_checked("Bearer ".len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => token.trim_ascii(),
        _ => b"",
    }
}

/// The key of `Artnest-Member`.
fn member_key(headers: &HeaderMap) -> Result<Option<[u8; 16]>, Problem> {
    let Some(header) = headers.get(MEMBER) else { return Ok(None) };
    let digits = header.to_str().ok().filter(|text| text.len() == 32 && !text.starts_with('+'));
    let key = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok()).map(u128::to_be_bytes);
    let wrong =
        || Problem::new(Kind::MalformedRequest, "`Artnest-Member` is a key as 32 hexadecimal digits.");
    key.map(Some).ok_or_else(wrong)
}

/// What stands in the path, read as a `T`. A path that cannot be read leads nowhere.
pub(super) struct InPath<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(read)) => Ok(Self(read)),
            Err(_) => Err(Problem::new(Kind::NotFound, "PROTOCOL.md lists the paths.")),
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
            Err(rejection) => Err(Problem::new(Kind::MalformedRequest, rejection.body_text())),
        }
    }
}
