//! Stages that run in children: who owns them, how far ahead they run, what their panics do.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ballet::flow::Emitter;
use ballet::{Dispatcher, Error, FlowExt, Scope, flow};
use futures_util::FutureExt;
use tokio::time::Instant;

use crate::support::{Living, MS, ms_since, timed};

/// Lets everything run that can.
async fn settle() {
    tokio::time::sleep(MS).await;
}

#[ballet::test]
async fn a_buffer_runs_exactly_so_far_ahead() {
    for places in [1, 2, 3, 5, 64, 200] {
        let emitted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&emitted);
        let numbers = flow(async move |out| {
            for n in 0.. {
                count.fetch_add(1, Ordering::Relaxed);
                out.emit(n).await;
            }
        });
        let mut buffered = pin!(numbers.buffer(places));
        for taken in 1..=10 {
            assert!(buffered.next().await.is_some());
            settle().await;
            // One more than there are places: the code rests in the emit for which there is none.
            let ahead = emitted.load(Ordering::Relaxed) - taken;
            assert!(ahead <= places + 1, "{places} places, {ahead} ahead after {taken}");
            assert!(ahead >= places, "{places} places, {ahead} ahead after {taken}");
        }
    }
}

#[ballet::test]
async fn an_item_is_not_held_back_until_the_batch_is_full() {
    let items = timed(vec![(10, 'a'), (10, 'b')]).buffer(64);
    let start = Instant::now();
    let seen: Vec<_> = items.map(|item| (ms_since(start), item)).collect().await;
    assert_eq!(seen, [(10, 'a'), (20, 'b')]);
}

#[ballet::test]
async fn what_a_buffer_runs_is_owned_where_it_is_collected() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let collector = s.named("collector").spawn(async {
            let silent = flow(async |_: &mut Emitter<'_, u32>| pending::<()>().await);
            silent.buffer(4).drain().await;
            Ok(())
        });
        settle().await;
        let tree = s.tree().to_string();
        assert!(tree.contains("collector") && tree.contains("buffer"), "{tree}");
        assert!(tree.contains("children.rs"), "born where the stage was made: {tree}");
        collector.job().cancel();
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_stage_that_is_dropped_half_way_leaves_its_child_to_the_job() -> Result<(), Error> {
    let living = Living::default();
    let guard = living.guard();
    ballet::scope(async |s: Scope| {
        s.named("collector").spawn(async move {
            let slow = flow(async move |out| {
                let _guard = guard;
                for n in 0.. {
                    out.emit(n).await;
                    // Finished though it is cancelled: the job that collected waits for it.
                    ballet::shield(tokio::time::sleep(50 * MS)).await;
                }
            });
            assert_eq!(slow.buffer(4).first().await, Some(0));
            Ok(())
        });
        Ok(())
    })
    .await?;
    assert_eq!(living.count(), 0, "the scope returned when the adopted child had ended");
    Ok(())
}

#[ballet::test]
async fn at_the_end_of_the_flow_its_children_have_ended() {
    let living = Living::default();
    let guard = living.guard();
    let numbers = flow(async move |out| {
        let _guard = guard;
        out.emit(1).await;
    });
    assert_eq!(numbers.buffer(4).map_par(2, async |n| n).collect::<Vec<_>>().await, [1]);
    assert_eq!(living.count(), 0);
}

#[ballet::test]
async fn a_panic_in_a_child_resumes_in_the_collector() {
    let panics = |catch: std::thread::Result<usize>| {
        let payload = catch.expect_err("it panicked");
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap()
    };
    let numbers = || flow::iter(0..5).tap(|n| assert!(*n < 3, "three is too many"));
    let buffered = std::panic::AssertUnwindSafe(numbers().buffer(2).count()).catch_unwind().await;
    assert!(panics(buffered).contains("three is too many"));
    let worked = flow::iter(0..5).map_par(2, async |n| {
        assert!(n < 3, "three is too many");
        n
    });
    let worked = std::panic::AssertUnwindSafe(worked.count()).catch_unwind().await;
    assert!(panics(worked).contains("three is too many"));
}

#[ballet::test]
async fn a_parallel_map_works_on_so_many_and_takes_no_more() {
    let (living, taken) = (Living::default(), Arc::new(AtomicUsize::new(0)));
    let (at_work, count) = (living.clone(), Arc::clone(&taken));
    let numbers = flow::iter(0..20).tap(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let mut results = pin!(numbers.map_par(3, async move |n| {
        let _guard = at_work.guard();
        assert!(at_work.count() <= 3);
        tokio::time::sleep((10 + 20 * (n % 2)) * MS).await;
        n
    }));
    assert_eq!(results.next().await, Some(0));
    tokio::time::sleep(100 * MS).await;
    // Nobody asks for more: the results of those at work wait, and no further items are taken.
    assert_eq!((living.count(), taken.load(Ordering::Relaxed)), (0, 3));
    assert_eq!(results.as_mut().collect::<Vec<_>>().await, (1..20).collect::<Vec<_>>());
}

#[ballet::test]
async fn a_parallel_map_is_parallel() {
    let start = Instant::now();
    let slow = async |ms: u64| {
        tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
        ms
    };
    let ordered = flow::iter([30, 10, 20, 5]).map_par(2, slow).map(|ms| (ms_since(start), ms));
    // 5 begins when there is room again: a result that waits for its turn takes its place.
    assert_eq!(ordered.collect::<Vec<_>>().await, [(30, 30), (30, 10), (50, 20), (50, 5)]);
    let start = Instant::now();
    let unordered = flow::iter([30, 10, 20, 5]).map_par_unordered(2, slow).map(|ms| (ms_since(start), ms));
    let seen = unordered.collect::<Vec<_>>().await;
    assert_eq!(seen.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [10, 30, 30, 35]);
}

#[ballet::test]
async fn the_first_failure_of_a_parallel_map_cancels_the_rest() -> Result<(), Error> {
    let living = Living::default();
    let at_work = living.clone();
    ballet::scope(async |s: Scope| {
        let failed = s.spawn(async move {
            let fetched = flow::iter(0..).map_par_unordered(4, async move |n: u32| {
                let _guard = at_work.guard();
                if n == 2 {
                    settle().await;
                    return Err("no such page");
                }
                pending::<()>().await;
                Ok(n)
            });
            Ok(fetched.or_fail().drain().await)
        });
        assert_eq!(failed.await, Err("no such page"));
        Ok(())
    })
    .await?;
    assert_eq!(living.count(), 0);
    Ok(())
}

#[ballet::test]
async fn conflate_keeps_the_newest_and_never_makes_the_source_wait() {
    let emitted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&emitted);
    let position = flow::tick(10 * MS).take(10).tap(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let mut drawn = pin!(position.conflate());
    assert_eq!(drawn.next().await, Some(1));
    tokio::time::sleep(95 * MS).await;
    assert_eq!(emitted.load(Ordering::Relaxed), 10);
    assert_eq!(drawn.next().await, Some(10));
    assert_eq!(drawn.next().await, None);
}

#[test]
fn flow_on_changes_where_the_flow_above_runs_and_not_below() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        // As a Tokio task the child has an id of its own; the body of `block_on` has none.
        let tokio = Dispatcher::tokio();
        let above = flow(async |out| out.emit(tokio::task::try_id()).await);
        let seen = above.flow_on(&tokio).map(|above| (above, tokio::task::try_id())).first().await;
        let (above, below) = seen.expect("there is an item");
        assert!(above.is_some() && below.is_none());
    });
}

#[test]
fn a_hand_over_between_two_workers_loses_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for places in [1, 2, 7, 64] {
        let sum = runtime.block_on(async {
            let numbers = flow(async |out| {
                for n in 0..3_000_u64 {
                    if n % 97 == 0 {
                        tokio::task::yield_now().await;
                    }
                    out.emit(n).await;
                }
            });
            let squares = numbers.buffer(places).map_par(8, async |n| n * 2).buffer(places);
            squares.fold((0, 0), |(count, sum), n| (count + 1, sum + n)).await
        });
        assert_eq!(sum, (3_000, 2_999 * 3_000), "{places} places");
    }
}

#[ballet::test]
async fn groups_make_room_for_new_ones_and_begin_again() {
    let began = std::sync::Mutex::new(Vec::new());
    let letters = flow::iter(["a", "b", "a", "c", "b", "a"]);
    let grouped = letters.group_by(
        2,
        |letter| *letter,
        |letter, group| {
            began.lock().unwrap().push(letter);
            group.scan(0, move |count, _| {
                *count += 1;
                Some((letter, *count))
            })
        },
    );
    let seen = grouped.collect::<Vec<_>>().await;
    // `b` was given nothing for longest when `c` came, and then `a` when `b` came again.
    assert_eq!(began.into_inner().unwrap(), ["a", "b", "c", "b", "a"]);
    assert_eq!(seen.len(), 6);
    assert_eq!(seen.iter().filter(|(letter, _)| *letter == "a").count(), 3);
}

#[ballet::test]
async fn a_group_that_had_enough_begins_again() {
    let grouped = flow::iter(0..6).group_by(4, |n| n % 2, |key, group| group.take(1).map(move |n| (key, n)));
    let mut seen = grouped.collect::<Vec<_>>().await;
    seen.sort_unstable();
    assert_eq!(seen, [(0, 0), (0, 2), (0, 4), (1, 1), (1, 3), (1, 5)]);
}

#[ballet::test]
async fn a_slow_group_holds_the_source_back() {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let numbers = flow::iter(0..100).tap(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let mut grouped = pin!(numbers.group_by(
        4,
        |_| (),
        |(), group| {
            group.then(async |n| {
                tokio::time::sleep(10 * MS).await;
                n
            })
        }
    ));
    assert_eq!(grouped.next().await, Some(0));
    assert!(taken.load(Ordering::Relaxed) <= 4, "{taken:?}");
    assert_eq!(grouped.as_mut().count().await, 99);
}

/// A collector that goes on for a while after it was asked to end: in a grace, or in a shield.
#[ballet::test]
async fn a_stage_that_begins_in_a_cancelled_job_runs_in_a_shield() -> Result<(), Error> {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    ballet::scope(async |s: Scope| {
        let job = s.named("collector").spawn(async move {
            let flow = flow::iter(0..5).buffer(2).map_par(2, async |n| n);
            ballet::shield(async {
                settle().await;
                let items = flow.collect::<Vec<_>>().await;
                told.lock().unwrap().extend(items);
            })
            .await;
            Ok(())
        });
        tokio::task::yield_now().await;
        job.job().cancel();
        Ok(())
    })
    .await?;
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 4]);
    Ok(())
}

#[ballet::test]
async fn a_stage_that_begins_in_the_grace_of_a_cancelled_job() -> Result<(), Error> {
    let seen = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&seen);
    let start = Instant::now();
    ballet::scope(async |s: Scope| {
        let job = s.named("collector").graceful(1_000 * MS).spawn(async move {
            ballet::cancelled().await;
            told.fetch_add(flow::iter(0..5).buffer(2).count().await, Ordering::Relaxed);
            Ok(())
        });
        tokio::task::yield_now().await;
        job.job().cancel();
        Ok(())
    })
    .await?;
    assert_eq!(seen.load(Ordering::Relaxed), 5);
    assert_eq!(ms_since(start), 0);
    Ok(())
}
