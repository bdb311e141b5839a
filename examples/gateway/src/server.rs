//! Accepts connections and serves HTTP/1.1 on each, as children of one supervisor scope.
//!
//! One connection's failure is its own. A client that hangs up is noticed while its page is being composed, and the
//! page is dropped with all its children. When the stage drains, nothing new is accepted, requests in flight are
//! answered, and idle connections are closed.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use ballet::SupervisorScope;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;

use crate::{Gateway, http};

/// Connections at the same time; more wait in the kernel's queue until one closes.
const CONNECTIONS_MAX: usize = 4_096;
/// How long a client may take to send its headers, and how long an idle connection is kept.
const HEADER_WAIT_MAX: Duration = Duration::from_secs(30);
/// What the headers of one request may take up.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// How long to wait when the machine has no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves pages, and on a listener of their own the metrics and the tree, until the stage drains and the last
/// request is answered.
///
/// # Errors
///
/// When the scope of the listeners fails, which no single connection can cause.
pub async fn serve(
    gateway: Arc<Gateway>,
    pages: TcpListener,
    admin: Option<TcpListener>,
) -> Result<(), ballet::Error> {
    ballet::scope(async |scope: ballet::Scope| {
        if let Some(admin) = admin {
            scope.named("admin").spawn(accept(admin, http::admin(Arc::clone(&gateway))));
        }
        scope.named("pages").spawn(accept(pages, http::pages(gateway)));
        Ok(())
    })
    .await?;
    Ok(())
}

/// Serves one listener.
pub(crate) async fn accept(listener: TcpListener, router: Router) -> Result<(), ballet::Error> {
    ballet::supervisor_scope(async |connections: SupervisorScope| {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let (stream, permit) = tokio::select! {
                connection = next_connection(&listener, &permits) => connection,
                () = ballet::draining() => return Ok(()),
            };
            connections.named("connection").spawn(serve_one(stream, router.clone(), permit));
        }
    })
    .await?;
    Ok(())
}

async fn next_connection(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed, so the permit is always there.
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_one(
    stream: TcpStream,
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
        tracing::debug!(%error, "a connection broke");
    }
    Ok(())
}
