//! The two questions an orchestrator asks: is the process alive, is it ready.
//!
//! Both are answered in JSON; what is not well is a problem document (RFC 9457) that says what. The checks are the
//! application's; that it starts, drains or has ended is the Stage's word.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use ballet::{Phase, Phases};
use serde_json::{Value, json};

/// How long one check may take before the answer is that it does not.
const CHECK_WAIT_MAX: Duration = Duration::from_secs(5);

type Checking = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type Check = Arc<dyn Fn() -> Checking + Send + Sync>;

/// Whether a process is alive (`GET /healthz`: if not, restart it) and ready (`GET /readyz`: if not, send requests
/// elsewhere).
///
/// It is alive while it answers, and ready while its [`Stage`](ballet::Stage) [is](Phases::is_ready) and each check
/// passes. Every question runs the checks anew, one after the other; each has 5 s.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use axum::Router;
/// use ballet_http::Health;
///
/// let stage = ballet::Stage::new();
/// let health = Health::new(stage.phases()).check("disk", async || Err("98 % are full".to_owned()));
/// let router: Router = Router::new().merge(health.router());
/// # drop(router);
/// # }
/// ```
#[derive(Clone)]
pub struct Health {
    phases: Phases,
    checks: Vec<(&'static str, Check)>,
}

impl Health {
    /// Health that goes by the phases alone.
    #[must_use]
    pub fn new(phases: Phases) -> Self {
        Self { phases, checks: Vec::new() }
    }

    /// Adds a check of readiness; its error is told to whoever asks, so it should not hold secrets.
    #[must_use]
    pub fn check<F>(mut self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push((name, Arc::new(move || Box::pin(check()))));
        self
    }

    /// The two routes.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        Router::new()
            .route("/healthz", get(async || Json(json!({ "status": "alive" }))))
            .route("/readyz", get(ready))
            .with_state(self)
    }

    /// Why it is not ready, if it is not.
    async fn trouble(&self) -> Option<String> {
        match self.phases.current() {
            Phase::Running => {}
            Phase::Starting => return Some("It is starting.".to_owned()),
            _ => return Some("It is shutting down.".to_owned()),
        }
        for (name, check) in &self.checks {
            match tokio::time::timeout(CHECK_WAIT_MAX, check()).await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => return Some(format!("{name}: {why}")),
                Err(_) => return Some(format!("{name}: no answer within {CHECK_WAIT_MAX:?}")),
            }
        }
        None
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let checks: Vec<_> = self.checks.iter().map(|(name, _)| name).collect();
        f.debug_struct("Health").field("phases", &self.phases).field("checks", &checks).finish()
    }
}

async fn ready(State(health): State<Health>) -> Response {
    let Some(detail) = health.trouble().await else {
        return Json(json!({ "status": "ready" })).into_response();
    };
    let problem: Value = json!({ "title": "Not ready", "status": 503, "detail": detail });
    let media_type = [(header::CONTENT_TYPE, "application/problem+json"), (header::RETRY_AFTER, "1")];
    (StatusCode::SERVICE_UNAVAILABLE, media_type, problem.to_string()).into_response()
}
