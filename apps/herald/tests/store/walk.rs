//! Random walks through the store, held against a model of a few lines; the books must balance after every step.

use std::collections::BTreeMap;

use herald::{
    model::{DeliveryId, State, Timestamp},
    store::{Refused, Settled, Store},
};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use super::{accept, an_hour_from_now, claim, mail, open, settlement};
use crate::support::scratch;

#[derive(Debug, Clone)]
enum Step {
    Accept,
    Claim(usize),
    Intend(prop::sample::Index),
    Settle(prop::sample::Index, Outcome),
    Release(prop::sample::Index),
    Reopen { cleanly: bool },
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Accepted,
    RetryNow,
    RetryLater,
    Unknown,
    Dead,
    Deferred,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Accepted),
        1 => Just(Outcome::RetryNow),
        1 => Just(Outcome::RetryLater),
        1 => Just(Outcome::Unknown),
        1 => Just(Outcome::Dead),
        1 => Just(Outcome::Deferred),
    ];
    prop_oneof![
        6 => Just(Step::Accept),
        4 => (1_usize..4).prop_map(Step::Claim),
        6 => any::<prop::sample::Index>().prop_map(Step::Intend),
        6 => (any::<prop::sample::Index>(), outcome).prop_map(|(index, outcome)| Step::Settle(index, outcome)),
        1 => any::<prop::sample::Index>().prop_map(Step::Release),
        1 => any::<bool>().prop_map(|cleanly| Step::Reopen { cleanly }),
    ]
}

/// What the model knows of a delivery.
#[derive(Debug, Clone, Copy)]
struct Row {
    state: State,
    claimable: bool,
    attempts: u32,
    marked: bool,
}

impl Row {
    const NEW: Self = Self { state: State::Due, claimable: true, attempts: 0, marked: false };

    fn become_state(&mut self, state: State, claimable: bool) {
        (self.state, self.claimable) = (state, claimable);
    }

    fn mark(&mut self) {
        self.become_state(State::Unknown, true);
        self.attempts += 1;
        self.marked = true;
    }

    fn settle(&mut self, outcome: Outcome) {
        self.attempts += u32::from(!matches!(outcome, Outcome::Deferred | Outcome::Unknown));
        match outcome {
            Outcome::Accepted => self.become_state(State::Accepted, false),
            Outcome::RetryNow => self.become_state(State::Retry, true),
            Outcome::RetryLater => self.become_state(State::Retry, false),
            Outcome::Unknown => self.mark(),
            Outcome::Dead => self.become_state(State::Dead, false),
            Outcome::Deferred => self.become_state(State::Due, true),
        }
    }

    fn restart(&mut self) {
        match self.state {
            State::Leased => self.become_state(State::Due, true),
            State::Intent => self.mark(),
            _ => {}
        }
    }
}

impl Outcome {
    fn settled(self) -> Settled {
        let (now, later) = (Timestamp::now(), an_hour_from_now());
        match self {
            Self::Accepted => Settled::Accepted,
            Self::RetryNow => Settled::Retry { due_at: now },
            Self::RetryLater => Settled::Retry { due_at: later },
            Self::Unknown => Settled::Unknown { due_at: now },
            Self::Dead => Settled::Dead,
            Self::Deferred => Settled::Deferred { due_at: now },
        }
    }
}

#[derive(Debug, Default)]
struct Model(BTreeMap<DeliveryId, Row>);

impl Model {
    /// Some delivery, if there is one.
    fn pick(&self, index: &prop::sample::Index) -> Option<DeliveryId> {
        let ids: Vec<_> = self.0.keys().copied().collect();
        (!ids.is_empty()).then(|| *index.get(&ids))
    }

    fn row(&mut self, delivery: DeliveryId) -> &mut Row {
        self.0.get_mut(&delivery).expect("the store invented a delivery")
    }

    async fn check(&self, store: &Store) {
        let counts = store.counts().await.expect("the counts");
        let mut by_state = BTreeMap::new();
        for row in self.0.values() {
            *by_state.entry(row.state).or_insert(0) += 1;
        }
        assert!(counts.balances(), "{counts:?}");
        assert_eq!(counts.by_state, by_state);
        assert_eq!(counts.accepted_total, self.0.len() as u64);
        assert_eq!(counts.unknown_total, self.0.values().filter(|row| row.marked).count() as u64);
    }
}

async fn walk(steps: Vec<Step>) {
    let directory = scratch();
    let mut store = open(directory.path());
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Accept => {
                let accepted = accept(&store, mail("A step")).await;
                model.0.insert(accepted.deliveries[0].id, Row::NEW);
            }
            Step::Claim(limit) => claim_and_compare(&store, &mut model, limit).await,
            Step::Intend(index) => {
                let Some(delivery) = model.pick(&index) else { continue };
                let row = model.row(delivery);
                let intended = store.intend(delivery).await;
                assert_eq!(was_ours(&intended), row.state == State::Leased);
                if intended.is_ok() {
                    row.become_state(State::Intent, false);
                }
            }
            Step::Settle(index, outcome) => {
                let Some(delivery) = model.pick(&index) else { continue };
                let row = model.row(delivery);
                let settled = store.settle(delivery, settlement(outcome.settled())).await;
                assert_eq!(was_ours(&settled), row.state == State::Intent);
                if settled.is_ok() {
                    row.settle(outcome);
                }
            }
            Step::Release(index) => {
                let Some(delivery) = model.pick(&index) else { continue };
                store.release(&[delivery]).await.expect("no error");
                let row = model.row(delivery);
                if row.state == State::Leased {
                    row.become_state(State::Due, true);
                }
            }
            Step::Reopen { cleanly } => {
                if cleanly {
                    store.close().await.expect("it closes");
                }
                drop(store);
                store = open(directory.path());
                model.0.values_mut().for_each(Row::restart);
            }
        }
        model.check(&store).await;
    }
}

async fn claim_and_compare(store: &Store, model: &mut Model, limit: usize) {
    let claimable = model.0.values().filter(|row| row.claimable).count();
    let claimed = claim(store, limit).await;
    assert_eq!(claimed.len(), claimable.min(limit));
    for work in claimed {
        let row = model.row(work.delivery);
        assert!(row.claimable, "{work:?} was handed out as {row:?}");
        assert_eq!((work.attempt, work.ambiguous), (row.attempts + 1, row.marked));
        row.become_state(State::Leased, false);
    }
}

fn was_ours(result: &Result<(), Refused>) -> bool {
    match result {
        Ok(()) => true,
        Err(Refused::Fenced) => false,
        Err(error) => panic!("{error:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_store_does_what_the_model_says(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(walk(steps));
    }
}
