//! Rooms over HTTP: the gallery, one room, its links and members.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Api,
    access::{Asked, Creator, InPath, Owner, Visitor, absent},
    body,
    problem::{Kind, Problem},
};
use crate::{
    config::Creation,
    links::Links,
    model::{Code, ReadOnly, Role, RoomId, Visibility, clean_name, sheet},
    room::Message,
    store::{Changes, Cursor, NewRoom, RoomRow},
    wire::VERSION,
};

/// The sheet of a room that nobody said anything about.
const SHEET: (u16, u16) = (2_400, 1_600);
const GALLERY: usize = 24;
const GALLERY_MAX: usize = 100;
const MEMBERS_MAX: usize = 1_000;

/// A room as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct Room {
    id: RoomId,
    name: String,
    visibility: Visibility,
    role: Role,
    width: u16,
    height: u16,
    created_at: Timestamp,
    updated_at: Timestamp,
    strokes: u64,
    online: u64,
    seq: u64,
    used_bytes: u64,
    quota_bytes: u64,
    read_only: Option<ReadOnly>,
    thumbnail: String,
}

impl Room {
    pub(super) fn of(api: &Api, row: RoomRow, role: Role) -> Self {
        let quota_bytes = row.quota_bytes.unwrap_or(api.door.rooms.limits().quota_bytes);
        let full = (row.used_bytes >= quota_bytes).then_some(ReadOnly::Quota);
        let stuck = (!api.door.store.is_writable()).then_some(ReadOnly::Store);
        Self {
            id: row.id,
            visibility: row.visibility,
            role,
            width: row.width,
            height: row.height,
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
            strokes: row.strokes,
            online: api.door.rooms.online(row.id),
            seq: row.seq,
            used_bytes: row.used_bytes,
            quota_bytes,
            read_only: stuck.or(full),
            thumbnail: format!("/api/rooms/{}/thumbnail.png?v={}", row.id, row.seq),
            name: row.name,
        }
    }
}

fn time(ms: u64) -> Timestamp {
    i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

pub(super) async fn server(State(api): State<Arc<Api>>) -> Json<Value> {
    let may_create = matches!(api.creation, Creation::Anyone);
    let needs_key = matches!(api.creation, Creation::Key(_));
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "protocol": VERSION,
        "may_create": may_create,
        "create_needs_key": needs_key,
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Part {
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn gallery(
    State(api): State<Arc<Api>>,
    Asked(part): Asked<Part>,
) -> Result<Json<Value>, Problem> {
    let limit = part.limit.unwrap_or(GALLERY);
    if !(1..=GALLERY_MAX).contains(&limit) {
        return Err(Problem::new(Kind::MalformedRequest, format!("`limit` is 1 to {GALLERY_MAX}.")));
    }
    let cursor = part.cursor.filter(|cursor| !cursor.is_empty()).map(|cursor| cursor.parse::<Cursor>());
    let cursor =
        cursor.transpose().map_err(|error| Problem::new(Kind::MalformedRequest, error.to_string()))?;
    let page = api.door.store.public_rooms(cursor, limit).await?;
    let next = page.next.map(|cursor| cursor.to_string());
    let items: Vec<_> = page.items.into_iter().map(|row| Room::of(&api, row, Role::Viewer)).collect();
    Ok(Json(json!({ "items": items, "next": next })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToCreate {
    name: String,
    #[serde(default)]
    visibility: Visibility,
    width: Option<u16>,
    height: Option<u16>,
}

pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Creator: Creator,
    body::Json(new): body::Json<ToCreate>,
) -> Result<Response, Problem> {
    let (width, height) = sheet(new.width.unwrap_or(SHEET.0), new.height.unwrap_or(SHEET.1))
        .map_err(|error| Problem::new(Kind::Invalid, error.to_string()))?;
    let new = NewRoom { name: shown(&new.name)?, visibility: new.visibility, width, height };
    let Some(row) = api.door.store.create_room(new, api.rooms_max).await? else {
        return Err(Problem::new(Kind::Full, "This server has as many rooms as it may have."));
    };
    let location = HeaderValue::try_from(format!("/api/rooms/{}", row.id));
    let links = api.door.mint.links(&row);
    let created = Json(json!({ "room": Room::of(&api, row, Role::Owner), "links": links }));
    let mut response = (StatusCode::CREATED, created).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn shown(name: &str) -> Result<String, Problem> {
    clean_name(name).map_err(|error| Problem::new(Kind::Invalid, error.to_string()))
}

pub(super) async fn one(State(api): State<Arc<Api>>, visitor: Visitor) -> Json<Room> {
    Json(Room::of(&api, visitor.room, visitor.role))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToChange {
    name: Option<String>,
    visibility: Option<Visibility>,
}

pub(super) async fn change(
    State(api): State<Arc<Api>>,
    Owner(row): Owner,
    body::Json(change): body::Json<ToChange>,
) -> Result<Json<Room>, Problem> {
    let name = change.name.map(|name| shown(&name)).transpose()?;
    let changes = Changes { name, visibility: change.visibility, quota_bytes: None };
    let row = api.door.store.change_room(row.id, changes).await?.ok_or_else(absent)?;
    api.door.rooms.tell(row.id, Message::Changed(row.clone())).await;
    Ok(Json(Room::of(&api, row, Role::Owner)))
}

pub(super) async fn delete(State(api): State<Arc<Api>>, Owner(row): Owner) -> Result<StatusCode, Problem> {
    api.door.rooms.tell(row.id, Message::Close(Code::RoomDeleted)).await;
    api.door.store.delete_room(row.key).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn links(State(api): State<Arc<Api>>, Owner(row): Owner) -> Json<Links> {
    Json(api.door.mint.links(&row))
}

pub(super) async fn renew(
    State(api): State<Arc<Api>>,
    Owner(row): Owner,
    InPath((_room, role)): InPath<(String, Role)>,
) -> Result<Json<Links>, Problem> {
    let row = api.door.store.renew_link(row.id, role).await?.ok_or_else(absent)?;
    api.door.rooms.tell(row.id, Message::Changed(row.clone())).await;
    Ok(Json(api.door.mint.links(&row)))
}

pub(super) async fn members(State(api): State<Arc<Api>>, Owner(row): Owner) -> Result<Json<Value>, Problem> {
    let members = api.door.store.members(row.key, MEMBERS_MAX).await?;
    let online = api.door.rooms.people(row.id);
    let items: Vec<_> = members
        .into_iter()
        .map(|member| {
            json!({
                "member": member.member,
                "name": member.name,
                "role": member.role,
                "online": online.contains(&member.member),
                "banned": member.banned,
            })
        })
        .collect();
    Ok(Json(json!({ "items": items })))
}

pub(super) async fn unban(
    State(api): State<Arc<Api>>,
    Owner(row): Owner,
    InPath((_room, member)): InPath<(String, u32)>,
) -> Result<StatusCode, Problem> {
    if !api.door.store.set_banned(row.key, member, false).await? {
        return Err(Problem::new(Kind::NotFound, "The room has no such member."));
    }
    api.door.rooms.tell(row.id, Message::Unbanned(member)).await;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn forget(State(api): State<Arc<Api>>, Owner(row): Owner) -> Result<Json<Room>, Problem> {
    let row = api.door.store.forget(row.key).await?.ok_or_else(absent)?;
    api.door.rooms.tell(row.id, Message::Changed(row.clone())).await;
    Ok(Json(Room::of(&api, row, Role::Owner)))
}
