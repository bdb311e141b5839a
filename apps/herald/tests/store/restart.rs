//! What a new run does with what the one before left, and what it refuses.

use std::fs;

use futures_util::future::{join, join_all};
use herald::{
    model::State,
    store::{AcceptError, DeliveryFilter, Error, OpenError, Options, Recovered, Refused, Settled, Store},
};
use rusqlite::Connection;

use super::{accept, accept_many, begin_one, claim, delivery_of, mail, open, settlement, states_balance};
use crate::support::scratch;

#[tokio::test]
async fn exactly_the_intents_become_unknown_and_exactly_the_leases_due() {
    let directory = scratch();
    let store = open(directory.path());
    let epoch = store.epoch();
    for number in 0..8 {
        accept(&store, mail(&format!("Mail {number}"))).await;
    }
    for _ in 0..2 {
        let work = begin_one(&store).await;
        store.settle(work.delivery, settlement(Settled::Accepted)).await.expect("it is ours");
    }
    let intended = [begin_one(&store).await, begin_one(&store).await, begin_one(&store).await];
    let leased = claim(&store, 2).await;
    drop(store);

    let store = open(directory.path());
    assert!(store.epoch() > epoch);
    assert_eq!(store.recovered(), Recovered { released: 2, unknown: 3 });
    states_balance(&store, &[(State::Accepted, 2), (State::Due, 3), (State::Unknown, 3)]).await;

    let again = claim(&store, 8).await;
    for before in &intended {
        let after = again.iter().find(|work| work.delivery == before.delivery).expect("due at once");
        assert!(after.ambiguous);
        assert_eq!(after.attempt, 2);
        assert_eq!((&after.message_id, after.created_at), (&before.message_id, before.created_at));
    }
    for before in &leased {
        let after = again.iter().find(|work| work.delivery == before.delivery).expect("due at once");
        assert_eq!(after, before);
    }
    assert_eq!(store.counts().await.expect("the counts").unknown_total, 3);
    assert_eq!(again.len(), 6);
}

#[tokio::test]
async fn a_recovered_delivery_tells_its_story() {
    let directory = scratch();
    let store = open(directory.path());
    let accepted = accept(&store, mail("Cut off")).await;
    begin_one(&store).await;
    drop(store);

    let store = open(directory.path());
    let delivery = delivery_of(&store, &accepted).await;
    assert_eq!(delivery.unknown_count, 1);
    let story: Vec<_> = delivery.timeline.iter().map(|entry| entry.state).collect();
    assert_eq!(story, [State::Due, State::Unknown]);
    let told = store.events_after(0, 10).await.expect("events");
    assert_eq!(told.last().map(|event| event.state), Some(State::Unknown));
}

#[tokio::test]
async fn a_run_that_was_replaced_writes_nothing() {
    let directory = scratch();
    let zombie = open(directory.path());
    accept_many(&zombie, 2).await;
    let intended = begin_one(&zombie).await;
    let leased = claim(&zombie, 1).await.remove(0);

    // As on a network disk that forgets locks: nothing but the epoch stands between the two.
    fs::remove_file(directory.path().join("herald.lock")).expect("the lock file");
    let heir = open(directory.path());
    assert_eq!(heir.recovered(), Recovered { released: 1, unknown: 1 });
    assert_eq!(claim(&heir, 2).await.len(), 2);

    let fenced = |result| matches!(result, Err(Refused::Fenced));
    assert!(fenced(zombie.intend(leased.delivery).await));
    assert!(fenced(zombie.settle(intended.delivery, settlement(Settled::Accepted)).await));
    zombie.release(&[leased.delivery, intended.delivery]).await.expect("no error");
    states_balance(&heir, &[(State::Leased, 2)]).await;
    heir.intend(leased.delivery).await.expect("the heir holds it");
}

#[tokio::test]
async fn a_directory_has_one_master() {
    let directory = scratch();
    let store = open(directory.path());
    let second = Store::open(directory.path(), Options::default());
    let Err(OpenError::Locked { pid, .. }) = &second else { panic!("{second:?}") };
    assert_eq!(*pid, Some(std::process::id()));

    store.close().await.expect("it closes");
    let third = open(directory.path());
    drop(third);
    open(directory.path());
}

#[tokio::test]
async fn a_close_commits_what_is_queued_and_then_takes_no_more() {
    let directory = scratch();
    let store = open(directory.path());
    // So few futures are all polled before the close is.
    let queued = join_all((0..20).map(|_| accept(&store, mail("Last"))));
    let (accepted, closed) = join(queued, store.close()).await;
    closed.expect("it closes");
    assert_eq!(accepted.len(), 20);
    assert!(store.is_closed());
    assert!(matches!(store.accept(mail("Late"), None).await, Err(AcceptError::Closed)));
    assert!(matches!(store.counts().await, Err(Error::Closed)));
    store.close().await.expect("closing twice is closing");

    let log = fs::metadata(directory.path().join("herald.db-wal"));
    assert!(log.is_err() || log.is_ok_and(|log| log.len() == 0), "the log is folded into the file");
    states_balance(&open(directory.path()), &[(State::Due, 20)]).await;
}

#[tokio::test]
async fn a_file_of_a_later_version_is_left_alone() {
    let directory = scratch();
    open(directory.path()).close().await.expect("it closes");
    let file = Connection::open(directory.path().join("herald.db")).expect("the file");
    file.pragma_update(None, "user_version", 99).expect("a later version");
    drop(file);
    let opened = Store::open(directory.path(), Options::default());
    assert!(matches!(opened, Err(OpenError::TooNew { found: 99, .. })), "{opened:?}");
}

#[tokio::test]
async fn the_newest_comes_first_though_the_clock_was_ahead_before() {
    let directory = scratch();
    let store = open(directory.path());
    accept_many(&store, 1).await;
    store.close().await.expect("it closes");

    // The same row, as it were made by a clock that was an hour ahead: the first six bytes are the milliseconds.
    let file = Connection::open(directory.path().join("herald.db")).expect("the file");
    file.execute_batch("PRAGMA foreign_keys = OFF").expect("ids change one by one");
    for column in
        ["notification.id", "delivery.id", "delivery.notification", "event.notification", "event.delivery"]
    {
        let (table, column) = column.split_once('.').expect("a table and a column");
        let mut id: [u8; 16] =
            file.query_row(&format!("SELECT {column} FROM {table}"), [], |row| row.get(0)).expect("an id");
        let ahead = u64::from_be_bytes([0, 0, id[0], id[1], id[2], id[3], id[4], id[5]]) + 3_600_000;
        id[..6].copy_from_slice(&ahead.to_be_bytes()[2..]);
        id[6..].fill(0xff);
        id[6] = 0x7f;
        id[8] = 0xbf;
        file.execute(&format!("UPDATE {table} SET {column} = ?1"), [id]).expect("it is changed");
    }
    drop(file);

    let store = open(directory.path());
    let newer = accept(&store, mail("Newer")).await;
    let listed = store.notifications(None, 10).await.expect("a page").items;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].id, newer.id);
    let deliveries = store.deliveries(DeliveryFilter::default(), None, 10).await.expect("a page").items;
    assert_eq!(deliveries[0].id, newer.deliveries[0].id);
}
