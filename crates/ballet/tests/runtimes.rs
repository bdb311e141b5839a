//! Ballet on runtimes that are not its own: both flavours, plain Tokio tasks, shut-down runtimes, an axum handler.

use std::future::pending;
use std::time::Duration;

use ballet::observe::State;
use ballet::{Error, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn sum() -> Result<u64, Error> {
    let total = ballet::scope(async |s: Scope| {
        let parts: Vec<_> = (0..100u64)
            .map(|n| {
                s.spawn(async move {
                    tokio::task::yield_now().await;
                    Ok(n)
                })
            })
            .collect();
        let mut total = 0;
        for part in parts {
            total += part.await;
        }
        Ok(total)
    })
    .await?;
    Ok(total)
}

async fn never_still() -> Result<(), Error> {
    loop {
        ballet::yield_now().await;
    }
}

#[tokio::test]
async fn a_current_thread_runtime() {
    assert_eq!(sum().await.unwrap(), 4950);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_multi_thread_runtime() {
    for _ in 0..200 {
        assert_eq!(sum().await.unwrap(), 4950);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::disallowed_methods,
    reason = "shows that the future of a scope is `Send` in a plain Tokio task"
)]
async fn a_plain_tokio_task() {
    assert_eq!(tokio::spawn(sum()).await.unwrap().unwrap(), 4950);
}

#[test]
fn a_runtime_that_is_shut_down_cancels_the_jobs_it_drops() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (give, take) = std::sync::mpsc::channel();
    let mut scope = Box::pin(ballet::scope(async move |s: Scope| {
        let _ = give.send(s.spawn(pending::<Result<(), Error>>()).job().clone());
        pending::<Result<(), Error>>().await
    }));
    runtime.block_on(async { assert!(futures_util::poll!(&mut scope).is_pending()) });
    let job = take.recv().unwrap();
    runtime.shutdown_timeout(Duration::from_secs(5));
    assert_eq!(job.state(), State::Cancelled);
    drop(scope);
}

/// A guest that is always ready for another poll is in the queue of its lane, and not at rest.
#[test]
fn a_runtime_that_is_shut_down_cancels_the_jobs_that_are_queued() {
    for workers in [1, 2] {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
        let (give, take) = std::sync::mpsc::channel();
        let mut scope = Box::pin(ballet::scope(async move |s: Scope| {
            let jobs: Vec<_> = (0..100).map(|_| s.spawn(never_still()).job().clone()).collect();
            let _ = give.send(jobs);
            pending::<Result<(), Error>>().await
        }));
        runtime.block_on(async { assert!(futures_util::poll!(&mut scope).is_pending()) });
        let jobs = take.recv().unwrap();
        runtime.shutdown_timeout(Duration::from_secs(5));
        let left = jobs.iter().filter(|job| job.state() != State::Cancelled).count();
        assert_eq!(left, 0, "with {workers} workers");
        drop(scope);
    }
}

#[test]
#[should_panic(expected = "Ballet runs on a Tokio runtime and there is none here")]
fn no_runtime_at_all() {
    let mut scope = Box::pin(ballet::scope(async |_: Scope| Ok(())));
    let _ = scope.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_inside_an_axum_handler() -> Result<(), Error> {
    async fn page() -> Result<String, String> {
        ballet::scope(async |s: Scope| {
            let user = s.named("user").spawn(async { Ok("Anna") });
            let total = s.named("total").spawn(async { sum().await });
            Ok(format!("{} {}", user.await, total.await))
        })
        .await
        .map_err(|failure| failure.to_string())
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = axum::Router::new().route("/", axum::routing::get(page));
    let body = ballet::scope(async |s: Scope| {
        s.spawn(async { Ok(axum::serve(listener, app).await?) });
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        s.cancel_children();
        Ok(answer)
    })
    .await?;
    assert!(body.ends_with("Anna 4950"), "{body}");
    Ok(())
}
