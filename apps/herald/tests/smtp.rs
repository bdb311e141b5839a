//! Mail through a real SMTP server: each notification arrives exactly once.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::support::{Server, Sink, eventually, scratch};

const NOTIFICATIONS: usize = 2_000;

#[tokio::test]
async fn two_thousand_notifications_arrive_exactly_once() {
    let directory = scratch();
    let sink = Sink::start(&[]);
    let server = Server::with_sink(directory.path(), &sink).await;

    let posted = stream::iter(0..NOTIFICATIONS)
        .map(|number| post(&server, number))
        .buffer_unordered(64)
        .fold(0, async |posted, ()| posted + 1)
        .await;
    assert_eq!(posted, NOTIFICATIONS);

    eventually("every mail is accepted", Duration::from_secs(60), async || {
        let accepted = server.metric("herald_deliveries{state=\"accepted\"}").await?;
        (accepted >= NOTIFICATIONS as f64).then_some(())
    })
    .await;
    let ids = sink.message_ids();
    assert_eq!(ids.len(), NOTIFICATIONS);
    assert!(ids.values().all(|count| *count == 1), "some arrived twice");
}

async fn post(server: &Server, number: usize) {
    let response = server.post_mail(&format!("user{number}@example.org"), &format!("Mail {number}")).await;
    assert_eq!(response.expect("an answer").status(), 202);
}
