//! Who may call: `Authorization: Bearer KEY`, compared in constant time with the hashes of the known keys.
//!
//! Keys are read once, when the server starts; a key itself is never stored, logged or shown again.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::{
    Api,
    problem::{Kind, Problem},
};
use crate::{api_key, store::ApiKey};

/// Whose key the request carries; the scope of its idempotency keys.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Arc<str>);

/// The hashes of the known keys.
#[derive(Debug)]
pub(crate) struct Keys(Vec<(Arc<str>, [u8; 32])>);

impl Keys {
    pub(crate) fn new(keys: Vec<ApiKey>) -> Self {
        Self(keys.into_iter().map(|key| (key.name.into(), key.sha256)).collect())
    }

    /// Compares with every key, so that the time taken does not tell which one came close.
    fn holder(&self, presented: &[u8]) -> Option<Caller> {
        let digest = api_key::hash_bytes(presented);
        let mut position = u32::MAX;
        for (candidate, (_, known)) in (0..).zip(&self.0) {
            position.conditional_assign(&candidate, digest.as_slice().ct_eq(known));
        }
        let (name, _) = self.0.get(usize::try_from(position).ok()?)?;
        Some(Caller(Arc::clone(name)))
    }
}

/// Lets a request with a valid key through, with its [`Caller`].
pub(crate) async fn require(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    match caller(&api.keys, request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Lets a request from this machine through without a key. A proxy on this machine speaks for others: what it
/// forwards needs the key.
pub(crate) async fn require_unless_local(api: State<Arc<Api>>, request: Request, next: Next) -> Response {
    let from_here = request
        .extensions()
        .get()
        .is_some_and(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip().is_loopback());
    if from_here && !is_forwarded(request.headers()) {
        return next.run(request).await;
    }
    require(api, request, next).await
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name))
}

fn caller(keys: &Keys, headers: &HeaderMap) -> Result<Caller, Problem> {
    let refusal = |detail| Problem::new(Kind::Unauthorized, detail);
    let header = headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| refusal("Send the header `Authorization: Bearer KEY` with your API key."))?;
    let presented = bearer(header.as_bytes())
        .ok_or_else(|| refusal("The Authorization header must read `Bearer KEY`."))?;
    keys.holder(presented).ok_or_else(|| refusal("This API key is not known here."))
}

/// The token of `Bearer TOKEN`; the scheme is case-insensitive (RFC 9110 §11.1).
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}
