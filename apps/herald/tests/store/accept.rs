//! Accepting: durable, grouped, and once for each idempotency key.

use futures_util::future::{join, join_all};
use herald::{
    model::{State, Timestamp},
    store::{AcceptError, Error, Idempotency, Options, Store},
};
use rusqlite::Connection;

use super::{accept, accept_many, an_hour_from_now, claim, delivery_of, mail, open, states_balance};
use crate::support::scratch;

fn key(key: &str, body: u8) -> Option<Idempotency> {
    Some(Idempotency { scope: "caller".to_owned(), key: key.to_owned(), body_sha256: [body; 32] })
}

#[tokio::test]
async fn operations_that_come_together_share_a_commit() {
    let directory = scratch();
    let store = open(directory.path());
    accept_many(&store, 1_000).await;
    let stats = store.writer_stats();
    assert_eq!(stats.operations, 1_000);
    assert!(stats.commits < 100, "{} commits for 1 000 operations", stats.commits);
    states_balance(&store, &[(State::Due, 1_000)]).await;
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_loses_none() {
    let directory = scratch();
    let options = Options { queue_ops_max: 8, ..Options::default() };
    let store = Store::open(directory.path(), options).expect("the store opens");
    accept_many(&store, 200).await;
    assert!(store.writer_stats().commits >= 200 / 8, "no group is larger than the queue");
    states_balance(&store, &[(State::Due, 200)]).await;
}

#[tokio::test]
async fn one_key_makes_one_notification_however_many_ask() {
    let directory = scratch();
    let store = open(directory.path());
    let answers = join_all((0..200).map(|_| store.accept(mail("Once"), key("order-17", 1)))).await;
    let answers: Vec<_> = answers.into_iter().collect::<Result<_, _>>().expect("all are answered");
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.id == answers[0].id));
    assert!(answers.iter().all(|answer| answer.deliveries[0].id == answers[0].deliveries[0].id));

    let other_body = store.accept(mail("Twice"), key("order-17", 2)).await;
    assert!(matches!(other_body, Err(AcceptError::KeyReused)), "{other_body:?}");
    let other_key = store.accept(mail("Once"), key("order-18", 1)).await.expect("another key");
    assert!(!other_key.replayed);
    states_balance(&store, &[(State::Due, 2)]).await;
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let directory = scratch();
    let store = open(directory.path());
    let first = store.accept(mail("Today"), key("daily", 1)).await.expect("the first");
    store.close().await.expect("it closes");

    let file = Connection::open(directory.path().join("herald.db")).expect("the file");
    file.execute("UPDATE idem SET created_at = created_at - 86400000", []).expect("a day passes");
    drop(file);

    let store = open(directory.path());
    let second = store.accept(mail("Tomorrow"), key("daily", 2)).await.expect("the key is free");
    assert!(!second.replayed && second.id != first.id);
    let replay = store.accept(mail("Tomorrow"), key("daily", 2)).await.expect("a replay");
    assert!(replay.replayed && replay.id == second.id);
}

#[tokio::test]
async fn an_operation_that_fails_spoils_nothing_in_its_group() {
    let directory = scratch();
    let store = open(directory.path());
    store.add_api_key("ops", [1; 32]).await.expect("the name is free");
    let (accepted, keys) = join(
        join_all((0..100).map(|_| accept(&store, mail("Beside a failure")))),
        join_all((0..10).map(|_| store.add_api_key("ops", [2; 32]))),
    )
    .await;
    assert_eq!(accepted.len(), 100);
    assert!(keys.iter().all(|key| matches!(key, Err(Error::Failed(_)))), "{keys:?}");
    assert!(!store.is_closed());
    assert_eq!(store.api_keys().await.expect("the keys").len(), 1);
    states_balance(&store, &[(State::Due, 100)]).await;
}

#[tokio::test]
async fn what_is_to_be_sent_later_is_planned_and_not_claimed() {
    let directory = scratch();
    let store = open(directory.path());
    let mut later = mail("Later");
    later.send_at = Some(an_hour_from_now());
    let accepted = accept(&store, later.clone()).await;
    assert_eq!(accepted.deliveries[0].state, State::Planned);
    assert_eq!(claim(&store, 10).await, []);
    let due_at = delivery_of(&store, &accepted).await.due_at.expect("a time");
    assert_eq!(Some(due_at.as_millisecond()), later.send_at.map(Timestamp::as_millisecond));
    assert_eq!(store.next_due(super::PROVIDER).await.expect("a read"), Some(due_at));
}
