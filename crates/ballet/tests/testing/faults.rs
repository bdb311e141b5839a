//! Faults, where the code under test has named a place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ballet::testing::{Faults, at, passes, run_seeds};
use ballet::{Error, Outcome, Reason, Scope, SupervisorScope, fault_point};
use tokio::time::Instant;

use crate::support::{assert_says, failure_of};

async fn commit() -> Result<u32, String> {
    fault_point::<String>("store.commit").await?;
    Ok(7)
}

#[ballet::test]
async fn an_error_comes_the_nth_time_and_no_other() {
    at("store.commit").nth(2).fails(|| "full".to_owned());
    assert_eq!(commit().await, Ok(7));
    assert_eq!(commit().await, Err("full".to_owned()));
    assert_eq!(commit().await, Ok(7));
    assert_eq!((passes("store.commit"), passes("elsewhere")), (3, 0));
}

#[ballet::test]
async fn a_delay_is_one_of_the_tests_time() {
    at("store.commit").delays(Duration::from_secs(60));
    let before = Instant::now();
    assert_eq!(commit().await, Ok(7));
    assert_eq!(before.elapsed(), Duration::from_secs(60));
}

#[ballet::test]
async fn a_panic_and_a_cancellation_are_outcomes_of_the_job_that_comes_there() {
    at("store.commit").nth(1).panics();
    at("store.commit").nth(2).cancels();
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let job = || s.spawn(async { commit().await.map_err(Error::msg) }).outcome();
        assert!(
            matches!(job().await, Outcome::Panicked(panic) if panic.to_string().contains("store.commit"))
        );
        assert!(matches!(job().await, Outcome::Cancelled(Reason::Requested(_))));
        assert!(matches!(job().await, Outcome::Ok(7)));
        Ok(())
    })
    .await
    .unwrap();
}

#[ballet::test]
async fn a_fault_reaches_jobs_on_any_dispatcher_and_no_other_test() {
    at("store.commit").fails(|| "full".to_owned());
    ballet::scope(async |s: Scope| {
        let child =
            s.named("t").on(&ballet::Dispatcher::tokio()).spawn(async { Ok(commit().await.is_err()) });
        assert!(child.await);
        Ok(())
    })
    .await
    .unwrap();
    let elsewhere = std::thread::spawn(|| ballet::testing::run("other", commit()));
    assert_eq!(elsewhere.join().unwrap(), Ok(7));
}

#[test]
fn chances_are_drawn_from_the_seed() {
    let drawn = || {
        let failed = std::sync::Mutex::new(Vec::new());
        run_seeds("chances", 8, async || {
            at("store.commit").chance(0.5).fails(|| "full".to_owned());
            let mut fails = 0;
            for _ in 0..64 {
                fails = fails * 2 + u64::from(commit().await.is_err());
            }
            failed.lock().unwrap().push(fails);
        });
        failed.into_inner().unwrap()
    };
    let first = drawn();
    assert_eq!(first, drawn());
    assert!(first.iter().all(|fails| (10..54).contains(&fails.count_ones())), "{first:?}");
    assert_ne!(first[0], first[1]);
}

#[test]
fn an_error_of_another_type_than_the_place_names_is_a_mistake_of_the_test() {
    let said = failure_of(|| {
        ballet::testing::run("mistaken", async {
            at("store.commit").fails(|| 404);
            let _ = commit().await;
        });
    });
    assert_says(&said, &["store.commit", "not of the type there", "String"]);
}

#[test]
fn a_rule_that_could_never_hold_is_refused() {
    assert_says(&failure_of(|| drop(Faults::seeded(1).at("x").nth(0))), &["nth(1)"]);
    for chance in [-0.1, 1.1, f64::NAN] {
        assert_says(&failure_of(|| drop(Faults::seeded(1).at("x").chance(chance))), &["no probability"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_hold_for_a_tree_on_a_real_runtime() {
    let faults = Faults::seeded(1);
    faults.at("store.commit").nth(3).fails(|| "full".to_owned());
    let failed = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&failed);
    let load = ballet::scope(async |s: Scope| {
        for _ in 0..10 {
            let count = Arc::clone(&count);
            s.spawn(async move { Ok(count.fetch_add(u32::from(commit().await.is_err()), Ordering::SeqCst)) });
        }
        Ok(())
    });
    faults.during(load).await.unwrap();
    assert_eq!((failed.load(Ordering::SeqCst), faults.passes("store.commit")), (1, 10));
}
