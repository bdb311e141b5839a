//! What surrounds a request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ballet_http::{Around, around};
use tower_service::Service;

/// Keeps what it is told.
#[derive(Default)]
struct Application(Mutex<Vec<String>>);

impl Around for Application {
    const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

    fn panicked() -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, "see the log").into_response()
    }

    fn late() -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, "too long").into_response()
    }

    fn answered(&self, method: &Method, route: &str, status: StatusCode) {
        self.0.lock().expect("nobody panicked").push(format!("{method} {route} {}", status.as_u16()));
    }
}

async fn panics() {
    panic!("the secret of the handler");
}

async fn panics_late() {
    let _guard = PanicsAsItIsDropped;
    std::future::pending::<()>().await;
}

struct PanicsAsItIsDropped;

impl Drop for PanicsAsItIsDropped {
    fn drop(&mut self) {
        panic!("the secret of the destructor");
    }
}

fn application() -> (Arc<Application>, Router) {
    let application = Arc::new(Application::default());
    let router = Router::new()
        .route("/orders/{id}", get(async || "curtain up"))
        .route("/panics", get(panics))
        .route("/panics-late", get(panics_late))
        .route("/hangs", get(std::future::pending::<()>))
        .route("/kept", get(async || [(header::CACHE_CONTROL, "max-age=60")]))
        .layer(from_fn_with_state(Arc::clone(&application), around::<Application>));
    (application, router)
}

async fn ask(router: &mut Router, path: &str, id: Option<&str>) -> Response {
    let mut request = Request::get(path);
    if let Some(id) = id {
        request = request.header("x-request-id", id);
    }
    let Ok(response) = router.call(request.body(Body::empty()).expect("a request")).await;
    response
}

#[tokio::test(start_paused = true)]
async fn every_answer_is_counted_by_its_route() {
    let (application, mut router) = application();
    for path in ["/orders/7", "/panics", "/hangs", "/elsewhere"] {
        ask(&mut router, path, None).await;
    }
    let told = ["GET /orders/{id} 200", "GET /panics 500", "GET /hangs 503", "GET none 404"];
    assert_eq!(*application.0.lock().expect("nobody panicked"), told);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_answered_for_and_tells_nothing_even_of_a_handler_that_is_dropped_late() {
    let (application, mut router) = application();
    for path in ["/panics", "/panics-late"] {
        let response = ask(&mut router, path, None).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(to_bytes(response.into_body(), usize::MAX).await.unwrap(), "see the log");
    }
    let told = ["GET /panics 500", "GET /panics-late 500"];
    assert_eq!(*application.0.lock().expect("nobody panicked"), told);
}

#[tokio::test]
async fn a_request_keeps_an_id_that_is_fit_for_a_log_and_else_has_a_new_one() {
    let (_, mut router) = application();
    let too_long = "x".repeat(129);
    for (theirs, is_kept) in [("abc-1", true), ("a b", false), ("", false), (too_long.as_str(), false)] {
        let response = ask(&mut router, "/orders/7", Some(theirs)).await;
        let id = response.headers()["x-request-id"].to_str().unwrap();
        assert_eq!(id == theirs, is_kept, "{theirs:?} became {id:?}");
        assert!(!id.is_empty());
    }
}

#[tokio::test]
async fn an_answer_tells_browsers_to_take_nothing_for_granted() {
    let (_, mut router) = application();
    let response = ask(&mut router, "/orders/7", None).await;
    assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(
        response.headers()[header::CONTENT_SECURITY_POLICY],
        "default-src 'none'; frame-ancestors 'none'"
    );
    let response = ask(&mut router, "/kept", None).await;
    assert_eq!(response.headers()[header::CACHE_CONTROL], "max-age=60", "the handler's own is kept");
}
