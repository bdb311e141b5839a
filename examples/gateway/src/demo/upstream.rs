//! An upstream that falls ill on request.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use bytes::Bytes;
use futures_util::stream;
use tokio::net::TcpListener;

/// What an upstream in [`Mode::Panic`] sends: the code of the demo's parts panics on it.
pub(super) const POISON: &str = r#""poison""#;
/// What a huge answer is made of.
const CHUNK: Bytes = Bytes::from_static(&[b'x'; 64 * 1024]);
/// 100 MiB, which nobody should read to the end.
const HUGE_CHUNKS: usize = 1_600;

/// How an upstream feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It answers at once.
    Ok,
    /// It answers as it should, but later than the deadline.
    Slow,
    /// It answers 503.
    ServerError,
    /// It takes the request and never answers.
    Hang,
    /// It answers 200 with what is not JSON.
    Garbage,
    /// It answers with 100 MiB, without saying so beforehand.
    Huge,
    /// It answers with what the gateway's own code panics on.
    Panic,
    /// It panics itself: the connection breaks without an answer.
    Crash,
    /// It stops in the middle of the body, which it announced longer.
    Truncated,
    /// It answers 200 without a body.
    Empty,
    /// It answers `null`.
    Null,
    /// It answers 404.
    NotFound,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::Slow,
        Self::ServerError,
        Self::Hang,
        Self::Garbage,
        Self::Huge,
        Self::Panic,
        Self::Crash,
        Self::Truncated,
        Self::Empty,
        Self::Null,
        Self::NotFound,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Slow => "slow",
            Self::ServerError => "5xx",
            Self::Hang => "hang",
            Self::Garbage => "garbage",
            Self::Huge => "huge",
            Self::Panic => "panic",
            Self::Crash => "crash",
            Self::Truncated => "truncated",
            Self::Empty => "empty",
            Self::Null => "null",
            Self::NotFound => "404",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is none of the modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongMode;

impl FromStr for Mode {
    type Err = WrongMode;

    fn from_str(word: &str) -> Result<Self, WrongMode> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or(WrongMode)
    }
}

/// One small HTTP server that answers every GET and POST according to its mode.
#[derive(Debug)]
pub struct Upstream {
    name: &'static str,
    answer: &'static str,
    /// How long a slow answer takes.
    slow: Duration,
    mode: Mutex<Mode>,
    asked: AtomicU64,
    under_way: AtomicU64,
    last_headers: Mutex<HeaderMap>,
}

impl Upstream {
    /// An upstream that is well and says `answer`, which is JSON.
    #[must_use]
    pub fn new(name: &'static str, answer: &'static str, slow: Duration) -> Arc<Self> {
        Arc::new(Self {
            name,
            answer,
            slow,
            mode: Mutex::new(Mode::Ok),
            asked: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
            last_headers: Mutex::default(),
        })
    }

    /// Serves until the stage drains.
    ///
    /// # Errors
    ///
    /// When the scope of its connections fails, which no single connection can cause.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<(), ballet::Error> {
        let router = Router::new()
            .route("/", get(describe))
            .route("/mode", put(set_mode))
            .fallback(answer)
            .with_state(self);
        ballet_http::serve(listener, router).await
    }

    /// How it feels.
    #[must_use]
    pub fn mode(&self) -> Mode {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes it feel otherwise, from the next request on.
    pub fn set_mode(&self, mode: Mode) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// How often it was asked.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// How many requests it is busy with: one that its client gave up is not among them.
    #[must_use]
    pub fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// The headers of the last request.
    #[must_use]
    pub fn last_headers(&self) -> HeaderMap {
        self.last_headers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn begin(self: Arc<Self>, headers: HeaderMap) -> Busy {
        *self.last_headers.lock().unwrap_or_else(PoisonError::into_inner) = headers;
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Busy(self)
    }
}

/// One request, until it is answered or given up.
struct Busy(Arc<Upstream>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn describe(State(upstream): State<Arc<Upstream>>) -> String {
    let Upstream { name, .. } = *upstream;
    format!(
        "{name}: {}; asked {} times, busy with {}\n",
        upstream.mode(),
        upstream.asked(),
        upstream.under_way()
    )
}

async fn set_mode(State(upstream): State<Arc<Upstream>>, word: String) -> (StatusCode, String) {
    match word.trim().parse() {
        Ok(mode) => {
            upstream.set_mode(mode);
            (StatusCode::OK, format!("{}: {mode}\n", upstream.name))
        }
        Err(WrongMode) => {
            let words = Mode::ALL.map(Mode::as_str).join(", ");
            (StatusCode::BAD_REQUEST, format!("an upstream can be: {words}\n"))
        }
    }
}

async fn answer(State(upstream): State<Arc<Upstream>>, headers: HeaderMap) -> Response {
    let busy = upstream.begin(headers);
    let Upstream { answer, slow, .. } = *busy.0;
    match busy.0.mode() {
        Mode::Ok => json(answer),
        Mode::Slow => {
            tokio::time::sleep(slow).await;
            json(answer)
        }
        Mode::ServerError => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mode::Hang => std::future::pending().await,
        Mode::Garbage => json("\u{fffd}{\"name\": garbage ]"),
        Mode::Huge => huge(busy),
        Mode::Panic => json(POISON),
        Mode::Crash => panic!("the upstream {} was told to crash", busy.0.name),
        Mode::Truncated => truncated(answer),
        Mode::Empty => json(""),
        Mode::Null => json("null"),
        Mode::NotFound => StatusCode::NOT_FOUND.into_response(),
    }
}

fn json(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

/// Busy until the last byte is sent or the client has enough.
fn huge(busy: Busy) -> Response {
    let chunks = (0..HUGE_CHUNKS).map(move |_| {
        let _ = &busy;
        Ok::<_, fmt::Error>(CHUNK)
    });
    json(Body::from_stream(stream::iter(chunks)))
}

/// All but the last byte, and then the connection breaks.
fn truncated(answer: &'static str) -> Response {
    let sent = Ok(Bytes::from_static(&answer.as_bytes()[..answer.len() - 1]));
    let mut response = json(Body::from_stream(stream::iter([sent, Err(fmt::Error)])));
    response.headers_mut().insert(header::CONTENT_LENGTH, answer.len().into());
    response
}
