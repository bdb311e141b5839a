//! How a request becomes a WebSocket: checked, answered, and handed to a job of its own.
//!
//! A browser sends the cookies of a page to any server but not its secrets, and we have no cookies; the check of
//! `Origin` keeps other sites' scripts from even knocking.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::Response,
};
use ballet::SupervisorScope;
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Semaphore};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{
    Api,
    access::{InPath, absent},
    problem::{Kind, Problem},
};
use crate::{model::RoomId, socket, wire::SUBPROTOCOL};

/// Where connections live, once [`Sockets::run`] does, and how many there may be.
#[derive(Debug)]
pub(crate) struct Sockets {
    places: Arc<Semaphore>,
    scope: OnceLock<SupervisorScope>,
}

impl Sockets {
    pub(crate) fn new(connections_max: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(connections_max)), scope: OnceLock::new() }
    }

    /// Lets connections live until the stage drains and the last of them has ended.
    ///
    /// # Errors
    ///
    /// None that a connection has.
    pub(crate) async fn run(api: Arc<Api>) -> Result<(), ballet::Error> {
        ballet::supervisor_scope(async |scope: SupervisorScope| {
            // It runs once.
            let _ = api.sockets.scope.set(scope);
            ballet::draining().await;
            Ok(())
        })
        .await?;
        Ok(())
    }
}

pub(super) async fn upgrade(
    State(api): State<Arc<Api>>,
    InPath(room): InPath<String>,
    mut request: Request,
) -> Result<Response, Problem> {
    let room: RoomId = room.parse().map_err(|_| absent())?;
    let accept = accept_key(request.headers())?;
    check_origin(request.headers(), &api.origins)?;
    let subprotocol = offers_ours(request.headers());
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or_else(not_a_websocket)?;
    let Ok(place) = Arc::clone(&api.sockets.places).try_acquire_owned() else {
        return Err(Problem::new(Kind::Full, "This server has as many connections as it may have."));
    };
    let door = api.door.clone();
    let connection = async move {
        let _place = place;
        if let Some((stream, read)) = upgraded(on_upgrade).await {
            socket::serve(door, room, stream, read).await;
        }
        Ok(())
    };
    let stopping = || Problem::new(Kind::Unavailable, "Artnest is shutting down.");
    let scope = api.sockets.scope.get().ok_or_else(stopping)?;
    scope.named("connection").try_spawn(connection).map_err(|_| stopping())?;

    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    Ok(response)
}

/// The socket itself, without the buffers of HTTP around it; and what was read of it already.
async fn upgraded(on_upgrade: OnUpgrade) -> Option<(TcpStream, Vec<u8>)> {
    // An error means that the client went away between the two.
    let upgraded: Upgraded = on_upgrade.await.ok()?;
    let Parts { io, read_buf, .. } = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((io.into_inner(), read_buf.to_vec()))
}

/// The answer to the client's key, where the request is a WebSocket's (RFC 6455 §4.2.1).
fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let has = |name, token: &str| {
        let values = headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
    };
    let is_one = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_one).ok_or_else(not_a_websocket)?;
    HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| not_a_websocket())
}

fn not_a_websocket() -> Problem {
    Problem::new(Kind::UpgradeRequired, "Open a WebSocket (RFC 6455, version 13) here.")
}

fn offers_ours(headers: &HeaderMap) -> bool {
    let offers =
        headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|offer| offer.to_str().ok());
    offers.flat_map(|offer| offer.split(',')).any(|offer| offer.trim() == SUBPROTOCOL)
}

/// A page may open a socket to the address that it came from, or where the operator says so. What is no browser sends
/// no `Origin`.
fn check_origin(headers: &HeaderMap, allowed: &HashSet<String>) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.parse::<Uri>().ok().and_then(|uri| uri.authority().map(ToString::to_string));
    let is_ours = host.is_some() && authority.as_deref() == host;
    if is_ours || allowed.contains(origin) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Forbidden,
        "This page is not from here. The operator can allow it with `origins`.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_page_from_here_may_and_one_from_elsewhere_may_not() {
        let allowed = HashSet::from(["https://draw.example.org".to_owned()]);
        let from =
            |origin| check_origin(&headers(&[("host", "127.0.0.1:8420"), ("origin", origin)]), &allowed);
        assert!(from("http://127.0.0.1:8420").is_ok());
        assert!(from("https://draw.example.org").is_ok());
        for origin in
            ["https://evil.example", "http://127.0.0.1", "null", "http://127.0.0.1:8420.evil.example", ""]
        {
            assert!(from(origin).is_err(), "{origin}");
        }
        assert!(check_origin(&headers(&[("host", "127.0.0.1:8420")]), &allowed).is_ok());
    }

    #[test]
    fn a_request_that_is_no_websocket_is_told_what_to_be() {
        let good = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        // The example of RFC 6455 §1.3.
        assert_eq!(accept_key(&headers(&good)).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for missing in 0..good.len() {
            let mut some = good.to_vec();
            some.remove(missing);
            assert!(accept_key(&headers(&some)).is_err());
        }
    }
}
