//! Random trees of scopes, held against a model.
//!
//! A tree spawns, fails, panics, cancels, shields, lingers, defers, awaits, and drops scopes half-way; `plan` says what
//! a tree is. `predict` (with `walk`) computes what must happen and when; `perform` does it with the library. In
//! virtual time the two logs must be the same, event by event. On two real workers, where chance decides who comes
//! first, the books must balance. Either way a failing tree is shrunk and printed.

mod balance;
mod log;
mod perform;
mod plan;
mod predict;
mod sink;
mod walk;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::balance::sorted;
use crate::log::Event;
use crate::perform::{Books, World};
use crate::plan::Nest;

/// Longer, in the plan's units, than whatever ends by itself.
const LONG: u64 = 100_000_000;

/// About as long as what ends by itself.
const SHORT: u64 = 5_000_000;

/// `PROPTEST_CASES` asks for more.
fn at_least(cases: u32) -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    ProptestConfig { cases: config.cases.max(cases), ..config }
}

proptest! {
    #![proptest_config(at_least(1_000))]

    #[test]
    fn a_tree_in_virtual_time_does_what_the_model_says(tree in plan::tree(LONG)) {
        let Some(predicted) = predict::predict(&tree) else {
            return Err(TestCaseError::reject("two things happen at once"));
        };
        let books = ballet::testing::run("model", async {
            let world = World::new(Duration::from_millis(1));
            let _listening = sink::listen(&world);
            let scope = perform::open(tree.clone(), world.clone());
            let books = tokio::time::timeout(Duration::from_secs(LONG), scope).await.map(|_| world.close());
            // They were written down as they came, and the books say which were to come.
            drop(ballet::testing::take_unobserved());
            books
        });
        let books = books.map_err(|_| TestCaseError::fail("something never ended"))?;
        balanced(&tree, &books)?;
        let mut log = books.log;
        log.sort();
        prop_assert_eq!(log, predicted);
    }
}

proptest! {
    #![proptest_config(at_least(200))]

    #[test]
    fn a_tree_on_two_workers_balances_its_books(tree in plan::tree(SHORT)) {
        let world = World::new(Duration::from_nanos(2));
        let ears = world.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            // Each worker listens as long as it lives.
            .on_thread_start(move || std::mem::forget(sink::listen(&ears)))
            .build()
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let _listening = sink::listen(&world);
        let scope = perform::open(tree.clone(), world.clone());
        let ended = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), scope).await });
        prop_assert!(ended.is_ok(), "something never ended:\n{}", ballet::tree());
        balanced(&tree, &world.close())?;
    }
}

/// What holds whoever comes first, and that each failure was looked at once.
fn balanced(tree: &Nest, books: &Books) -> Result<(), TestCaseError> {
    balance::ended(tree, books).map_err(TestCaseError::fail)?;
    prop_assert_eq!(sorted(&looked_at(books)), sorted(&books.raised));
    Ok(())
}

/// Every failure that somebody got to see, as often as it was seen.
fn looked_at(books: &Books) -> Vec<log::Fault> {
    let mut seen = Vec::new();
    for (_, event) in &books.log {
        match event {
            Event::Returned(_, log::Verdict::Failed(faults)) => seen.extend(faults),
            Event::Saw(_, Some(fault)) | Event::Sunk(fault) => seen.push(*fault),
            _ => {}
        }
    }
    seen
}
