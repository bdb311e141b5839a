//! Accepts connections and serves HTTP/1.1 on each, as children of one supervisor scope.
//!
//! One connection's failure is its own. One that is upgraded, to a WebSocket, leaves here with its upgrade. When the
//! Stage drains, nothing new is accepted, requests in flight are answered, and idle connections are closed.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use ballet::SupervisorScope;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;

/// As good as for ever.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long a server waits when it cannot accept, as where the machine has no file descriptor left.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves `router` on `listener` within the bounds of [`Server::new`]; the short form of [`Server::serve`].
///
/// # Errors
///
/// When the scope of the connections fails, which no single connection can cause.
///
/// # Cancel safety
///
/// As [`Server::serve`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use axum::{Router, routing::get};
/// use ballet::{Scope, Stage};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio::net::{TcpListener, TcpStream};
///
/// let stage = Stage::new();
/// let phases = stage.phases();
/// let curtain = stage
///     .run(async |s: Scope| {
///         let listener = TcpListener::bind("127.0.0.1:0").await?;
///         let address = listener.local_addr()?;
///         let router = Router::new().route("/", get(async || "curtain up"));
///         s.named("http").spawn(ballet_http::serve(listener, router));
///
///         let mut client = TcpStream::connect(address).await?;
///         client.write_all(b"GET / HTTP/1.1\r\nHost: stage\r\n\r\n").await?;
///         phases.shut_down(); // the request that is under way is answered, and the connection closed
///         let mut answer = String::new();
///         client.read_to_string(&mut answer).await?;
///         assert!(answer.ends_with("curtain up"));
///         Ok(())
///     })
///     .await;
/// assert!(!curtain.is_lossy());
/// # }
/// ```
pub async fn serve(listener: TcpListener, router: Router) -> Result<(), ballet::Error> {
    Server::new(listener, router).serve().await
}

/// A listener, what is served on it, and the bounds.
///
/// # Examples
///
/// ```
/// # use axum::Router;
/// # use tokio::net::TcpListener;
/// # async fn example(listener: TcpListener, router: Router) -> Result<(), ballet::Error> {
/// use std::time::Duration;
///
/// ballet_http::Server::new(listener, router)
///     .connections_max(100)
///     .header_wait_max(Duration::from_secs(5))
///     .serve()
///     .await
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a server does nothing until it is asked to `serve`"]
pub struct Server {
    listener: TcpListener,
    router: Router,
    connections_max: usize,
    header_wait_max: Duration,
    header_bytes_max: usize,
}

impl Server {
    /// A server of at most 4 096 connections at the same time, each with 30 s to send 32 KiB of headers, 100 of them.
    pub fn new(listener: TcpListener, router: Router) -> Self {
        Self {
            listener,
            router,
            connections_max: 4_096,
            header_wait_max: Duration::from_secs(30),
            header_bytes_max: 32 * 1024,
        }
    }

    /// Connections at the same time; more wait in the kernel's queue until one closes. One that was upgraded counts no more.
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections.min(Semaphore::MAX_PERMITS);
        self
    }

    /// How long a client may take to send its headers, and how long an idle connection is kept; a year at most.
    pub fn header_wait_max(mut self, limit: Duration) -> Self {
        // Hyper adds it to the time, which has an end.
        self.header_wait_max = limit.min(YEAR);
        self
    }

    /// What the headers of one request may take up, in bytes. Below 8 192 the connection's buffer has 8 192 all the
    /// same.
    pub fn header_bytes_max(mut self, bytes: usize) -> Self {
        self.header_bytes_max = bytes.max(8_192);
        self
    }

    /// Serves until the Stage [drains](ballet::draining), and then until the last connection is closed.
    ///
    /// Each request carries the address at the other end as [`ConnectInfo<SocketAddr>`](ConnectInfo).
    ///
    /// # Errors
    ///
    /// When the scope of the connections fails, which no single connection can cause.
    ///
    /// # Cancel safety
    ///
    /// As [`scope`](ballet::scope): the connections are cancelled, and requests in flight are not answered.
    pub async fn serve(self) -> Result<(), ballet::Error> {
        let Self { listener, router, connections_max, header_wait_max, header_bytes_max } = self;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(header_wait_max).max_header_size(header_bytes_max);
        // The listener goes with this body, before the last connection, so that the port is closed while they drain.
        ballet::supervisor_scope(async move |connections: SupervisorScope| {
            let permits = Arc::new(Semaphore::new(connections_max));
            loop {
                let (stream, peer, permit) = tokio::select! {
                    connection = next_connection(&listener, &permits) => connection,
                    () = ballet::draining() => return Ok(()),
                };
                let connection = serve_one(stream, peer, http.clone(), router.clone(), permit);
                connections.named("connection").spawn(connection);
            }
        })
        .await?;
        Ok(())
    }
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    http: http1::Builder,
    router: Router,
    _permit: Option<OwnedSemaphorePermit>,
) -> Result<(), ballet::Error> {
    // Answers are written whole; waiting to fill a packet would only delay them.
    stream.set_nodelay(true)?;
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ballet::draining() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A peer that hangs up or speaks nonsense is no failure of ours.
        tracing::debug!(%peer, %error, "a connection broke");
    }
    Ok(())
}

async fn next_connection(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed, so the permit is always there.
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) if is_of_the_peer(&error) => {
                tracing::debug!(%error, "a connection broke as it was accepted");
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// `accept` also tells of what happened to the one connection that it was to give (accept(2)), which says nothing of the next.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown,
        NetworkUnreachable, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkDown
            | NetworkUnreachable
            | TimedOut
    )
}
