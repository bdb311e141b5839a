//! Three upstreams that each take a time of their own, and note down how long it was.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

/// The parts and their times. A timer is right to the millisecond only; what counts is what was noted.
pub(crate) const PARTS: [(&str, Duration); 3] = [
    ("profile", Duration::from_millis(1)),
    ("inventory", Duration::from_millis(5)),
    ("recommendations", Duration::from_millis(2)),
];
const SLOWEST: usize = 1;
const ANSWER: &str = r#"{"items":[{"id":1,"name":"violin"},{"id":2,"name":"music stand"}],"more":false}"#;

/// For each page the time of its slowest part.
type Times = Arc<Mutex<HashMap<u64, Duration>>>;

pub(crate) struct Upstreams {
    pub(crate) addresses: Vec<SocketAddr>,
    times: Times,
}

impl Upstreams {
    /// Starts them on the runtime that this is called on; they end with it.
    pub(crate) async fn start() -> Result<Upstreams> {
        let times = Times::default();
        let mut addresses = Vec::new();
        for (name, time) in PARTS {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.push(listener.local_addr()?);
            serve(listener, name, time, Arc::clone(&times));
        }
        Ok(Upstreams { addresses, times })
    }

    /// The address of the slowest part, before the id.
    pub(crate) fn slowest(&self) -> String {
        format!("http://{}/{}/", self.addresses[SLOWEST], PARTS[SLOWEST].0)
    }

    /// The time of the slowest part of one page; zero if it was never asked for.
    pub(crate) fn take(&self, id: u64) -> Duration {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).remove(&id).unwrap_or_default()
    }
}

#[expect(clippy::disallowed_methods, reason = "it ends with the runtime, which is the whole program's")]
fn serve(listener: TcpListener, name: &str, time: Duration, times: Times) {
    let answer = async move |Path(id): Path<u64>, State(times): State<Times>| {
        let began = Instant::now();
        tokio::time::sleep(time).await;
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        let slowest = times.entry(id).or_default();
        *slowest = began.elapsed().max(*slowest);
        (StatusCode::OK, ANSWER)
    };
    let router = Router::new().route(&format!("/{name}/{{id}}"), get(answer)).with_state(times);
    tokio::spawn(async move { axum::serve(listener, router).await });
}
