//! A scope for each HTTP request: its children, its deadline, its trace, and clients that go away.
//!
//! What needs no connection calls the router itself, in virtual time; the rest runs real axum on loopback.

use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::handler::Handler;
use axum::http::{Request, Response, StatusCode, header};
use axum::routing::get;
use axum::{Extension, Router};
use ballet::observe::{Kind, Tree};
use ballet::{Context, Error, Phase, Scope, ScopeLayer, Stage, Trace, TraceParent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};
use tower_layer::Layer;
use tower_service::Service;

const LIMIT: Duration = Duration::from_secs(5);

/// Calls a handler inside the layer, with the given headers.
async fn call<H, T>(handler: H, headers: &[(&str, &str)]) -> Result<(StatusCode, String), Error>
where
    H: Handler<T, ()>,
    T: 'static,
{
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut router = Router::new().route("/", get(handler)).layer(ScopeLayer::new(LIMIT));
    let response: Response<Body> = router.call(request.body(Body::empty())?).await?;
    let status = response.status();
    let body = to_bytes(response.into_body(), 1_000).await?;
    Ok((status, String::from_utf8(body.to_vec())?))
}

/// How many jobs with this name are alive.
fn alive(name: &str) -> usize {
    ballet::tree().iter().filter(|node| node.path.split('/').any(|segment| segment == name)).count()
}

/// Waits until none is, at most for some seconds.
async fn none_alive(name: &str) {
    let none = async {
        while alive(name) > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(10), none).await.is_err() {
        panic!("`{name}` is still alive:\n{}", ballet::tree());
    }
}

/// Tells that it was dropped.
struct Tells(mpsc::UnboundedSender<&'static str>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[ballet::test]
async fn the_response_goes_out_when_the_children_have_ended() -> Result<(), Error> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let began = Instant::now();
    let page = async |Extension(s): Extension<Scope>| {
        s.named("audit").spawn(async move {
            sleep(Duration::from_secs(2)).await;
            Ok(tell.send("audited")?)
        });
        "page"
    };
    assert_eq!(call(page, &[]).await?, (StatusCode::OK, "page".into()));
    assert_eq!((told.try_recv()?, began.elapsed()), ("audited", Duration::from_secs(2)));
    Ok(())
}

#[ballet::test]
async fn a_child_that_fails_ends_the_handler_and_is_answered_with_500() -> Result<(), Error> {
    let page = async |Extension(s): Extension<Scope>| {
        s.named("user").spawn(async { Err::<(), _>(Error::msg("no such user")) });
        pending::<&str>().await
    };
    assert_eq!(call(page, &[]).await?, (StatusCode::INTERNAL_SERVER_ERROR, "the request failed".into()));
    Ok(())
}

#[ballet::test]
async fn a_service_that_fails_ends_its_children_and_gives_its_own_error() -> Result<(), Error> {
    #[derive(Clone)]
    struct Refuses;
    impl Service<Request<()>> for Refuses {
        type Response = Response<String>;
        type Error = &'static str;
        type Future = Ready<Result<Response<String>, &'static str>>;

        fn poll_ready(&mut self, _: &mut Poller<'_>) -> Poll<Result<(), &'static str>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<()>) -> Self::Future {
            let Some(s) = request.extensions().get::<Scope>() else { panic!("no scope") };
            s.spawn(pending::<Result<(), Error>>());
            ready(Err("refused"))
        }
    }
    let refused = ScopeLayer::new(LIMIT).layer(Refuses).call(Request::new(())).await;
    assert_eq!(refused.err(), Some("refused"));
    Ok(())
}

#[ballet::test]
async fn a_request_that_exceeds_the_limit_is_answered_with_504() -> Result<(), Error> {
    let began = Instant::now();
    let answer = call(async || pending::<&str>().await, &[]).await?;
    assert_eq!(answer, (StatusCode::GATEWAY_TIMEOUT, "no answer within 5s".into()));
    assert_eq!(began.elapsed(), LIMIT);
    Ok(())
}

#[ballet::test]
async fn an_elapsed_request_is_answered_when_its_children_have_ended() -> Result<(), Error> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let page = async |Extension(s): Extension<Scope>| {
        s.named("payment").spawn(async move {
            ballet::shield(sleep(LIMIT * 2)).await;
            Ok(tell.send("paid")?)
        });
        pending::<&str>().await
    };
    let began = Instant::now();
    assert_eq!(call(page, &[]).await?.0, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(began.elapsed(), LIMIT * 2);
    assert_eq!(told.try_recv()?, "paid");
    Ok(())
}

#[ballet::test]
async fn the_deadline_of_the_header_holds_where_it_is_nearer_than_the_limit() -> Result<(), Error> {
    let left = async |Extension(s): Extension<Scope>| {
        let left = s.spawn(async {
            let deadline = Context::current().deadline();
            Ok(deadline.map(|deadline| deadline - Instant::now()))
        });
        format!("{:?}", left.await)
    };
    for (header, expected) in [
        ("1H", "Some(5s)"),
        ("99999999H", "Some(5s)"),
        ("1M", "Some(5s)"),
        ("3S", "Some(3s)"),
        ("00000003S", "Some(3s)"),
        ("250m", "Some(250ms)"),
        ("70000u", "Some(70ms)"),
        ("99999999n", "Some(99.999999ms)"),
    ] {
        assert_eq!(
            call(left, &[("grpc-timeout", header)]).await?,
            (StatusCode::OK, expected.into()),
            "{header}"
        );
    }
    Ok(())
}

#[ballet::test]
async fn a_request_that_exceeds_the_deadline_of_its_header_is_answered_with_504() -> Result<(), Error> {
    let began = Instant::now();
    let answer = call(async || pending::<&str>().await, &[("grpc-timeout", "250m")]).await?;
    assert_eq!(answer, (StatusCode::GATEWAY_TIMEOUT, "no answer within 250ms".into()));
    assert_eq!(began.elapsed(), Duration::from_millis(250));
    Ok(())
}

#[ballet::test]
async fn a_deadline_that_breaks_the_grammar_is_answered_with_400_and_no_call() -> Result<(), Error> {
    let uncalled = async || -> &str { panic!("the handler was called") };
    for header in [
        "",
        "S",
        "5",
        "5s",
        "5 S",
        " 5S ",
        "-5S",
        "+5S",
        "0S",
        "00000000n",
        "123456789m",
        "1.5S",
        "5SS",
        "5µ",
    ] {
        let (status, text) = call(uncalled, &[("grpc-timeout", header)]).await?;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{header}");
        assert!(text.contains("grpc-timeout"), "{text}");
    }
    let twice = [("grpc-timeout", "1S"), ("grpc-timeout", "1S")];
    assert_eq!(call(uncalled, &twice).await?.0, StatusCode::BAD_REQUEST);
    Ok(())
}

/// What a child of the handler sees of the trace.
async fn trace_of_a_child(Extension(s): Extension<Scope>) -> String {
    let trace = s.spawn(async { Ok(Context::current().get(Trace).map(TraceParent::to_string)) });
    trace.await.unwrap_or_default()
}

#[ballet::test]
async fn a_trace_of_the_header_goes_on_with_a_span_of_its_own() -> Result<(), Error> {
    let caller = TraceParent::start();
    let (_, seen) = call(trace_of_a_child, &[("traceparent", &caller.to_string())]).await?;
    let seen: TraceParent = seen.parse()?;
    assert_eq!(seen.trace_id(), caller.trace_id());
    assert_ne!(seen.span_id(), caller.span_id());
    Ok(())
}

#[ballet::test]
async fn without_a_valid_traceparent_a_new_trace_begins() -> Result<(), Error> {
    let caller = TraceParent::start().to_string();
    let capitals = caller.to_uppercase();
    let headers: [&[(&str, &str)]; 4] = [
        &[],
        &[("traceparent", "nonsense")],
        &[("traceparent", &capitals)],
        &[("traceparent", &caller), ("traceparent", &caller)],
    ];
    for headers in headers {
        let (status, seen) = call(trace_of_a_child, headers).await?;
        let seen: TraceParent = seen.parse()?;
        assert_eq!(status, StatusCode::OK);
        assert_ne!(seen.trace_id(), caller.parse::<TraceParent>()?.trace_id(), "{headers:?}");
    }
    Ok(())
}

#[ballet::test]
async fn a_single_handler_can_have_the_layer_for_itself() -> Result<(), Error> {
    let page = async |Extension(s): Extension<Scope>| s.spawn(async { Ok("page") }).await;
    let mut router: Router = Router::new().route("/", get(page.layer(ScopeLayer::new(LIMIT))));
    let response = router.call(Request::get("/").body(Body::empty())?).await?;
    assert_eq!(to_bytes(response.into_body(), 1_000).await?, "page");
    Ok(())
}

/// Serves on loopback while `body` runs.
async fn serving<T: Send + 'static>(
    router: Router,
    body: impl AsyncFnOnce(SocketAddr) -> Result<T, Error>,
) -> Result<T, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let served = ballet::scope(async |s: Scope| {
        s.named("server").spawn(async { Ok(axum::serve(listener, router).await?) });
        let answer = body(address).await?;
        s.cancel_children();
        Ok(answer)
    });
    Ok(served.await?)
}

async fn send(address: SocketAddr, headers: &str) -> Result<TcpStream, Error> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

async fn read(mut stream: TcpStream) -> Result<String, Error> {
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

#[tokio::test]
async fn over_a_real_connection_the_headers_count_and_the_answers_are_plain_text() -> Result<(), Error> {
    let page = async |Extension(s): Extension<Scope>| {
        s.named("over-a-real-connection").spawn(pending::<Result<(), Error>>());
        pending::<&str>().await
    };
    let router = Router::new().route("/", get(page)).layer(ScopeLayer::new(LIMIT));
    serving(router, async |address| {
        let elapsed = read(send(address, "grpc-timeout: 20m\r\n").await?).await?;
        assert!(elapsed.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"), "{elapsed}");
        assert!(elapsed.ends_with("\r\n\r\nno answer within 20ms"), "{elapsed}");
        assert_eq!(alive("over-a-real-connection"), 0);
        let invalid = read(send(address, "grpc-timeout: soon\r\n").await?).await?;
        assert!(invalid.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{invalid}");
        assert!(invalid.contains("content-type: text/plain; charset=utf-8\r\n"), "{invalid}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_go_away_leave_no_child_and_every_finalizer_runs() -> Result<(), Error> {
    const CLIENTS: usize = 20;
    let (tell, mut told) = mpsc::unbounded_channel();
    let page = async move |Extension(s): Extension<Scope>| {
        for _ in 0..3 {
            s.named("goes-away").spawn(pending::<Result<(), Error>>());
        }
        let finalized = tell.clone();
        s.defer(async move { Ok(finalized.send("finalized")?) });
        let _tells = Tells(tell.clone());
        let _ = tell.send("began");
        pending::<&str>().await
    };
    let router = Router::new().route("/", get(page)).layer(ScopeLayer::new(Duration::from_secs(60)));
    serving(router, async |address| {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(send(address, "").await?);
            assert_eq!(told.recv().await, Some("began"));
        }
        assert_eq!(alive("goes-away"), CLIENTS * 3);
        drop(clients);
        let mut seen = Vec::new();
        while seen.len() < CLIENTS * 2 {
            seen.extend(told.recv().await);
        }
        seen.sort_unstable();
        assert_eq!(seen, [["dropped"; CLIENTS], ["finalized"; CLIENTS]].concat());
        none_alive("goes-away").await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_child_that_shields_itself_finishes_after_its_client_went_away() -> Result<(), Error> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let charge = Arc::new(Notify::new());
    let charged = Arc::clone(&charge);
    let page = async move |Extension(s): Extension<Scope>| {
        let (tell, charged) = (tell.clone(), Arc::clone(&charged));
        s.named("shields-itself").spawn(async move {
            let _ = tell.send("began");
            ballet::shield(charged.notified()).await;
            Ok(tell.send("charged")?)
        });
        pending::<Result<&str, Infallible>>().await
    };
    let router = Router::new().route("/", get(page)).layer(ScopeLayer::new(Duration::from_secs(60)));
    serving(router, async |address| {
        let client = send(address, "").await?;
        assert_eq!(told.recv().await, Some("began"));
        drop(client);
        let adopted = |node: &Tree| node.kind == Kind::Adopted;
        while !ballet::tree().iter().any(adopted) {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(alive("shields-itself"), 1);
        charge.notify_one();
        assert_eq!(told.recv().await, Some("charged"));
        none_alive("shields-itself").await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_a_stage_cancels_is_answered_with_503() -> Result<(), Error> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let page = async move || {
        let _ = tell.send("began");
        pending::<&str>().await
    };
    let router = Router::new().route("/", get(page)).layer(ScopeLayer::new(Duration::from_secs(60)));
    let stage = Stage::new().drain(Duration::ZERO);
    let (phases, serves) = (stage.phases(), stage.phases());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (give, taken) = tokio::sync::oneshot::channel();
    let curtain = stage
        .run(async |s: Scope| {
            s.named("server").graceful(Duration::from_secs(10)).spawn(async {
                let until = async move { serves.reached(Phase::Cancelling).await };
                Ok(axum::serve(listener, router).with_graceful_shutdown(until).await?)
            });
            s.named("client").graceful(Duration::from_secs(10)).spawn(async move {
                let _ = give.send(read(send(address, "").await?).await?);
                Ok(())
            });
            told.recv().await;
            phases.shut_down();
            Ok(())
        })
        .await;
    let answer = taken.await?;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}\n{curtain}");
    assert!(answer.to_ascii_lowercase().contains(header::CONTENT_TYPE.as_str()));
    Ok(())
}
