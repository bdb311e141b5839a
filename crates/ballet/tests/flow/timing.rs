//! Operators that look at the clock, in virtual time.

use std::time::Duration;

use ballet::{Elapsed, Error, FlowExt, flow};
use tokio::time::Instant;

use crate::support::{Living, MS, ms_since, one_by_one, timed};

/// What comes, and when.
async fn with_times<S: ballet::Flow<Error = flow::Never>>(flow: S) -> Vec<(u128, S::Item)> {
    let start = Instant::now();
    flow.map(|item| (ms_since(start), item)).collect().await
}

#[ballet::test]
async fn debounce_emits_what_was_followed_by_quiet_and_the_last_item_at_the_end() {
    let typed = timed(vec![(0, 'a'), (5, 'b'), (30, 'c'), (5, 'd'), (5, 'e')]);
    // `b` at 5 + 20; the flow ends at 45 with `e`, whose quiet nobody waits for.
    assert_eq!(with_times(typed.debounce(20 * MS)).await, [(25, 'b'), (45, 'e')]);
    let typed = timed(vec![(0, 'a'), (5, 'b'), (0, 'c')]);
    assert_eq!(with_times(typed.debounce(Duration::ZERO)).await, [(0, 'a'), (5, 'b'), (5, 'c')]);
}

#[ballet::test]
async fn debounce_starts_its_quiet_anew_with_each_item() {
    let typed = timed(vec![(0, 1), (19, 2), (19, 3), (100, 4)]);
    assert_eq!(with_times(typed.debounce(20 * MS)).await, [(58, 3), (138, 4)]);
}

#[ballet::test]
async fn debounce_lets_a_failure_through_at_once_and_drops_what_waited() {
    let failing = flow(async |out| {
        out.emit(1).await;
        tokio::time::sleep(5 * MS).await;
        Err::<(), _>("torn")
    });
    let start = Instant::now();
    assert_eq!(failing.debounce(20 * MS).collect::<Vec<i32>>().await, Err("torn"));
    assert_eq!(ms_since(start), 5);
}

#[ballet::test]
async fn sample_keeps_to_its_grid_and_emits_only_what_is_new() {
    let level = timed(vec![(3, 'a'), (3, 'b'), (20, 'c'), (9, 'd')]);
    // At 10 `b`; nothing new at 20; at 30 `c`. The flow ends at 35, before `d` had its time.
    assert_eq!(with_times(level.sample(10 * MS)).await, [(10, 'b'), (30, 'c')]);
}

#[ballet::test]
async fn sample_leaves_out_the_times_at_which_its_collector_was_busy() {
    let level = flow::tick(MS).sample(10 * MS).take(3).then(async |n| {
        if n < 20 {
            tokio::time::sleep(25 * MS).await;
        }
        n
    });
    let start = Instant::now();
    let seen = one_by_one(level).await;
    assert_eq!((seen[0], seen.len()), (10, 3));
    assert_eq!(ms_since(start) % 10, 0, "on the grid of the beginning");
}

#[ballet::test]
async fn throttle_emits_the_first_and_rests() {
    let clicks = timed(vec![(0, 1), (4, 2), (5, 3), (1, 4), (30, 5), (9, 6)]);
    assert_eq!(with_times(clicks.throttle(10 * MS)).await, [(0, 1), (10, 4), (40, 5)]);
    let clicks = timed(vec![(0, 1), (0, 2)]);
    assert_eq!(with_times(clicks.throttle(Duration::ZERO)).await, [(0, 1), (0, 2)]);
}

#[ballet::test]
async fn timeout_bounds_each_item_and_the_end() {
    let living = Living::default();
    let guard = living.guard();
    let slow = flow(async |out| {
        let _guard = guard;
        for pause in [9, 9, 11] {
            tokio::time::sleep(pause * MS).await;
            out.emit(pause).await;
        }
    });
    let start = Instant::now();
    let mut seen = Vec::new();
    let mut slow = std::pin::pin!(slow.timeout::<Elapsed>(10 * MS).tap(|pause| seen.push(*pause)));
    let elapsed = slow.as_mut().drain().await.unwrap_err();
    assert_eq!(living.count(), 0, "the flow above is dropped when the time is over");
    assert_eq!((elapsed.limit(), ms_since(start)), (10 * MS, 28));
    assert_eq!(seen, [9, 9]);
    assert!(elapsed.place().file().ends_with("timing.rs"));
}

#[ballet::test]
async fn the_time_of_the_collector_is_not_the_flow_s() {
    let quick = timed(vec![(5, 1), (5, 2)]).timeout::<Elapsed>(10 * MS);
    let busy = quick.then(async |n| {
        tokio::time::sleep(50 * MS).await;
        n
    });
    assert_eq!(busy.collect::<Vec<_>>().await.unwrap(), [1, 2]);
}

#[ballet::test]
async fn a_timeout_of_zero_elapses_without_polling() {
    let never_polled = flow(async |_: &mut flow::Emitter<'_, ()>| panic!("polled"));
    let failed = never_polled.timeout::<Elapsed>(Duration::ZERO).drain().await;
    assert_eq!(failed.unwrap_err().limit(), Duration::ZERO);
}

#[ballet::test]
async fn the_error_of_a_flow_takes_the_timeout_in() -> Result<(), Error> {
    let fallible = flow(async |out| {
        out.emit(1).await;
        tokio::time::sleep(MS).await;
        Ok::<_, Error>(())
    });
    // No name for the error: it is the flow's own.
    assert_eq!(fallible.timeout(5 * MS).collect::<Vec<_>>().await?, [1]);
    Ok(())
}

#[ballet::test]
async fn groups_are_bounded_in_size_and_age() {
    let arrivals = timed(vec![(0, 1), (4, 2), (4, 3), (4, 4), (1, 5), (50, 6)]);
    let groups = with_times(arrivals.grouped_within(3, 10 * MS)).await;
    // Full at 8; the next begins at 12 and is sent at 22, 10 ms after its first item; the last with the end.
    assert_eq!(groups, [(8, vec![1, 2, 3]), (22, vec![4, 5]), (63, vec![6])]);
}

#[ballet::test]
async fn ticks_keep_time_and_say_what_was_missed() {
    let ticks = flow::tick(10 * MS).take(4).then(async |n| {
        if n == 1 {
            tokio::time::sleep(25 * MS).await;
        }
        n
    });
    assert_eq!(with_times(ticks).await, [(35, 1), (40, 4), (50, 5), (60, 6)]);
}

#[ballet::test]
async fn latest_work_is_cancelled_by_the_next_item() {
    let living = Living::default();
    let typed = timed(vec![(0, 1), (5, 2), (30, 3), (5, 4)]);
    let counted = living.clone();
    let found = typed.map_latest(async move |n| {
        assert_eq!(counted.count(), 0, "the work before has been dropped");
        let _guard = counted.guard();
        tokio::time::sleep(10 * MS).await;
        n * 10
    });
    assert_eq!(with_times(found).await, [(15, 20), (50, 40)]);
    assert_eq!(living.count(), 0);
}

#[ballet::test]
async fn flat_map_latest_cancels_the_previous_flow_before_the_next_begins() {
    let living = Living::default();
    let letters = timed(vec![(0, 'a'), (25, 'b')]);
    let counted = living.clone();
    let ticks = letters.flat_map_latest(|letter| {
        assert_eq!(counted.count(), 0, "the flow before has been dropped");
        let guard = counted.guard();
        flow::tick(10 * MS).take(3).map(move |n| {
            let _ = &guard;
            (letter, n)
        })
    });
    let seen = with_times(ticks).await;
    assert_eq!(seen, [(10, ('a', 1)), (20, ('a', 2)), (35, ('b', 1)), (45, ('b', 2)), (55, ('b', 3))]);
    assert_eq!(living.count(), 0);
}

#[ballet::test]
async fn flat_map_latest_shows_each_flow_what_is_ready_at_once() {
    let all = flow::iter(1..=3).flat_map_latest(|n| flow::iter([n, n * 10]));
    assert_eq!(all.collect::<Vec<_>>().await, [1, 10, 2, 20, 3, 30]);
}

#[ballet::test]
async fn collect_latest_finishes_the_last_item() {
    let done = std::sync::Mutex::new(Vec::new());
    let frames = timed(vec![(0, 1), (5, 2), (5, 3)]);
    let start = Instant::now();
    frames
        .collect_latest(async |n| {
            tokio::time::sleep(20 * MS).await;
            done.lock().unwrap().push(n);
        })
        .await;
    assert_eq!((done.into_inner().unwrap(), ms_since(start)), (vec![3], 30));
}

#[ballet::test]
async fn merged_flows_come_as_they_come() {
    let slow = timed(vec![(10, 's'), (10, 't')]);
    let quick = timed(vec![(4, 'a'), (4, 'b'), (4, 'c')]);
    let seen = with_times(slow.merge(quick)).await;
    assert_eq!(seen, [(4, 'a'), (8, 'b'), (10, 's'), (12, 'c'), (20, 't')]);
}

#[ballet::test]
async fn combined_flows_show_the_latest_of_both() {
    let left = timed(vec![(10, 1), (20, 2)]);
    let right = timed(vec![(15, 'a'), (5, 'b'), (30, 'c')]);
    let seen = with_times(left.combine(right)).await;
    assert_eq!(seen, [(15, (1, 'a')), (20, (1, 'b')), (30, (2, 'b')), (50, (2, 'c'))]);
}

#[ballet::test]
async fn many_merged_flows_are_woken_one_by_one() {
    let flows = flow::iter(1..=100_u64).flat_map_merge(100, |n| timed(vec![(n, n), (100, n)]));
    let start = Instant::now();
    let mut seen = with_times(flows).await;
    assert_eq!(ms_since(start), 200);
    let second = seen.split_off(100);
    assert!(seen.iter().all(|(at, n)| *at == u128::from(*n)));
    assert!(second.iter().all(|(at, n)| *at == u128::from(*n) + 100));
}

#[ballet::test]
async fn no_more_flows_than_the_limit_run_at_once() {
    let living = Living::default();
    let most = std::sync::atomic::AtomicUsize::new(0);
    let flows = flow::iter(0..20).flat_map_merge(3, |n| {
        let guard = living.guard();
        most.fetch_max(living.count(), std::sync::atomic::Ordering::Relaxed);
        timed(vec![(10, n)]).tap(move |_| {
            let _ = &guard;
        })
    });
    let start = Instant::now();
    assert_eq!(flows.count().await, 20);
    assert_eq!(most.into_inner(), 3);
    assert_eq!(ms_since(start), 70);
}
