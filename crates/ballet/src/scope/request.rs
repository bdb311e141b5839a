//! A scope for each HTTP request, as a tower layer: with a deadline and a trace that the request may bring.
//!
//! Everything here is put together from the words of this crate, and `serve` says how. It refuses to know a
//! framework: the layer fits whatever takes tower layers, axum first. What the body of the response streams after
//! its head is outside the scope.

use std::mem;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tower_layer::Layer;
use tower_service::Service;

use super::{Scope, scope, timeout, with};
use crate::context::{Trace, TraceParent};
use crate::job::{Error, Failure, Reason};
use crate::observe::say;

/// The header that carries a deadline: `TimeoutValue TimeoutUnit`, as *gRPC over HTTP/2* defines it.
const TIMEOUT: &str = "grpc-timeout";
const GRAMMAR: &str = "grpc-timeout: one to eight digits, not zero, and one of H, M, S, m, u, n";
/// The header that carries a trace, as the W3C recommendation *Trace Context* defines it.
const TRACE_PARENT: &str = "traceparent";

/// Opens a [`scope`] for each request, and gives its handle to the handler in the request's extensions.
///
/// - **Children** that the handler spawns with the [`Scope`] from the extensions have ended before the response goes
///   out. If one fails, the handler is ended with it and the answer is 500; the failure is a `tracing` error.
/// - **Deadline**: the limit of the layer, or less where the header `grpc-timeout` asks for less (`250m` is 250 ms; the
///   units are `H`, `M`, `S`, `m`, `u` and `n`). It is in the [`Context`](crate::Context) of the handler and of its
///   children. When it is over they are cancelled, and the answer is 504 as soon as they have ended. A header that
///   breaks the grammar is answered with 400 before the handler is called.
/// - **Trace**: the context carries, under [`Trace`], a new span of the trace in the header `traceparent`, or a new
///   trace where the header is missing, doubled or invalid.
/// - **A client that goes away** makes the server drop the request. Its children are cancelled at once and adopted by
///   the job or scope around the server, or by the root, which waits for them.
/// - When a [`Stage`](crate::Stage) cancels what is left of the request, the answer is 503.
///
/// A panic of the handler or of a child goes through the layer to the server. Answers of the layer itself have a line
/// of plain text as their body; gRPC clients expect other ones.
///
/// # Cost
///
/// Two scopes, two regions, a timer and a box for each request.
///
/// # Examples
///
/// With axum, for a whole router; for a single handler, `handler.layer(…)` does the same.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Extension, Router, routing::get};
/// use ballet::{Scope, ScopeLayer};
/// use std::time::Duration;
///
/// # async fn fetch_user() -> Result<&'static str, ballet::Error> { Ok("Anna") }
/// # async fn fetch_orders() -> Result<u32, ballet::Error> { Ok(3) }
/// async fn page(Extension(s): Extension<Scope>) -> String {
///     let user = s.spawn(fetch_user());
///     let orders = s.spawn(fetch_orders());
///     format!("{} has {} orders", user.await, orders.await) // a failure of either is a 500
/// }
///
/// let router: Router =
///     Router::new().route("/", get(page)).layer(ScopeLayer::new(Duration::from_secs(5)));
/// # use tower_service::Service;
/// # let request = axum::http::Request::get("/").body(axum::body::Body::empty())?;
/// # let response = router.clone().call(request).await?;
/// # let body = axum::body::to_bytes(response.into_body(), 100).await?;
/// # assert_eq!(body, "Anna has 3 orders");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ScopeLayer {
    limit: Duration,
}

impl ScopeLayer {
    /// A layer that gives no request more time than `limit`.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for ScopeLayer {
    type Service = ScopeService<S>;

    fn layer(&self, service: S) -> ScopeService<S> {
        ScopeService { service, limit: self.limit }
    }
}

/// What [`ScopeLayer`] makes of a service.
#[derive(Clone, Copy, Debug)]
pub struct ScopeService<S> {
    service: S,
    limit: Duration,
}

impl<S, A, B> Service<Request<A>> for ScopeService<S>
where
    S: Service<Request<A>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    A: Send + 'static,
    B: From<String> + Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Poller<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        // The service that said it is ready takes the request; its clone has yet to say so.
        let clone = self.service.clone();
        let service = mem::replace(&mut self.service, clone);
        Box::pin(serve(service, self.limit, request))
    }
}

/// The outer scope is there to outlast the deadline: it adopts the inner one, so that an elapsed request, too, is
/// answered when all of it has ended.
async fn serve<S, A, B>(
    mut service: S,
    limit: Duration,
    mut request: Request<A>,
) -> Result<Response<B>, S::Error>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: From<String>,
{
    let limit = match requested(request.headers()) {
        Ok(requested) => requested.map_or(limit, |requested| requested.min(limit)),
        Err(InvalidTimeout) => return Ok(answer(StatusCode::BAD_REQUEST, GRAMMAR)),
    };
    let trace = trace(request.headers());
    let handled = async move |s: Scope| {
        request.extensions_mut().insert(s.clone());
        let response = service.call(request).await;
        if response.is_err() {
            s.cancel_children();
        }
        Ok(response)
    };
    let outlasting = scope(async move |_: Scope| Ok(timeout(limit, scope(handled)).await));
    match with(Trace, trace, outlasting).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(_elapsed)) => Ok(answer(StatusCode::GATEWAY_TIMEOUT, format!("no answer within {limit:?}"))),
        Ok(Ok(Err(failure))) | Err(failure) => Ok(failed(&failure, trace)),
    }
}

fn failed<B: From<String>>(failure: &Failure<Error>, trace: TraceParent) -> Response<B> {
    if let Some(Reason::Shutdown(_)) = failure.reason() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "shutting down");
    }
    say(|| {
        tracing::error!(
            target: "ballet",
            path = %failure.path(), place = %failure.place(), trace = %trace.trace_id(),
            "the scope of a request failed: {failure:?}"
        );
    });
    answer(StatusCode::INTERNAL_SERVER_ERROR, "the request failed")
}

fn answer<B: From<String>>(status: StatusCode, text: impl Into<String>) -> Response<B> {
    let mut response = Response::new(B::from(text.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// A new span of the caller's trace, or a new trace.
fn trace(headers: &HeaderMap) -> TraceParent {
    let caller = only(headers, TRACE_PARENT).and_then(|value| value.to_str().ok()?.parse().ok());
    caller.as_ref().map_or_else(TraceParent::start, TraceParent::child)
}

/// The time that the caller gives, if he names one.
fn requested(headers: &HeaderMap) -> Result<Option<Duration>, InvalidTimeout> {
    if !headers.contains_key(TIMEOUT) {
        return Ok(None);
    }
    let value = only(headers, TIMEOUT).and_then(|value| value.to_str().ok());
    value.and_then(duration).map(Some).ok_or(InvalidTimeout)
}

struct InvalidTimeout;

fn duration(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok().filter(|&amount| amount > 0)?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// The header's value, where it stands there once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}
