//! Accepts connections and serves HTTP/1.1 on each, as children of one supervisor scope.
//!
//! One connection's failure is its own. When the Stage drains, nothing new is accepted, requests in flight are answered, and
//! idle connections are closed. Bounds on time, headers and connections are the constants here.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, extract::Request};
use ballet::SupervisorScope;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower_service::Service;

/// Connections at the same time; more wait in the kernel's queue until one closes.
const CONNECTIONS_MAX: usize = 256;
/// How long a client may take to send its headers, and how long an idle connection is kept.
const HEADER_WAIT_MAX: Duration = Duration::from_secs(30);
/// What the headers of one request may take up.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// How long to wait when the machine has no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves until the Stage drains, and then until the last connection is closed.
///
/// # Errors
///
/// When the scope of the connections fails, which no single connection can cause.
pub(crate) async fn serve(listener: TcpListener, router: Router) -> Result<(), ballet::Error> {
    ballet::supervisor_scope(async |connections: SupervisorScope| {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let (stream, peer, permit) = tokio::select! {
                connection = next_connection(&listener, &permits) => connection,
                () = ballet::draining() => return Ok(()),
            };
            let connection = serve_one(stream, peer, router.clone(), permit);
            connections.named("connection").spawn(connection);
        }
    })
    .await?;
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
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    _permit: Option<OwnedSemaphorePermit>,
) -> Result<(), ballet::Error> {
    // Answers are written whole; waiting to fill a packet would only delay them.
    stream.set_nodelay(true)?;
    let service = service_fn(move |request: Request<Incoming>| router.clone().call(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WAIT_MAX)
        .max_header_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
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
