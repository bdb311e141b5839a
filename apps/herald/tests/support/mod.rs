//! What the integration tests share: the real `herald` on a free port, Postfix's `smtp-sink` that takes its
//! mail, and waiting for a condition with a deadline. Everything started here is killed when it is dropped.

mod relay;
mod server;
mod sink;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use herald::{
    model::{DeliveryId, NotificationId},
    store::Work,
};

pub(crate) use relay::{Reaction, Relay};
pub(crate) use server::{API_KEY, Server, http_client, smtp_table};
pub(crate) use sink::Sink;

/// A fresh directory on the disk of the build, removed at the end of the test.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for the test")
}

/// An address nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
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

/// A leased delivery, for tests that send without a store.
pub(crate) fn work() -> Work {
    let delivery = DeliveryId::from_bytes([7; 16]);
    Work {
        delivery,
        notification: NotificationId::from_bytes([1; 16]),
        attempt: 1,
        to: "ada@example.com".parse().expect("an address"),
        subject: "Hello".to_owned(),
        text: Some("Hello.".to_owned()),
        html: None,
        created_at: "2027-01-15T08:00:00Z".parse().expect("a time"),
        expires_at: None,
        message_id: format!("<{delivery}@herald.example.org>"),
        ambiguous: false,
    }
}
