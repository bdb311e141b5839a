//! From the claim to the settlement: who may write what, and what it becomes.

use std::{collections::HashSet, pin::pin, time::Duration};

use futures_util::{FutureExt, future::join_all};
use herald::{
    model::{State, Timestamp},
    store::{Class, Refused, Settled, Settlement},
};

use super::{
    PROVIDER, accept, accept_many, an_hour_from_now, begin_one, claim, delivery_of, mail, open, settlement,
    states_balance,
};
use crate::support::{eventually, scratch};

#[tokio::test]
async fn each_delivery_is_leased_once_oldest_first() {
    let directory = scratch();
    let store = open(directory.path());
    let ids = accept_many(&store, 100).await;
    assert_eq!(claim(&store, 1).await[0].delivery, ids[0]);
    assert_eq!(store.claim("another provider", 100).await.expect("a claim"), []);

    let claims = join_all((0..20).map(|_| claim(&store, 7))).await;
    let leased: HashSet<_> = claims.iter().flatten().map(|work| work.delivery).collect();
    assert_eq!(leased.len(), 99, "none twice, none left");
    states_balance(&store, &[(State::Leased, 100)]).await;
}

#[tokio::test]
async fn work_carries_all_that_is_needed_to_send_it() {
    let directory = scratch();
    let store = open(directory.path());
    let accepted = accept(&store, mail("Hello")).await;
    let work = claim(&store, 1).await.remove(0);
    assert_eq!((work.notification, work.delivery), (accepted.id, accepted.deliveries[0].id));
    assert_eq!((work.to.as_str(), work.subject.as_str()), ("ada@example.org", "Hello"));
    assert_eq!((work.text.as_deref(), work.html), (Some("Hello."), None));
    assert_eq!((work.created_at, work.attempt, work.ambiguous), (accepted.created_at, 1, false));
    assert_eq!(work.message_id, format!("<{}@herald.localhost>", work.delivery));
}

#[tokio::test]
async fn a_write_needs_the_state_before_it() {
    let directory = scratch();
    let store = open(directory.path());
    let delivery = accept(&store, mail("In order")).await.deliveries[0].id;
    let accepted = settlement(Settled::Accepted);
    let fenced = |result| matches!(result, Err(Refused::Fenced));

    assert!(fenced(store.intend(delivery).await), "not leased");
    claim(&store, 1).await;
    assert!(fenced(store.settle(delivery, accepted.clone()).await), "no intent");
    store.intend(delivery).await.expect("it is leased");
    assert!(fenced(store.intend(delivery).await), "intended already");
    store.release(&[delivery]).await.expect("no error");
    states_balance(&store, &[(State::Intent, 1)]).await;
    store.settle(delivery, accepted.clone()).await.expect("it is intended");
    assert!(fenced(store.settle(delivery, accepted).await), "settled already");
    states_balance(&store, &[(State::Accepted, 1)]).await;
}

#[tokio::test]
async fn each_outcome_has_its_state() {
    let directory = scratch();
    let store = open(directory.path());
    let due_at = an_hour_from_now();
    let cases = [
        (Settled::Accepted, State::Accepted, false),
        (Settled::Retry { due_at }, State::Retry, true),
        (Settled::Unknown { due_at }, State::Unknown, true),
        (Settled::Dead, State::Dead, false),
        (Settled::Expired, State::Expired, false),
        (Settled::Deferred { due_at }, State::Due, true),
    ];
    for (outcome, state, comes_again) in cases {
        let accepted = accept(&store, mail("An outcome")).await;
        let work = begin_one(&store).await;
        assert_eq!(work.notification, accepted.id);
        let settlement = Settlement { class: Some(Class::Transient), ..settlement(outcome) };
        store.settle(work.delivery, settlement).await.expect("it is ours");

        let delivery = delivery_of(&store, &accepted).await;
        assert_eq!(delivery.state, state, "{outcome:?}");
        assert_eq!(delivery.due_at.is_some(), comes_again, "{outcome:?}");
        assert_eq!(delivery.unknown_count, u32::from(state == State::Unknown));
        let [attempt] = delivery.attempts.as_slice() else { panic!("one attempt: {delivery:?}") };
        assert_eq!((attempt.state, attempt.class), (state, Some(Class::Transient)));
        assert_eq!(attempt.answer, "as the test says");
    }
    let counts = store.counts().await.expect("the counts");
    assert!(counts.balances());
    assert_eq!((counts.accepted_total, counts.attempts_total, counts.unknown_total), (6, 6, 1));
    assert_eq!(counts.claimable_by_provider[PROVIDER], 3);
}

#[tokio::test]
async fn only_a_deferral_costs_no_attempt() {
    let directory = scratch();
    let store = open(directory.path());
    let accepted = accept(&store, mail("Again and again")).await;
    let now = Timestamp::now();
    let mut attempts = Vec::new();
    for outcome in
        [Settled::Deferred { due_at: now }, Settled::Retry { due_at: now }, Settled::Unknown { due_at: now }]
    {
        let work = begin_one(&store).await;
        attempts.push((work.attempt, work.ambiguous));
        store.settle(work.delivery, settlement(outcome)).await.expect("it is ours");
    }
    let work = begin_one(&store).await;
    attempts.push((work.attempt, work.ambiguous));
    assert_eq!(attempts, [(1, false), (1, false), (2, false), (3, true)]);
    assert_eq!(delivery_of(&store, &accepted).await.attempts.len(), 3, "each is on record");
}

#[tokio::test]
async fn what_is_released_is_due_again() {
    let directory = scratch();
    let store = open(directory.path());
    accept_many(&store, 3).await;
    let mut due = store.due_signal();
    due.borrow_and_update();
    let leased: Vec<_> = claim(&store, 3).await.iter().map(|work| work.delivery).collect();
    store.release(&leased).await.expect("they are ours");
    assert!(due.has_changed().expect("the store is open"));
    assert_eq!(claim(&store, 3).await.len(), 3);
}

#[tokio::test]
async fn a_claim_that_nobody_waits_for_gives_its_work_back() {
    let directory = scratch();
    let store = open(directory.path());
    accept_many(&store, 1).await;
    {
        let mut claim = pin!(store.claim(PROVIDER, 1));
        assert!(claim.as_mut().now_or_never().is_none(), "the writer has it now");
    }
    let within = Duration::from_secs(10);
    let work = eventually("it is due again", within, async || claim(&store, 1).await.pop()).await;
    assert_eq!(work.attempt, 1);
}

#[tokio::test]
async fn what_is_overdue_expires_and_is_not_handed_out() {
    let directory = scratch();
    let store = open(directory.path());
    let mut overdue = mail("Too late");
    let deadline = Timestamp::now() + Duration::from_millis(500);
    overdue.expires_at = Some(deadline);
    let accepted = accept(&store, overdue).await;
    accept(&store, mail("In time")).await;
    wait_for(deadline).await;

    let work = claim(&store, 10).await;
    assert_eq!(work.iter().map(|work| work.subject.as_str()).collect::<Vec<_>>(), ["In time"]);
    assert_eq!(delivery_of(&store, &accepted).await.state, State::Expired);
    states_balance(&store, &[(State::Expired, 1), (State::Leased, 1)]).await;
}

#[tokio::test]
async fn a_deadline_that_passes_after_the_claim_is_noticed_before_the_first_byte() {
    let directory = scratch();
    let store = open(directory.path());
    let deadline = Timestamp::now() + Duration::from_secs(2);
    let mut short_lived = mail("A one-time code");
    short_lived.expires_at = Some(deadline);
    accept(&store, short_lived).await;
    let work = claim(&store, 1).await.pop().expect("it is claimed in time");
    wait_for(deadline).await;
    assert!(matches!(store.intend(work.delivery).await, Err(Refused::Fenced)));
    states_balance(&store, &[(State::Expired, 1)]).await;
}

#[tokio::test]
async fn a_retry_after_the_deadline_comes_due_at_the_deadline() {
    let directory = scratch();
    let store = open(directory.path());
    let mut limited = mail("Until then");
    limited.expires_at = Timestamp::from_millisecond(an_hour_from_now().as_millisecond()).ok();
    let accepted = accept(&store, limited.clone()).await;
    let work = begin_one(&store).await;
    let far = an_hour_from_now() + Duration::from_secs(3_600);
    store.settle(work.delivery, settlement(Settled::Retry { due_at: far })).await.expect("it is ours");
    assert_eq!(delivery_of(&store, &accepted).await.due_at, limited.expires_at);
}

#[tokio::test]
async fn what_may_have_been_sent_is_never_called_expired() {
    let directory = scratch();
    let store = open(directory.path());
    let accepted = accept(&store, mail("Perhaps")).await;
    let first = begin_one(&store).await;
    let unknown = Settled::Unknown { due_at: Timestamp::now() };
    store.settle(first.delivery, settlement(unknown)).await.expect("it is ours");
    let second = begin_one(&store).await;
    assert!(second.ambiguous);
    store.settle(second.delivery, settlement(Settled::Expired)).await.expect("it is ours");

    let delivery = delivery_of(&store, &accepted).await;
    assert_eq!((delivery.state, delivery.due_at, delivery.unknown_count), (State::Unknown, None, 1));
    assert_eq!(claim(&store, 1).await, [], "it is left in peace");
    states_balance(&store, &[(State::Unknown, 1)]).await;
}

async fn wait_for(deadline: Timestamp) {
    let passed = async || (Timestamp::now() > deadline).then_some(());
    eventually("the deadline passes", Duration::from_secs(10), passed).await;
}
