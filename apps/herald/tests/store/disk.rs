//! A disk that is full, nearly full, or fails: told to the caller, and never a half-done change.

use std::path::Path;

use futures_util::future::join_all;
use herald::{
    model::{NewNotification, State},
    store::{AcceptError, Options, Settled, Store},
};

use super::{accept, accept_many, begin_one, mail, open, settlement, states_balance};
use crate::support::{Server, scratch};

const LARGE_BYTES: usize = 200 * 1024;

fn large() -> NewNotification {
    NewNotification { text: Some("x".repeat(LARGE_BYTES)), ..mail("Large") }
}

fn open_small(directory: &Path) -> Store {
    Store::open(directory, Options { pages_max: Some(200), ..Options::default() }).expect("the store opens")
}

/// Accepts large ones until there is no room; how many there was room for.
async fn fill(store: &Store) -> u64 {
    let mut accepted = 0;
    loop {
        match store.accept(large(), None).await {
            Ok(_) => accepted += 1,
            Err(AcceptError::DiskFull) => return accepted,
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_full_disk_refuses_without_a_trace_and_the_store_goes_on() {
    let directory = scratch();
    let store = open_small(directory.path());
    let accepted = fill(&store).await;
    assert!(accepted > 0);
    states_balance(&store, &[(State::Due, accepted)]).await;
    let events = store.events_after(0, 100).await.expect("events");
    assert_eq!(events.len() as u64, accepted, "a refusal leaves no event");

    let work = begin_one(&store).await;
    store.settle(work.delivery, settlement(Settled::Accepted)).await.expect("there is room for this");
    accept(&store, mail("Small")).await;
    assert!(!store.is_closed());
    store.close().await.expect("it closes");

    let roomy = open(directory.path());
    accept(&roomy, large()).await;
    states_balance(&roomy, &[(State::Accepted, 1), (State::Due, accepted + 1)]).await;
}

#[tokio::test]
async fn one_that_does_not_fit_spoils_nothing_in_its_group() {
    let directory = scratch();
    let store = open_small(directory.path());
    let filled = fill(&store).await;
    let answers = join_all(
        (0..20).map(|number| store.accept(if number % 2 == 0 { large() } else { mail("Small") }, None)),
    )
    .await;
    let (large, small): (Vec<_>, Vec<_>) =
        answers.into_iter().enumerate().partition(|(number, _)| number % 2 == 0);
    assert!(large.iter().all(|(_, answer)| matches!(answer, Err(AcceptError::DiskFull))), "{large:?}");
    assert!(small.iter().all(|(_, answer)| answer.is_ok()), "{small:?}");
    states_balance(&store, &[(State::Due, filled + 10)]).await;
}

#[tokio::test]
async fn below_the_floor_nothing_new_is_accepted_and_the_rest_is_finished() {
    let directory = scratch();
    let store = open(directory.path());
    accept_many(&store, 1).await;
    store.close().await.expect("it closes");

    let options = Options { disk_free_min: u64::MAX, ..Options::default() };
    let store = Store::open(directory.path(), options).expect("the store opens");
    assert!(matches!(store.accept(mail("New"), None).await, Err(AcceptError::DiskFull)));
    let work = begin_one(&store).await;
    store.settle(work.delivery, settlement(Settled::Accepted)).await.expect("it is finished");
    states_balance(&store, &[(State::Accepted, 1)]).await;
}

#[tokio::test]
async fn after_a_failed_write_the_store_stops_and_what_was_acknowledged_is_there_at_the_next_start() {
    let directory = scratch();
    let mut server = Server::with_file_limit(directory.path(), 2_048).await;
    let mut acknowledged = Vec::new();
    loop {
        let response = server.post_mail("ada@example.org", "Until the disk fails").await.expect("an answer");
        if response.status() != 202 {
            assert!(response.status().is_server_error(), "{response:?}");
            break;
        }
        let body: serde_json::Value = response.json().await.expect("a plan");
        acknowledged.push(body["id"].as_str().expect("an id").to_owned());
    }
    assert!(!acknowledged.is_empty());
    let refused = server.post_mail("ada@example.org", "Too late").await.expect("an answer");
    assert_eq!(refused.status(), 503, "it does not try again");
    assert!(!server.is_ready().await);

    server.crash().await;
    for id in &acknowledged {
        server.get_json(&format!("/v1/notifications/{id}")).await.expect("it is stored");
    }
    let counts = server.get_json("/v1/counts").await.expect("the counts");
    assert_eq!(counts["balances"], true);
    // The one whose commit failed may be durable or not.
    let surplus = counts["accepted_total"].as_u64().expect("a number") - acknowledged.len() as u64;
    assert!(surplus <= 1, "{counts}");
}
