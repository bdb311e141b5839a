//! How flows fail, begin again, and go on after a failure.

use std::sync::atomic::{AtomicU32, Ordering};

use ballet::flow::{Emitter, Never, NotSingle};
use ballet::{Error, Failure, Flow, FlowExt, flow};
use tokio::time::Instant;

use crate::support::{Living, MS, check, ms_since, plan};

/// Emits 1 and 2, and fails.
fn torn() -> impl Flow<Item = u32, Error = &'static str> + Clone {
    flow::iter([Ok(1), Ok(2), Err("torn"), Ok(3)]).or_fail()
}

#[ballet::test]
async fn a_failed_flow_gives_what_came_before_and_then_the_error() {
    let mut torn = std::pin::pin!(torn());
    assert_eq!(torn.next().await, Ok(Some(1)));
    assert_eq!(torn.next().await, Ok(Some(2)));
    assert_eq!(torn.next().await, Err("torn"));
}

#[ballet::test]
async fn operators_pass_failures_on() {
    assert_eq!(torn().map(|n| n).filter(|_| true).then(async |n| n).drain().await, Err("torn"));
    assert_eq!(torn().chunked(10).collect::<Vec<_>>().await, Err("torn"));
    assert_eq!(torn().take(2).collect::<Vec<_>>().await, Ok(vec![1, 2]));
    assert_eq!(torn().zip(flow::iter(0..)).count().await, Err("torn"));
    assert_eq!(flow::iter(0..).zip(torn()).count().await, Err("torn"));
    assert_eq!(flow::iter(0..).merge(torn()).count().await, Err("torn"));
    assert_eq!(torn().interleave(flow::iter(0..)).count().await, Err("torn"));
    assert_eq!(torn().combine(flow::iter(0..)).count().await, Err("torn"));
    assert_eq!(torn().chain(flow::iter([9])).collect::<Vec<_>>().await, Err("torn"));
    assert_eq!(flow::iter(0..3).flat_map(|_| torn()).count().await, Err("torn"));
    assert_eq!(flow::iter(0..3).flat_map_merge(2, |_| torn()).count().await, Err("torn"));
    assert_eq!(flow::iter(0..3).flat_map_latest(|_| torn()).count().await, Err("torn"));
    assert_eq!(torn().map_latest(async |n| n).count().await, Err("torn"));
    assert_eq!(torn().on_empty(async |_: &mut Emitter<'_, u32>| ()).count().await, Err("torn"));
    assert_eq!(torn().debounce(MS).count().await, Err("torn"));
    assert_eq!(torn().grouped_within(9, MS).count().await, Err("torn"));
    assert_eq!(torn().group_by(2, |n| *n, |_, group| group).count().await, Err("torn"));
}

#[ballet::test]
async fn a_buffer_gives_all_items_that_came_before_the_failure() {
    let mut seen = Vec::new();
    assert_eq!(torn().buffer(8).tap(|n| seen.push(*n)).drain().await, Err("torn"));
    assert_eq!(seen, [1, 2]);
    assert_eq!(torn().map_par(4, async |n| n).drain().await, Err("torn"));
}

#[ballet::test]
async fn code_may_fail_in_the_middle() {
    let code = flow(async |out| {
        out.emit(1).await;
        out.emit("x".parse::<u32>()?).await;
        Ok::<_, Error>(())
    });
    let mut seen = Vec::new();
    let error = code.tap(|n| seen.push(*n)).drain().await.unwrap_err();
    assert!(error.is::<std::num::ParseIntError>());
    assert_eq!(seen, [1]);
}

#[ballet::test]
async fn catch_goes_on_with_what_its_code_emits() {
    let all = torn().catch(async |error: &'static str, out| {
        for _ in error.chars() {
            tokio::task::yield_now().await;
            out.emit(0).await;
        }
    });
    // Nothing can fail any more, so there is no `Result`.
    let all: Vec<u32> = all.collect().await;
    assert_eq!(all, [1, 2, 0, 0, 0, 0]);
}

#[test]
fn catch_can_be_interrupted_anywhere() {
    check(|| plan(vec![Some(1)]).map(Ok::<_, &str>).or_fail().catch(dismay), &[1]);
    check(|| plan(vec![Some(Ok(1)), Some(Err("a")), Some(Ok(2))]).or_fail().catch(dismay), &[1, 77]);
}

async fn dismay(_: &'static str, out: &mut Emitter<'_, u32>) {
    tokio::task::yield_now().await;
    out.emit(77).await;
}

#[ballet::test]
async fn catch_may_fail_again_with_another_error() {
    let failed = torn().catch(async |error, _: &mut Emitter<'_, u32>| Err::<(), _>(Error::msg(error)));
    assert_eq!(failed.drain().await.unwrap_err().to_string(), "torn");
}

#[ballet::test]
async fn retry_begins_anew_as_often_as_it_may() {
    let attempts = AtomicU32::new(0);
    let unsteady = flow(async |out| {
        let attempt = attempts.fetch_add(1, Ordering::Relaxed);
        out.emit(attempt).await;
        if attempt < 2 { Err("down") } else { Ok(()) }
    });
    assert_eq!(unsteady.clone().retry(2).collect::<Vec<_>>().await, Ok(vec![0, 1, 2]));
    attempts.store(0, Ordering::Relaxed);
    assert_eq!(unsteady.retry(1).drain().await, Err("down"));
    assert_eq!(attempts.into_inner(), 2);
}

#[ballet::test]
async fn retry_drops_the_failed_attempt_before_the_next() {
    let living = Living::default();
    let down = flow(async |_: &mut Emitter<'_, u32>| {
        assert_eq!(living.count(), 0);
        let _guard = living.guard();
        tokio::task::yield_now().await;
        Err("down")
    });
    assert_eq!(down.retry(3).drain().await, Err("down"));
    assert_eq!(living.count(), 0);
}

#[ballet::test]
async fn retry_when_waits_and_lets_go_of_what_it_must_not_retry() {
    let attempts = AtomicU32::new(0);
    let down = flow(async |_: &mut Emitter<'_, u32>| match attempts.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Err("busy"),
        _ => Err("gone"),
    });
    let start = Instant::now();
    let patient = down.retry_when(async |error, failures| {
        if error == "gone" {
            return Err(error);
        }
        tokio::time::sleep(u32::try_from(failures).unwrap() * 10 * MS).await;
        Ok(())
    });
    assert_eq!(patient.drain().await, Err("gone"));
    assert_eq!((ms_since(start), attempts.into_inner()), (30, 3));
}

#[ballet::test]
async fn try_for_each_ends_with_the_first_failure_of_either_side() {
    let seen = AtomicU32::new(0);
    let work = async |n: u32| {
        seen.fetch_add(1, Ordering::Relaxed);
        if n == 2 { Err("two") } else { Ok(()) }
    };
    assert_eq!(flow::iter(1..=5).try_for_each(work).await, Err("two"));
    assert_eq!(seen.load(Ordering::Relaxed), 2);
    assert_eq!(torn().try_for_each(async |_| Ok(())).await, Err("torn"));
}

#[ballet::test]
async fn single_is_strict() {
    assert_eq!(flow::iter([7]).single().await, Ok(7));
    assert_eq!(flow::iter(Vec::<u32>::new()).single().await, Err(NotSingle::Empty));
    assert_eq!(flow::iter(1..).single().await, Err(NotSingle::Several));
    assert!(NotSingle::Several.to_string().contains("more than one"));
}

#[ballet::test]
async fn errors_of_two_flows_are_one() {
    fn both(
        sure: impl Flow<Item = u32, Error = Never>,
        unsure: impl Flow<Item = u32, Error = &'static str>,
    ) -> impl Flow<Item = u32, Error = &'static str> {
        sure.merge(unsure)
    }
    assert_eq!(both(flow::iter([1]), torn()).count().await, Err("torn"));
    let as_errors = torn().map_err(Error::msg).chain(flow::iter([Ok(1)]).or_fail::<_, Error>());
    assert_eq!(as_errors.drain().await.unwrap_err().to_string(), "torn");
}

#[ballet::test]
async fn the_failure_of_a_channel_flow_is_that_of_its_scope() {
    let failing =
        flow::channel_flow(4, async |s: ballet::Scope<&'static str>, tx: ballet::channel::Sender<u32>| {
            s.named("feed").spawn(async move {
                for n in 1..=2 {
                    tx.send(n).await.map_err(|_| "closed")?;
                }
                Err::<(), _>("the feed broke off")
            });
            Ok(())
        });
    let mut seen = Vec::new();
    let failure: Failure<_> = failing.tap(|n| seen.push(*n)).drain().await.unwrap_err();
    assert_eq!(seen, [1, 2], "what was sent before the failure comes first");
    assert_eq!(failure.error(), Some(&"the feed broke off"));
    assert!(failure.path().to_string().ends_with("feed"), "{}", failure.path());
}
