//! Parallel maps: the limit holds, items are taken no faster than they are worked on, and the first failure ends the
//! rest.

#[path = "support/cut.rs"]
mod cut;

use std::cell::Cell;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ballet::{Error, Results, Scope};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep};

use cut::cut_at_yield;

const SECOND: Duration = Duration::from_secs(1);

/// How many items are at work, and how many were at most.
#[derive(Clone, Default)]
struct Work(Arc<(AtomicU32, AtomicU32)>);

impl Work {
    fn begin(&self) -> Self {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }

    fn now(&self) -> u32 {
        self.0.0.load(Ordering::SeqCst)
    }

    fn most(&self) -> u32 {
        self.0.1.load(Ordering::SeqCst)
    }
}

/// One item at work.
struct Item(Work);

impl Drop for Item {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Works for so many seconds and gives them back.
fn worker(
    work: &Work,
) -> impl FnOnce(u32) -> futures_util::future::BoxFuture<'static, Result<u32, u32>> + Clone {
    let work = work.clone();
    move |seconds| {
        async move {
            let _item = Item(work.begin());
            sleep(SECOND * seconds).await;
            Ok(seconds)
        }
        .boxed()
    }
}

/// Waits a second and refuses.
async fn refuse(number: u32) -> Result<u32, u32> {
    sleep(SECOND).await;
    Err(number)
}

#[ballet::test]
async fn gives_the_results_in_the_order_of_the_items_and_keeps_the_limit() {
    let (work, began) = (Work::default(), Instant::now());
    let values = ballet::par_map([3, 1, 2, 2], 2, worker(&work)).await.unwrap();
    assert_eq!((values, work.most()), (vec![3, 1, 2, 2], 2));
    assert_eq!(began.elapsed(), SECOND * 5); // 3 beside 1 and 2, then the last 2
    assert_eq!(ballet::par_map([], 2, worker(&work)).await.unwrap(), []);
}

#[ballet::test]
async fn takes_an_item_only_when_there_is_a_slot_for_it() {
    let began = Instant::now();
    let items = (0..6).map(|number| {
        assert_eq!(began.elapsed(), SECOND * (number / 2), "when item {number} was taken");
        1
    });
    assert_eq!(ballet::par_map(items, 2, worker(&Work::default())).await.unwrap().len(), 6);
    assert_eq!(began.elapsed(), SECOND * 3);
}

#[ballet::test]
async fn the_first_failure_ends_the_items_at_work_and_no_more_are_taken() {
    let (taken, began) = (Cell::new(0), Instant::now());
    let items = (0..).inspect(|_| taken.set(taken.get() + 1));
    let map = async |number| if number == 1 { refuse(number).await } else { pending().await };
    let (map, line) = (ballet::par_map(items, 3, map), line!());
    let failure = map.await.unwrap_err();
    assert_eq!((failure.error(), failure.place().line()), (Some(&1), line));
    assert!(failure.suppressed().is_empty());
    assert_eq!((taken.get(), began.elapsed()), (3, SECOND));
}

#[ballet::test]
async fn a_panic_of_an_item_resumes_in_the_caller() {
    let map = async |number: u32| {
        assert_ne!(number, 2, "item 2 slipped");
        Ok::<_, u32>(number)
    };
    let payload = AssertUnwindSafe(ballet::par_map(0..9, 2, map)).catch_unwind().await.unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().contains("item 2 slipped"));
}

#[ballet::test]
async fn a_closure_may_capture_what_is_cheap_to_clone() {
    let table = Arc::new([10, 20, 30]);
    let map = async move |index: usize| Ok::<_, u32>(table[index]);
    assert_eq!(ballet::par_map([2, 0], 2, map).await.unwrap(), [30, 10]);
}

#[ballet::test]
async fn lends_the_results_in_the_order_in_which_they_come() {
    let (work, began) = (Work::default(), Instant::now());
    let body = async |mut results: Results<'_, u32, u32>| {
        let mut values = Vec::new();
        while let Some(value) = results.next().await {
            values.push((value, began.elapsed().as_secs()));
        }
        assert_eq!(results.next().await, None, "the end stays the end");
        Ok(values)
    };
    let values = ballet::par_map_unordered([5, 1, 2, 1], 2, worker(&work), body).await.unwrap();
    assert_eq!((values, work.most()), (vec![(1, 1), (2, 3), (1, 4), (5, 5)], 2));
}

#[ballet::test]
async fn a_slow_body_holds_back_the_work() {
    let (work, taken) = (Work::default(), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&taken);
    let items = (0..9).map(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        1
    });
    let body = async |mut results: Results<'_, u32, u32>| {
        for handled in 1..=9 {
            results.next().await;
            sleep(SECOND * 60).await; // handle it
            assert!(taken.load(Ordering::SeqCst) <= handled + 1, "two are begun and not yet taken");
        }
        Ok(())
    };
    ballet::par_map_unordered(items, 2, worker(&work), body).await.unwrap();
}

#[ballet::test]
async fn when_the_body_returns_the_items_at_work_are_cancelled_and_awaited() {
    let (work, began) = (Work::default(), Instant::now());
    let body = async |mut results: Results<'_, u32, u32>| Ok(results.next().await);
    let first = ballet::par_map_unordered([90, 2, 90, 90], 3, worker(&work), body).await.unwrap();
    assert_eq!((first, began.elapsed(), work.now()), (Some(2), SECOND * 2, 0));
}

#[ballet::test]
async fn a_failure_of_an_item_ends_the_body_and_one_of_the_body_ends_the_items() {
    let work = Work::default();
    let body = async |mut results: Results<'_, u32, u32>| {
        while results.next().await.is_some() {}
        Ok(())
    };
    let failure = ballet::par_map_unordered(1.., 3, refuse, body).await.unwrap_err();
    assert_eq!(failure.error(), Some(&1));

    let body =
        async |mut results: Results<'_, u32, u32>| Err::<(), _>(results.next().await.unwrap_or(0) + 40);
    let failure = ballet::par_map_unordered([9, 2], 2, worker(&work), body).await.unwrap_err();
    assert_eq!((failure.error(), work.now()), (Some(&42), 0));
}

#[ballet::test]
async fn waiting_for_a_result_can_be_given_up_and_taken_up_again() {
    let body = async |mut results: Results<'_, u32, u32>| {
        assert!(ballet::timeout(SECOND, results.next()).await.is_err());
        Ok(results.next().await)
    };
    let began = Instant::now();
    let value = ballet::par_map_unordered([2], 1, worker(&Work::default()), body).await.unwrap();
    assert_eq!((value, began.elapsed()), (Some(2), SECOND * 2));
}

#[ballet::test]
async fn a_map_that_is_dropped_at_any_yield_leaves_nothing_at_work() -> Result<(), Error> {
    let work = Work::default();
    for is_ordered in [true, false] {
        for limit in 1.. {
            let ended = ballet::scope(async |_: Scope| {
                let body = async |mut results: Results<'_, u32, u32>| {
                    while results.next().await.is_some() {}
                    Ok(())
                };
                let ordered = ballet::par_map([1, 2, 1], 2, worker(&work));
                let unordered = ballet::par_map_unordered([1, 2, 1], 2, worker(&work), body);
                Ok(if is_ordered {
                    cut_at_yield(limit, ordered).await.is_some()
                } else {
                    cut_at_yield(limit, unordered).await.is_some()
                })
            })
            .await?;
            assert_eq!(work.now(), 0, "at yield {limit}");
            if ended {
                assert!(limit > 1, "it never yielded");
                break;
            }
        }
    }
    Ok(())
}

#[ballet::test]
#[should_panic(expected = "a map of zero items at a time could never end")]
async fn a_limit_of_zero_is_refused_at_once() {
    drop(ballet::par_map([1], 0, refuse));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_workers_maps_in_children_give_each_item_once() -> Result<(), Error> {
    let scope = ballet::scope(async |s: Scope| {
        let square = async |number: u64| {
            tokio::task::yield_now().await;
            Ok::<_, Error>(number * number)
        };
        let ordered =
            s.spawn(async move { Ok(ballet::par_map(0..2_000, 7, square).await?.into_iter().sum()) });
        let unordered = s.spawn(async move {
            let body = async |mut squares: Results<'_, u64>| {
                let mut sum = 0;
                while let Some(square) = squares.next().await {
                    sum += square;
                }
                Ok(sum)
            };
            Ok(ballet::par_map_unordered(0..2_000, 7, square, body).await?)
        });
        let expected: u64 = (0..2_000).map(|number| number * number).sum();
        let sums: (u64, u64) = (ordered.await, unordered.await);
        assert_eq!(sums, (expected, expected));
        Ok(())
    });
    tokio::time::timeout(SECOND * 60, scope).await??;
    Ok(())
}
