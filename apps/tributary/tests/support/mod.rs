//! What the integration tests share.

mod client;
mod daemon;
mod gate;
mod local;
mod names;
mod site;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use serde_json::Value;

pub(crate) use client::{get, settings, source, try_source, visit, with_web};
pub(crate) use daemon::{Daemon, TRIBUTARY};
pub(crate) use gate::Gate;
pub(crate) use local::Local;
pub(crate) use names::{Names, Record};
pub(crate) use site::{Asked, Reply, Site, bomb, rss};

/// What every daemon under test is told: servers on loopback are allowed, and may be asked often.
pub(crate) const ON_LOOPBACK: &str = "[web]\nallow_private = [\"127.0.0.0/8\"]\nhost_requests_per_minute = 60000\nhost_burst = 1000\n\
    connect_timeout = \"2s\"\nfirst_byte_timeout = \"1s\"\ntimeout = \"1s\"\n";

/// For tests that wait for one good visit: a busy machine may need a second one.
pub(crate) const IN_HASTE: &str = "[schedule]\nfloor = \"200ms\"\nceiling = \"1s\"\n";

/// A fresh directory on the disk of the build, removed at the end of the test.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for the test")
}

/// An address nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

pub(crate) fn http_client() -> reqwest::Client {
    // The first of the process installs it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(10));
    client.build().expect("a client")
}

/// One source's part of a status; null where there is none.
pub(crate) fn source_of(status: &Value, name: &str) -> Value {
    let sources = status["sources"].as_array().expect("a list");
    sources.iter().find(|source| source["name"] == name).cloned().unwrap_or_default()
}

/// Asks again and again until there is an answer; panics with `what` when the time is over.
pub(crate) async fn eventually<T>(
    what: &str,
    within: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
