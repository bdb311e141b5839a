//! Races: the first counts, and the others have ended when the race returns.

#[path = "support/cut.rs"]
mod cut;

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use ballet::{Error, Scope};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep};

use cut::cut_at_yield;

const SECOND: Duration = Duration::from_secs(1);

/// Counts those that exist.
struct Alive(Arc<AtomicI32>);

impl Alive {
    fn new(count: &Arc<AtomicI32>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Ends after so many seconds: as a value where `is_well`, and as an error otherwise.
async fn runner(seconds: u32, is_well: bool) -> Result<u32, u32> {
    sleep(SECOND * seconds).await;
    if is_well { Ok(seconds) } else { Err(seconds) }
}

#[ballet::test]
async fn the_first_to_end_wins_and_its_value_comes_when_the_losers_have_ended() {
    let (began, alive) = (Instant::now(), Arc::new(AtomicI32::new(0)));
    let racers = [30, 1, 20].map(|seconds| {
        let alive = Alive::new(&alive);
        async move {
            let _alive = alive;
            let value = runner(seconds, true).await?;
            Ok::<_, u32>(value)
        }
    });
    assert_eq!(ballet::race(racers).await.unwrap(), 1);
    assert_eq!((began.elapsed(), alive.load(Ordering::SeqCst)), (SECOND, 0));
}

#[ballet::test]
async fn a_loser_in_a_shield_is_awaited() {
    let began = Instant::now();
    let stubborn = ballet::shield(runner(5, true)).boxed();
    assert_eq!(ballet::race([stubborn, runner(1, true).boxed()]).await.unwrap(), 1);
    assert_eq!(began.elapsed(), SECOND * 5);
}

#[ballet::test]
async fn a_failure_wins_a_race_and_names_the_line_of_the_race() {
    let (race, line) = (ballet::race([runner(2, true), runner(1, false)]), line!());
    let failure = race.await.unwrap_err();
    assert_eq!(failure.error(), Some(&1));
    assert_eq!((failure.place().file(), failure.place().line()), (file!(), line));
}

#[ballet::test]
async fn the_first_value_wins_though_others_failed_before() {
    let began = Instant::now();
    let racers = [runner(1, false), runner(3, true), runner(2, false), runner(9, true)];
    assert_eq!(ballet::race_ok(racers).await.unwrap(), 3);
    assert_eq!(began.elapsed(), SECOND * 3);
}

#[ballet::test]
async fn where_all_fail_every_failure_is_told_in_the_order_of_failing() {
    let failure = ballet::race_ok([runner(3, false), runner(1, false), runner(2, false)]).await.unwrap_err();
    let suppressed: Vec<_> = failure.suppressed().iter().filter_map(|failure| failure.error()).collect();
    assert_eq!((failure.error(), suppressed), (Some(&1), vec![&2, &3]));
}

#[ballet::test]
async fn a_panic_ends_either_race_and_resumes_when_the_others_have_ended() {
    for is_ok in [false, true] {
        let alive = Arc::new(AtomicI32::new(0));
        let racers = [0, 1].map(|number| {
            let alive = Alive::new(&alive);
            async move {
                let _alive = alive;
                assert_eq!(number, 1, "racer {number} slipped");
                pending::<Result<(), u32>>().await
            }
        });
        let race = async { if is_ok { ballet::race_ok(racers).await } else { ballet::race(racers).await } };
        let payload = AssertUnwindSafe(race).catch_unwind().await.unwrap_err();
        let message = payload.downcast_ref::<String>().unwrap();
        assert!(message.contains("racer 0 slipped") && message.contains(file!()), "{message}");
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    }
}

#[ballet::test]
async fn a_race_of_nobody_is_a_mistake_of_its_caller() {
    let race = ballet::race(Vec::<std::future::Ready<Result<(), u32>>>::new());
    assert!(AssertUnwindSafe(race).catch_unwind().await.is_err());
    let race = ballet::race_ok(Vec::<std::future::Ready<Result<(), u32>>>::new());
    assert!(AssertUnwindSafe(race).catch_unwind().await.is_err());
}

#[ballet::test]
async fn a_race_that_is_dropped_at_any_yield_leaves_no_racer_behind() -> Result<(), Error> {
    let alive = Arc::new(AtomicI32::new(0));
    for limit in 1.. {
        let won = ballet::scope(async |_: Scope| {
            let racers = [2, 1].map(|seconds| {
                let alive = Alive::new(&alive);
                async move {
                    let _alive = alive;
                    tokio::task::yield_now().await;
                    ballet::shield(runner(seconds, false)).await
                }
            });
            Ok(cut_at_yield(limit, ballet::race_ok(racers)).await.is_some())
        })
        .await?;
        assert_eq!(alive.load(Ordering::SeqCst), 0, "at yield {limit}");
        // A racer that fails in its shield, when there is no race any more.
        drop(ballet::testing::take_unobserved());
        if won {
            assert!(limit > 1, "it never yielded");
            break;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_workers_races_in_children_always_have_a_winner_and_no_survivor() -> Result<(), Error> {
    let alive = Arc::new(AtomicI32::new(0));
    let scope = ballet::scope(async |s: Scope| {
        let races = s.spawn_all((0..200).map(|_| {
            let racers = [(); 4].map(|()| {
                let alive = Alive::new(&alive);
                async move {
                    tokio::task::yield_now().await;
                    Ok::<_, Error>(alive)
                }
            });
            ballet::race(racers).map(|winner| Ok(winner.map(drop)?))
        }));
        for race in races {
            race.await;
        }
        Ok(())
    });
    tokio::time::timeout(SECOND * 60, scope).await??;
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    Ok(())
}
