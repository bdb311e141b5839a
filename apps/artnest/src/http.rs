//! The HTTP API, the page and the way to the socket, as one axum router.
//!
//! Handlers read and write the store, and tell live rooms what they changed. Authority is a bearer token and the key of a
//! member (`access`). Every error is a problem document (`problem`). `ballet_http` accepts the connections; read `upgrade`
//! for how one becomes a WebSocket.

mod access;
pub(crate) mod admin;
mod body;
mod history;
mod page;
mod pictures;
mod problem;
mod rooms;
mod shell;
mod upgrade;

use std::{collections::HashSet, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    routing::{any, delete, get, post},
};
use ballet::Phases;
use ballet_http::around;

use self::problem::{Kind, Problem};
pub(crate) use self::{pictures::Pictures, upgrade::Sockets};
use crate::{config::Creation, socket::Door};

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) door: Door,
    pub(crate) sockets: Sockets,
    pub(crate) pictures: Pictures,
    pub(crate) creation: Creation,
    /// Rooms there may be.
    pub(crate) rooms_max: u64,
    /// Where pages may come from that open a socket, beside our own address.
    pub(crate) origins: HashSet<String>,
    pub(crate) phases: Phases,
}

/// Every route, with its guards.
pub(crate) fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/api/server", get(rooms::server))
        .route("/api/rooms", get(rooms::gallery).post(rooms::create))
        .route("/api/rooms/{room}", get(rooms::one).patch(rooms::change).delete(rooms::delete))
        .route("/api/rooms/{room}/links", get(rooms::links))
        .route("/api/rooms/{room}/links/{role}", post(rooms::renew))
        .route("/api/rooms/{room}/members", get(rooms::members))
        .route("/api/rooms/{room}/bans/{member}", delete(rooms::unban))
        .route("/api/rooms/{room}/forget", post(rooms::forget))
        .route("/api/rooms/{room}/thumbnail.png", get(pictures::thumbnail))
        .route("/api/rooms/{room}/export.png", get(pictures::png))
        .route("/api/rooms/{room}/export.svg", get(pictures::svg))
        .route("/api/rooms/{room}/history", get(history::stream))
        .route("/api/rooms/{room}/socket", get(upgrade::upgrade))
        .route("/api/{*path}", any(async || Problem::new(Kind::NotFound, "PROTOCOL.md lists the paths.")))
        .merge(shell::health(&api))
        .route("/assets/{*path}", get(page::asset))
        .route("/", get(page::index))
        .route("/new", get(page::index))
        .route("/about", get(page::index))
        .route("/r/{room}", get(page::index))
        .route("/r/{room}/replay", get(page::index))
        .fallback(page::unknown)
        .method_not_allowed_fallback(async || {
            Problem::new(Kind::MethodNotAllowed, "The Allow header lists the methods of this path.")
        })
        .layer(DefaultBodyLimit::max(body::BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&api), around::<Api>))
        .with_state(api)
}
