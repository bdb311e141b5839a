//! Thumbnails and exports: a drawing is loaded, painted on a thread for work that computes, and sent.
//!
//! So many are made at the same time and no more; whoever comes then is told to come later. Thumbnails are kept, for
//! the seq that they show, so a gallery costs one look at each.

use std::{
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ballet::{Cancel, Scope};
use lru::LruCache;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{
    Api,
    access::{Asked, Visitor, absent},
    problem::{Kind, Problem},
};
use crate::{
    ink::{self, NoPicture, Sheet},
    model::RoomId,
    store::{Loaded, RoomRow},
    wire::Point,
};

/// Pictures that are made at the same time; each may take 200 MB.
const AT_ONCE: usize = 1;
/// Requests that may wait for that.
const WAITING_MAX: usize = 64;
/// Thumbnails that are kept: some kilobytes each.
const KEPT: NonZero<usize> = NonZero::new(512).expect("it is not zero");
/// How large a thumbnail is at most.
const THUMBNAIL: (f64, f64) = (480.0, 320.0);

#[derive(Debug)]
pub(crate) struct Pictures {
    turn: Semaphore,
    places: Semaphore,
    thumbnails: Mutex<LruCache<(RoomId, u64, u64), Bytes>>,
}

impl Pictures {
    pub(crate) fn new() -> Self {
        Self {
            turn: Semaphore::new(AT_ONCE),
            places: Semaphore::new(AT_ONCE + WAITING_MAX),
            thumbnails: Mutex::new(LruCache::new(KEPT)),
        }
    }
}

type Drawing = Loaded<Vec<Point>>;

/// Loads a drawing and paints it, when it is its turn.
async fn paint<T: Send + 'static>(
    api: &Api,
    room: &RoomRow,
    paint: impl FnOnce(&Drawing, Sheet, &Cancel) -> T + Send + 'static,
) -> Result<T, Problem> {
    let Ok(_place) = api.pictures.places.try_acquire() else {
        return Err(Problem::new(Kind::Unavailable, "Many pictures are being made. Ask again later."));
    };
    // It is never closed.
    let _turn = api.pictures.turn.acquire().await;
    let loaded = api.door.store.drawing(room.key).await?.ok_or_else(absent)?;
    let sheet = Sheet { width: room.width, height: room.height };
    let painted = ballet::scope(async |scope: Scope| {
        Ok(scope.named("picture").compute(move |cancel| Ok(paint(&loaded, sheet, cancel))).await)
    });
    painted.await.map_err(|failure| Problem::internal(&failure))
}

/// The newest thumbnail.
pub(super) async fn thumbnail(
    State(api): State<Arc<Api>>,
    Visitor { room, .. }: Visitor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = (room.id, room.log_id, room.seq);
    let tag = format!("\"{:x}-{:x}\"", room.log_id, room.seq);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let common = [(header::ETAG, tag), (header::CACHE_CONTROL, "private, no-cache".to_owned())];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let kept = api.pictures.thumbnails.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    let png = match kept {
        Some(png) => png,
        None => {
            let png: Bytes =
                paint(&api, &room, small).await?.map_err(|error| Problem::internal(&error))?.into();
            let mut thumbnails = api.pictures.thumbnails.lock().unwrap_or_else(PoisonError::into_inner);
            thumbnails.put(key, png.clone());
            png
        }
    };
    Ok((common, [(header::CONTENT_TYPE, "image/png")], png).into_response())
}

fn small(drawing: &Drawing, sheet: Sheet, cancel: &Cancel) -> Result<Vec<u8>, NoPicture> {
    let scale = f64::min(THUMBNAIL.0 / f64::from(sheet.width), THUMBNAIL.1 / f64::from(sheet.height));
    ink::png(&drawing.canvas, sheet, scale.min(1.0), false, || !cancel.is_cancelled())
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wishes {
    scale: Option<f64>,
    transparent: bool,
}

pub(super) async fn png(
    State(api): State<Arc<Api>>,
    Visitor { room, .. }: Visitor,
    Asked(wishes): Asked<Wishes>,
) -> Result<Response, Problem> {
    let scale = wishes.scale.unwrap_or(1.0);
    if !(0.1..=4.0).contains(&scale) {
        return Err(Problem::new(Kind::Invalid, "`scale` is 0.1 to 4."));
    }
    let painted = paint(&api, &room, move |drawing, sheet, cancel| {
        ink::png(&drawing.canvas, sheet, scale, wishes.transparent, || !cancel.is_cancelled())
    });
    let png = painted.await?.map_err(|error| Problem::new(Kind::Invalid, format!("It would be {error}.")))?;
    Ok(attachment(&room, "png", "image/png", png))
}

pub(super) async fn svg(
    State(api): State<Arc<Api>>,
    Visitor { room, .. }: Visitor,
) -> Result<Response, Problem> {
    let svg = paint(&api, &room, |drawing, sheet, _| ink::svg(&drawing.canvas, sheet)).await?;
    Ok(attachment(&room, "svg", "image/svg+xml", svg.into_bytes()))
}

/// A file to keep. It is named after the room's id: a name that people chose is no name for a file.
fn attachment(room: &RoomRow, ending: &str, media_type: &'static str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"artnest-{}.{ending}\"", room.id);
    let disposition =
        HeaderValue::try_from(disposition).unwrap_or_else(|_| HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, bytes).into_response()
}
