//! What surrounds every request: an id, a span, a limit in time, a net for panics, and the headers that keep a browser
//! from guessing.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_CHARS_MAX: usize = 128;

/// What an application says where its handlers cannot; see [`around`].
pub trait Around: Send + Sync + 'static {
    /// How long a handler may take until its answer begins. What has begun, such as a stream of events, may go on.
    const ANSWER_WAIT_MAX: Duration;

    /// The answer to a request whose handler panicked, also where that was as it was dropped for being late. The panic is in
    /// the log, under the id of the request.
    fn panicked() -> Response;

    /// The answer to a request whose handler took longer than [`ANSWER_WAIT_MAX`](Self::ANSWER_WAIT_MAX), and was dropped.
    fn late() -> Response;

    /// Counts an answer. The route is the pattern, such as `/orders/{id}`, or `none`: an id in a metric's label would make
    /// a series of its own.
    fn answered(&self, method: &Method, route: &str, status: StatusCode);
}

/// A middleware around all routes of an application.
///
/// Each request has an id: the client's own `X-Request-Id`, where that is 1 to 128 visible ASCII characters, else a new
/// UUID (version 7). It stands in the `tracing` span `request`, in which the handler runs, and in the answer's header. A
/// handler that panics or takes too long is answered for by the application. Each answer is told to the application, and
/// has headers with which a browser neither guesses a type (`nosniff`), nor sends a referrer, nor resolves names ahead, nor
/// keeps it, nor runs
/// anything from it; a handler sets its own `Cache-Control` and `Content-Security-Policy` where it wants others.
///
/// The net is under the handler, and not under what the application says here, nor under a body that is still being sent.
///
/// # Cancel safety
///
/// Where the client goes away, the handler is dropped with the request, and no answer is told or logged.
///
/// # Examples
///
/// ```
/// use axum::{Router, http::{Method, StatusCode}, middleware::from_fn_with_state, response::{IntoResponse, Response}, routing::get};
/// use ballet_http::{Around, around};
/// use std::{sync::Arc, time::Duration};
///
/// struct Shop;
///
/// impl Around for Shop {
///     const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
///
///     fn panicked() -> Response {
///         (StatusCode::INTERNAL_SERVER_ERROR, "The log says why, under the id in X-Request-Id.").into_response()
///     }
///
///     fn late() -> Response {
///         (StatusCode::SERVICE_UNAVAILABLE, "It took too long. Ask again later.").into_response()
///     }
///
///     fn answered(&self, _: &Method, _: &str, _: StatusCode) {}
/// }
///
/// let router: Router = Router::new()
///     .route("/", get(async || "curtain up"))
///     .layer(from_fn_with_state(Arc::new(Shop), around::<Shop>));
/// # drop(router);
/// ```
pub async fn around<A: Around>(State(application): State<Arc<A>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), %method, route);

    let mut response = answer::<A>(request, next).instrument(span.clone()).await;

    let status = response.status();
    span.in_scope(|| tracing::debug!(%status, elapsed = ?started.elapsed(), "answered"));
    application.answered(&method, route, status);
    harden(&mut response, id);
    response
}

async fn answer<A: Around>(request: Request, next: Next) -> Response {
    // The handler is dropped in the block, and so over the net, also when it is late: its destructors may panic, too.
    let answer = async { tokio::time::timeout(A::ANSWER_WAIT_MAX, next.run(request)).await };
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(_elapsed)) => A::late(),
        Err(_panic) => {
            // What it said, and where, the panic hook has written already.
            tracing::error!("a handler panicked");
            A::panicked()
        }
    }
}

/// The client's own id where it is fit for a log, else a new one.
fn request_id(request: &Request) -> HeaderValue {
    let theirs = request.headers().get(REQUEST_ID).filter(|value| {
        (1..=REQUEST_ID_CHARS_MAX).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    theirs.cloned().unwrap_or_else(|| {
        let fresh = Uuid::now_v7().to_string();
        HeaderValue::try_from(fresh).unwrap_or_else(|_| HeaderValue::from_static("none"))
    })
}

fn harden(response: &mut Response, id: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_DNS_PREFETCH_CONTROL, HeaderValue::from_static("off"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
}
