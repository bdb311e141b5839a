//! The store by itself: real SQLite on a real disk, without HTTP and without a provider.

mod accept;
mod claim;
mod disk;
mod lists;
mod restart;
mod walk;

use std::path::Path;

use futures_util::future::join_all;
use herald::{
    model::{DeliveryId, NewNotification, Recipient, State, Timestamp},
    store::{Accepted, DeliveryView, Options, Settled, Settlement, Store, Work},
};

/// The provider that the default options plan e-mail for.
const PROVIDER: &str = "outbox";

fn open(directory: &Path) -> Store {
    Store::open(directory, Options::default()).expect("the store opens")
}

fn mail(subject: &str) -> NewNotification {
    NewNotification {
        to: Recipient { email: "ada@example.org".parse().expect("an address") },
        subject: subject.to_owned(),
        text: Some("Hello.".to_owned()),
        html: None,
        send_at: None,
        expires_at: None,
        category: None,
    }
}

async fn accept(store: &Store, new: NewNotification) -> Accepted {
    store.accept(new, None).await.expect("it is accepted")
}

/// Accepts so many at once; the ids of their deliveries, in the order of acceptance.
async fn accept_many(store: &Store, count: usize) -> Vec<DeliveryId> {
    let accepted = join_all((0..count).map(|number| accept(store, mail(&format!("Mail {number}"))))).await;
    let mut ids: Vec<_> = accepted.iter().map(|accepted| accepted.deliveries[0].id).collect();
    ids.sort();
    ids
}

async fn claim(store: &Store, limit: usize) -> Vec<Work> {
    store.claim(PROVIDER, limit).await.expect("a claim")
}

/// Claims one and makes its intent durable.
async fn begin_one(store: &Store) -> Work {
    let work = claim(store, 1).await.pop().expect("something is due");
    store.intend(work.delivery).await.expect("it is ours");
    work
}

fn settlement(outcome: Settled) -> Settlement {
    Settlement {
        started_at: Timestamp::now(),
        outcome,
        answer: "as the test says".to_owned(),
        class: None,
        viewer: None,
    }
}

/// The delivery of a notification that has one.
async fn delivery_of(store: &Store, accepted: &Accepted) -> DeliveryView {
    let view = store.notification(accepted.id).await.expect("a read").expect("it is stored");
    view.deliveries.into_iter().next().expect("it has a delivery")
}

async fn states_balance(store: &Store, expected: &[(State, u64)]) {
    let counts = store.counts().await.expect("the counts");
    assert!(counts.balances(), "{counts:?}");
    assert_eq!(counts.by_state, expected.iter().copied().collect());
}

fn an_hour_from_now() -> Timestamp {
    Timestamp::now() + jiff::SignedDuration::from_hours(1)
}
