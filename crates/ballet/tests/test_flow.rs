//! The kit for tests of flows: what it takes, and what it says when a test is wrong.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use ballet::flow::Never;
use ballet::testing::{EVENTS_MAX, Event, Events, PATIENCE, ShowError, test_flow};
use ballet::{Error, Flow, FlowExt, SharedFlow, Sharing, StateFlow, flow};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep};

const S: Duration = Duration::from_secs(1);

/// 1 and 2, a second each, and then it fails.
fn fails() -> impl Flow<Item = u32, Error = String> {
    flow(async |out| {
        for number in [1, 2] {
            sleep(S).await;
            out.emit(number).await;
        }
        Err("torn".to_owned())
    })
}

/// What a wrong test says.
async fn message<S, B>(flow: S, code: B) -> String
where
    S: Flow,
    S::Item: fmt::Debug,
    S::Error: ShowError,
    B: AsyncFnOnce(Events<S::Item, S::Error>),
{
    let panic = AssertUnwindSafe(test_flow(flow, code)).catch_unwind().await.expect_err("the test is wrong");
    *panic.downcast::<String>().expect("a message")
}

/// Without the places, which move.
fn without_places(message: &str) -> String {
    let lines = message.lines().map(|line| line.split(", at crates/").next().unwrap_or(line));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

#[ballet::test]
async fn events_are_taken_one_after_the_other_in_virtual_time() {
    let began = Instant::now();
    test_flow(fails(), async |mut events: Events<_, _>| {
        events.expect_no_events().await;
        assert_eq!((events.await_item().await, began.elapsed()), (1, S));
        events.expect_no_events().await;
        assert_eq!((events.await_item().await, began.elapsed()), (2, 2 * S));
        assert_eq!(events.await_error().await, "torn");
        events.expect_no_events().await;
    })
    .await;
}

#[ballet::test]
async fn the_flow_runs_while_the_test_does_something_else() {
    test_flow(fails(), async |mut events: Events<_, _>| {
        sleep(5 * S).await;
        events.skip_items(2).await;
        events.await_error().await;
    })
    .await;
}

#[ballet::test]
async fn hot_flows_are_tested_like_cold_ones() -> Result<(), Error> {
    let (emitter, shared) = SharedFlow::new(Sharing::suspend(1));
    test_flow(shared.subscribe(), async |mut events: Events<_>| {
        for item in 0..10 {
            emitter.emit(item).await?;
        }
        emitter.complete();
        events.skip_items(10).await;
        events.await_complete().await;
        Ok(())
    })
    .await
}

#[ballet::test]
async fn two_flows_are_tested_side_by_side() {
    let (cell, state) = StateFlow::new(1);
    let doubled = state.clone().map(|value| value * 2);
    test_flow(state, async |mut plain: Events<_>| {
        test_flow(doubled, async |mut doubled: Events<_>| {
            assert_eq!((plain.await_item().await, doubled.await_item().await), (1, 2));
            cell.set(5);
            assert_eq!((plain.await_item().await, doubled.await_item().await), (5, 10));
        })
        .await;
    })
    .await;
}

#[ballet::test]
async fn events_that_a_test_has_not_taken_fail_it_and_are_listed() {
    let said = message(fails(), async |mut events: Events<_, _>| {
        assert_eq!(events.await_item().await, 1);
        sleep(5 * S).await;
    })
    .await;
    assert_eq!(
        without_places(&said),
        "the test has not taken all that the flow did\n\
         taken before: item 1\n\
         not taken:    item 2\n\
         failed: \"torn\""
    );
}

#[ballet::test]
async fn what_the_last_line_of_a_test_brings_about_has_to_be_taken_too() {
    let (cell, state) = StateFlow::new(1);
    let said = message(state, async |mut events: Events<_>| {
        events.skip_items(1).await;
        cell.set(2);
    })
    .await;
    assert!(said.ends_with("not taken:    item 2"), "{said}");
}

#[ballet::test]
async fn another_event_than_the_one_awaited_is_named_with_the_line_that_awaited_it() {
    let said = message(fails(), async |mut events: Events<_, _>| {
        events.skip_items(1).await;
        events.await_complete().await;
    })
    .await;
    assert!(
        said.starts_with("expected the end, but came item 2, at crates/ballet/tests/test_flow.rs:"),
        "{said}"
    );
    assert!(said.contains("taken before: item 1\n"), "{said}");

    let said = message(flow::iter([1]), async |mut events: Events<_>| {
        events.skip_items(2).await;
    })
    .await;
    assert!(said.starts_with("expected an item to skip, but came completed"), "{said}");

    let said = message(fails(), async |mut events: Events<_, _>| {
        events.skip_items(2).await;
        events.await_item().await;
    })
    .await;
    assert!(said.starts_with("expected an item, but came failed: \"torn\""), "{said}");
}

#[ballet::test]
async fn an_event_that_should_not_be_is_listed() {
    let said = message(flow::iter([7]), async |mut events: Events<_>| events.expect_no_events().await).await;
    assert_eq!(
        without_places(&said),
        "expected no event\ntaken before: nothing\nnot taken:    item 7\ncompleted"
    );
}

#[ballet::test]
async fn patience_ends() {
    let silent = || flow::tick(100 * S);
    let began = Instant::now();
    let said = message(silent(), async |mut events: Events<_>| events.skip_items(1).await).await;
    assert_eq!(began.elapsed(), PATIENCE);
    assert!(said.starts_with("expected an item to skip, but nothing came within 60s, at"), "{said}");
    test_flow(silent(), async |mut events: Events<_>| {
        events.set_patience(200 * S);
        assert_eq!(events.await_item().await, 1);
    })
    .await;
}

#[ballet::test]
async fn cancelling_drops_the_flow_and_gives_or_forgets_the_rest() {
    let (emitter, shared) = SharedFlow::new(Sharing::suspend(8));
    for asks in [true, false] {
        test_flow(shared.subscribe(), async |events: Events<_>| {
            assert!(emitter.try_emit(1).is_ok() && emitter.try_emit(2).is_ok());
            if asks {
                assert_eq!(events.cancel_and_take().await, [Event::Item(1), Event::Item(2)]);
            } else {
                events.cancel_and_ignore().await;
            }
            assert_eq!(shared.subscribers(), 0);
        })
        .await;
    }
}

#[ballet::test]
async fn a_flow_without_end_waits_until_its_events_are_taken() {
    test_flow(flow::iter(0..), async |mut events: Events<_>| {
        sleep(S).await;
        for expected in 0..2 * EVENTS_MAX {
            assert_eq!(events.await_item().await, expected);
        }
        events.cancel_and_ignore().await;
    })
    .await;
    // Time passes when the flow waits, and no sooner.
    let said = message(flow::iter(0..), async |_: Events<_>| sleep(S).await).await;
    assert!(said.ends_with("and perhaps more: a flow waits while 1000 are not taken"), "{said}");
}

#[ballet::test]
async fn only_the_last_of_many_events_are_remembered() {
    let said = message(flow::iter(0..20), async |mut events: Events<_>| {
        events.skip_items(21).await;
    })
    .await;
    assert!(said.contains("taken before: 12 events, then item 12, item 13,"), "{said}");
}

#[ballet::test]
async fn a_panic_of_the_test_is_told_and_not_what_it_left() {
    let panics = test_flow(flow::iter([1, 2]), async |_: Events<i32, Never>| panic!("on purpose"));
    let panic = AssertUnwindSafe(panics).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
}

/// In real time: virtual time stands still while anything can run.
#[test]
fn the_code_and_its_patience_have_turns_beside_a_flow_that_never_waits() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    runtime.block_on(async {
        let busy = || flow::iter(0_u64..).filter(|_| false);
        test_flow(busy(), async |events: Events<_>| {
            sleep(S / 100).await;
            events.cancel_and_ignore().await;
        })
        .await;
        let said = message(busy(), async |mut events: Events<_>| {
            events.set_patience(S / 100);
            events.await_item().await;
        })
        .await;
        assert!(said.contains("nothing came within 10ms"), "{said}");
    });
}
