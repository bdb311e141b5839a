//! Lists, events and the outbox viewer: complete while they change, and bounded.

use futures_util::future::join_all;
use herald::{
    model::{DeliveryId, State},
    store::{DeliveryFilter, EventKind, Settled, Settlement, Store, ViewerMail},
};
use rusqlite::Connection;

use super::{accept, accept_many, begin_one, claim, mail, open, settlement};
use crate::support::scratch;

/// Reads all pages, while two deliveries are added after each.
async fn read_all(store: &Store, filter: DeliveryFilter) -> Vec<DeliveryId> {
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.deliveries(filter, cursor, 10).await.expect("a page");
        assert!(page.items.len() <= 10);
        ids.extend(page.items.iter().map(|delivery| delivery.id));
        let Some(next) = page.next else { return ids };
        cursor = Some(next.to_string().parse().expect("a cursor survives its text"));
        accept_many(store, 2).await;
    }
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_rows_are_added() {
    let directory = scratch();
    let store = open(directory.path());
    let mut ids = accept_many(&store, 95).await;
    ids.reverse();
    assert_eq!(read_all(&store, DeliveryFilter::default()).await, ids);
    let due = DeliveryFilter { state: Some(State::Due) };
    assert_eq!(read_all(&store, due).await[18..], ids, "after the eighteen that came meanwhile");
}

#[tokio::test]
async fn a_list_by_state_has_only_that_state() {
    let directory = scratch();
    let store = open(directory.path());
    let ids = accept_many(&store, 20).await;
    claim(&store, 5).await;
    let leased = read_all(&store, DeliveryFilter { state: Some(State::Leased) }).await;
    assert_eq!(leased, ids[..5].iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(read_all(&store, DeliveryFilter { state: Some(State::Dead) }).await, []);
}

#[tokio::test]
async fn the_last_page_has_no_next_even_when_it_is_full() {
    let directory = scratch();
    let store = open(directory.path());
    accept_many(&store, 20).await;
    let first = store.notifications(None, 10).await.expect("a page");
    let second = store.notifications(first.next, 10).await.expect("a page");
    assert_eq!((first.items.len(), second.items.len(), second.next), (10, 10, None));
    let all: Vec<_> = first.items.iter().chain(&second.items).map(|row| row.id).collect();
    assert!(all.is_sorted_by(|newer, older| newer > older));
}

#[tokio::test]
async fn events_come_in_order_and_can_be_resumed() {
    let directory = scratch();
    let store = open(directory.path());
    let mut signal = store.event_signal();
    signal.borrow_and_update();
    let accepted = accept(&store, mail("Told")).await;
    assert!(signal.has_changed().expect("the store is open"));
    let work = begin_one(&store).await;
    store.settle(work.delivery, settlement(Settled::Accepted)).await.expect("it is ours");

    let events = store.events_after(0, 10).await.expect("events");
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.state)).collect();
    assert_eq!(told, [(EventKind::Planned, State::Due), (EventKind::Settled, State::Accepted)]);
    assert!(events.iter().all(|event| event.notification == accepted.id && event.delivery == work.delivery));
    let rest = store.events_after(events[0].seq, 10).await.expect("events");
    assert_eq!(rest, events[1..]);
    assert_eq!(store.events_after(events[1].seq, 10).await.expect("events"), []);
}

#[tokio::test]
async fn only_the_newest_events_are_kept() {
    const KEPT: u64 = 100_000;
    let directory = scratch();
    let store = open(directory.path());
    accept(&store, mail("Long ago")).await;
    store.close().await.expect("it closes");
    let file = Connection::open(directory.path().join("herald.db")).expect("the file");
    file.execute(
        "INSERT INTO event SELECT 500000, at, kind, notification, delivery, state, note FROM event",
        [],
    )
    .expect("half a million events later");
    drop(file);

    let store = open(directory.path());
    accept_many(&store, 300).await;
    let events = store.events_after(0, 1_000).await.expect("events");
    assert_eq!(events.len(), 301, "all but the first");
    assert!(events[0].seq > events[300].seq - KEPT);
}

#[tokio::test]
async fn the_viewer_keeps_the_newest_thousand_mails() {
    let directory = scratch();
    let store = open(directory.path());
    accept_many(&store, 1_005).await;
    let work = claim(&store, 1_005).await;
    join_all(work.iter().map(|work| store.intend(work.delivery))).await;
    let settled = join_all(work.iter().map(|work| {
        let viewer =
            ViewerMail { from: "herald@example.org".to_owned(), raw: work.subject.clone().into_bytes() };
        store.settle(work.delivery, Settlement { viewer: Some(viewer), ..settlement(Settled::Accepted) })
    }))
    .await;
    assert!(settled.iter().all(Result::is_ok));

    let mails = store.viewer_mails(2_000).await.expect("the mails");
    assert_eq!(mails.len(), 1_000);
    let newest = store.viewer_mail(mails[0].delivery).await.expect("a read").expect("it is kept");
    assert_eq!(newest, mails[0]);
    assert_eq!(newest.raw, newest.subject.clone().into_bytes());
    let kept =
        join_all(work.iter().map(async |work| store.viewer_mail(work.delivery).await.expect("a read"))).await;
    assert_eq!(kept.iter().filter(|mail| mail.is_none()).count(), 5);
}
