//! A server on a real port: what it answers, what it refuses, and how it drains.

#![expect(clippy::unwrap_used, reason = "a test fails where the machine gives it no socket")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use ballet::{Ending, Phase, Phases, Scope, Stage};
use ballet_http::{Health, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Far beyond what anything here takes.
const SOON: Duration = Duration::from_secs(30);

/// Runs `visit` against a server, and then shuts the stage down.
async fn with_server(
    configure: impl FnOnce(Server) -> Server,
    router: impl FnOnce(Phases) -> Router,
    visit: impl AsyncFnOnce(SocketAddr, Phases),
) {
    let stage = Stage::new().drain(SOON);
    let phases = stage.phases();
    let router = router(phases.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = configure(Server::new(listener, router));
    let running = stage.run(async |s: Scope| {
        s.named("http").spawn(server.serve());
        Ok(())
    });
    let visit = async {
        phases.reached(Phase::Running).await;
        visit(address, phases.clone()).await;
        phases.shut_down();
    };
    let (curtain, ()) = tokio::time::timeout(SOON, async { tokio::join!(running, visit) }).await.unwrap();
    assert!(!curtain.is_lossy() && matches!(curtain.ending(), Ending::Completed), "{curtain}");
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn ask(address: SocketAddr, path: &str) -> String {
    rest(send(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await).await
}

#[tokio::test]
async fn a_request_carries_the_address_at_the_other_end() {
    let whoami = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string();
    with_server(
        |server| server,
        |_| Router::new().route("/", get(whoami)),
        async |address, _| {
            let stream = send(address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
            let mine = stream.local_addr().unwrap().to_string();
            let answer = rest(stream).await;
            assert!(answer.ends_with(&mine), "{answer}");
        },
    )
    .await;
}

#[tokio::test]
async fn while_it_drains_requests_in_flight_are_answered_and_idle_connections_closed() {
    let (asked, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (asked, go_on) = (Arc::clone(&asked), Arc::clone(&go_on));
        async move || {
            asked.notify_one();
            go_on.notified().await;
            "the last answer"
        }
    };
    with_server(
        |server| server,
        |_| Router::new().route("/slow", get(slow)).route("/", get(async || "hello")),
        async |address, phases| {
            let mut idle = send(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
            let mut first = [0; 12];
            idle.read_exact(&mut first).await.unwrap();
            assert_eq!(&first, b"HTTP/1.1 200");
            let busy = send(address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
            asked.notified().await;
            phases.shut_down();
            assert!(rest(idle).await.ends_with("hello"), "it is closed");
            assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
            go_on.notify_one();
            assert!(rest(busy).await.ends_with("the last answer"));
        },
    )
    .await;
}

#[tokio::test]
async fn no_more_connections_than_allowed_are_served_at_the_same_time() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let handler = {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move || {
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            // So long that every client has connected, and one that were let in would be seen.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::Relaxed);
            "hello"
        }
    };
    with_server(
        |server| server.connections_max(2),
        |_| Router::new().route("/", get(handler)),
        async |address, _| {
            let answers = futures_util::future::join_all((0..20).map(|_| ask(address, "/"))).await;
            assert!(answers.iter().all(|answer| answer.ends_with("hello")));
        },
    )
    .await;
    assert_eq!(most.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_client_may_be_given_all_the_time_there_is() {
    with_server(
        |server| server.header_wait_max(Duration::MAX),
        |_| Router::new().route("/", get(async || "hello")),
        async |address, _| {
            let answer = ask(address, "/").await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        },
    )
    .await;
}

#[tokio::test]
async fn headers_that_are_too_long_or_too_slow_end_the_connection() {
    with_server(
        |server| server.header_wait_max(Duration::from_millis(100)).header_bytes_max(0),
        |_| Router::new().route("/", get(async || "hello")),
        async |address, _| {
            let long = "x".repeat(10_000);
            let answer = rest(send(address, &format!("GET / HTTP/1.1\r\nA: {long}\r\n\r\n")).await).await;
            assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
            let answer = rest(send(address, "GET / HTTP/1.1\r\nA: ").await).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
        },
    )
    .await;
}

#[tokio::test]
async fn health_says_that_it_is_alive_and_why_it_is_not_ready() {
    let full = Arc::new(AtomicBool::new(false));
    let check = {
        let full = Arc::clone(&full);
        move || {
            let full = full.load(Ordering::Relaxed);
            async move { if full { Err("it is full".to_owned()) } else { Ok(()) } }
        }
    };
    with_server(
        |server| server,
        |phases| Router::new().merge(Health::new(phases).check("disk", check).router()),
        async |address, _| {
            assert!(ask(address, "/healthz").await.ends_with(r#"{"status":"alive"}"#));
            assert!(ask(address, "/readyz").await.ends_with(r#"{"status":"ready"}"#));
            full.store(true, Ordering::Relaxed);
            let answer = ask(address, "/readyz").await;
            assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
            assert!(answer.contains("application/problem+json"), "{answer}");
            assert!(answer.contains(r#""detail":"disk: it is full""#), "{answer}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_stage_that_starts_or_drains_is_not_ready() {
    let stage = Stage::new();
    let phases = stage.phases();
    let router: Router = Health::new(phases.clone()).router();
    let ask = async || {
        let request = axum::extract::Request::get("/readyz").body(axum::body::Body::empty()).unwrap();
        let Ok(answer) = tower_service::Service::call(&mut router.clone(), request).await;
        let body = axum::body::to_bytes(answer.into_body(), 1_000).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    };
    assert!(ask().await.contains("It is starting."));
    let curtain = stage
        .run(async |_| {
            phases.open();
            assert_eq!(ask().await, r#"{"status":"ready"}"#);
            phases.shut_down();
            ballet::draining().await;
            assert!(ask().await.contains("It is shutting down."));
            Ok(())
        })
        .await;
    assert!(!curtain.is_lossy());
}
