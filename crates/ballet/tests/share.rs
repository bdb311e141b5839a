//! Cold flows made hot: when they run, what is told to whom, and that no child runs on for nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ballet::flow::{Eagerly, Lazily, Never, WhileSubscribed};
use ballet::{Error, Flow, FlowExt, Scope, SharedFlow, Sharing, StateFlow, flow};
use tokio::time::{sleep, timeout};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// How often a flow has begun, and how often it has been dropped.
#[derive(Clone, Default)]
struct Runs {
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Runs {
    fn counts(&self) -> (usize, usize) {
        (self.begun.load(Ordering::SeqCst), self.ended.load(Ordering::SeqCst))
    }

    /// 1 at once, and the next number each second.
    fn numbers(&self) -> impl Flow<Item = u32, Error = Never> + Clone + Send + 'static {
        let runs = self.clone();
        flow(async move |out| {
            let _run = runs.begin();
            for number in 1.. {
                out.emit(number).await;
                sleep(S).await;
            }
        })
    }

    fn begin(&self) -> Run {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Run(Arc::clone(&self.ended))
    }
}

struct Run(Arc<AtomicUsize>);

impl Drop for Run {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn first_of<T: Clone>(flow: &SharedFlow<T>) -> Option<T> {
    flow.subscribe().recv().await
}

#[ballet::test]
async fn eagerly_it_runs_before_anybody_listens() -> Result<(), Error> {
    let runs = Runs::default();
    ballet::scope(async |s: Scope| {
        let shared = runs.numbers().share_in(&s, Eagerly, Sharing::suspend(4).replay(1));
        sleep(2 * S + MS).await;
        assert_eq!((runs.counts(), first_of(&shared).await), ((1, 0), Some(3)));
        Ok(())
    })
    .await?;
    assert_eq!(runs.counts(), (1, 1));
    Ok(())
}

#[ballet::test]
async fn lazily_it_runs_from_the_first_subscriber_on() -> Result<(), Error> {
    let runs = Runs::default();
    ballet::scope(async |s: Scope| {
        let shared = runs.numbers().share_in(&s, Lazily, Sharing::suspend(4).replay(1));
        sleep(2 * S).await;
        assert_eq!(runs.counts(), (0, 0));
        assert_eq!(first_of(&shared).await, Some(1));
        sleep(2 * S + MS).await;
        assert_eq!((runs.counts(), first_of(&shared).await), ((1, 0), Some(3)));
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn while_subscribed_it_stops_with_the_last_and_begins_again_with_the_next() -> Result<(), Error> {
    let runs = Runs::default();
    ballet::scope(async |s: Scope| {
        let shared = runs.numbers().share_in(&s, WhileSubscribed::new(), Sharing::suspend(4));
        let (mut anna, mut boris) = (shared.subscribe(), shared.subscribe());
        assert_eq!((anna.recv().await, boris.recv().await), (Some(1), Some(1)));
        drop(anna);
        sleep(S).await;
        assert_eq!((boris.recv().await, runs.counts()), (Some(2), (1, 0)));
        drop(boris);
        sleep(MS).await;
        assert_eq!(runs.counts(), (1, 1));
        assert_eq!((first_of(&shared).await, runs.counts()), (Some(1), (2, 1)));
        Ok(())
    })
    .await?;
    assert_eq!(runs.counts(), (2, 2));
    Ok(())
}

#[ballet::test]
async fn what_is_replayed_is_kept_over_a_stop_and_forgotten_when_it_has_expired() -> Result<(), Error> {
    let runs = Runs::default();
    ballet::scope(async |s: Scope| {
        let policy = WhileSubscribed::new().forget_after(10 * S);
        let shared = runs.numbers().share_in(&s, policy, Sharing::suspend(4).replay(1));
        shared.clone().take(3).drain().await;
        sleep(9 * S).await;
        assert_eq!((runs.counts(), shared.replayed()), ((1, 1), vec![3]));
        assert_eq!(first_of(&shared).await, Some(3), "and it has begun again");
        sleep(11 * S).await;
        assert_eq!((runs.counts().1, shared.replayed()), (runs.counts().0, vec![]));
        Ok(())
    })
    .await?;
    Ok(())
}

/// The state's clauses of C60, one after the other.
#[ballet::test]
async fn c60_a_state_is_conflated_and_shared_while_subscribed_and_says_when_it_cannot_begin()
-> Result<(), Error> {
    a_value_that_came_back_while_the_watcher_was_busy_tells_nothing().await;
    coming_back_at_4_of_5_seconds_does_not_begin_again_and_expiry_resets().await?;
    an_empty_or_failing_flow_is_told_to_whoever_waits_for_the_first_item().await
}

async fn a_value_that_came_back_while_the_watcher_was_busy_tells_nothing() {
    let (cell, state) = StateFlow::new("A");
    let mut watcher = state.watch();
    assert_eq!(watcher.recv().await, Some("A"));
    cell.set("B");
    cell.set("A");
    assert!(timeout(S, watcher.recv()).await.is_err());
    cell.set("C");
    assert_eq!(watcher.recv().await, Some("C"));
}

async fn coming_back_at_4_of_5_seconds_does_not_begin_again_and_expiry_resets() -> Result<(), Error> {
    let runs = Runs::default();
    ballet::scope(async |s: Scope| {
        let policy = WhileSubscribed::new().stop_after(5 * S).forget_after(10 * S);
        let state = runs.numbers().state_in(&s, policy, 0);
        assert_eq!((state.value(), runs.counts()), (0, (0, 0)));
        assert_eq!(state.wait_for(|number| *number == 2).await?, 2);
        sleep(4 * S + MS).await;
        assert_eq!((state.wait_for(|number| *number > 2).await?, runs.counts()), (6, (1, 0)));
        sleep(5 * S + MS).await;
        assert_eq!((state.value(), runs.counts()), (11, (1, 1)), "stopped, and the value is kept");
        sleep(10 * S).await;
        assert_eq!((state.value(), runs.counts()), (0, (1, 1)), "expired");
        assert_eq!((state.wait_for(|number| *number > 0).await?, runs.counts()), (1, (2, 1)));
        Ok(())
    })
    .await?;
    Ok(())
}

async fn an_empty_or_failing_flow_is_told_to_whoever_waits_for_the_first_item() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        assert!(flow::iter([0; 0]).first_state_in(&s).await.is_none());
        let fails = flow(async |out| {
            if false {
                out.emit(0).await;
            }
            Err(Error::msg("no signal"))
        });
        assert_eq!(fails.first_state_in(&s).await.expect_err("it fails").to_string(), "no signal");
        let state = flow::iter([7]).first_state_in(&s).await.expect("it has an item");
        assert_eq!(state.value(), 7);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_state_whose_flow_fails_later_fails_its_scope() {
    let failure = ballet::scope(async |s: Scope| {
        let fails = flow(async |out| {
            out.emit(1).await;
            sleep(S).await;
            Err(Error::msg("signal lost"))
        });
        let state = fails.first_state_in(&s).await?.expect("it has an item");
        assert_eq!(state.value(), 1);
        state.wait_for(|_| false).await?;
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error().unwrap().to_string(), "signal lost");
}

#[ballet::test]
async fn the_end_and_the_failure_of_a_flow_are_told_to_its_subscribers() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let shared = flow::iter(1..=3).share_in(&s, Lazily, Sharing::suspend(1));
        assert_eq!(shared.collect::<Vec<_>>().await, [1, 2, 3]);

        let fails = flow(async |out| {
            out.emit(1).await;
            Err(Error::msg("torn"))
        });
        let shared = fails.share_in(&s, Eagerly, Sharing::suspend(4).replay(4));
        sleep(MS).await;
        for _ in ["early", "late"] {
            let mut subscriber = shared.subscribe();
            assert_eq!(subscriber.recv().await?, Some(1));
            assert_eq!(subscriber.recv().await.unwrap_err().to_string(), "torn");
        }
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_slow_subscriber_holds_the_flow_back() -> Result<(), Error> {
    let made = Arc::new(AtomicUsize::new(0));
    ballet::scope(async |s: Scope| {
        let count = Arc::clone(&made);
        let numbers = flow::iter(1..).tap(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let shared = numbers.share_in(&s, Lazily, Sharing::suspend(2));
        let mut slow = shared.subscribe();
        sleep(S).await;
        assert_eq!(made.load(Ordering::SeqCst), 3, "two in the buffer and one before it");
        assert_eq!(slow.recv().await, Some(1));
        sleep(S).await;
        assert_eq!(made.load(Ordering::SeqCst), 4);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn no_child_runs_on_for_nobody() -> Result<(), Error> {
    let runs = Runs::default();
    ballet::scope(async |s: Scope| {
        let sharing = Sharing::suspend(1);
        drop(runs.numbers().share_in(&s, Eagerly, sharing));
        drop(runs.numbers().share_in(&s, Lazily, sharing));
        drop(runs.numbers().share_in(&s, WhileSubscribed::new().stop_after(S), sharing));
        drop(runs.numbers().state_in(&s, Lazily, 0));
        let derived = runs.numbers().state_in(&s, Eagerly, 0).map(|number| number * 2);
        derived.watch().recv().await;
        let mut last = runs.numbers().share_in(&s, Lazily, sharing).subscribe();
        assert_eq!(last.recv().await, Some(1));
        Ok(())
    })
    .await?;
    let (begun, ended) = runs.counts();
    assert_eq!(begun, ended);
    Ok(())
}

#[ballet::test]
async fn a_cancelled_scope_ends_what_it_shares() -> Result<(), Error> {
    let runs = Runs::default();
    let (shared, state) = ballet::scope(async |s: Scope| {
        let shared = runs.numbers().share_in(&s, Eagerly, Sharing::suspend(1).replay(1));
        let state = runs.numbers().state_in(&s, Eagerly, 0);
        sleep(MS).await;
        s.cancel_children();
        Ok((shared, state))
    })
    .await?;
    assert_eq!(runs.counts(), (2, 2));
    assert_eq!(shared.collect::<Vec<_>>().await, [1]);
    assert!(state.is_ended() && state.value() == 1);
    Ok(())
}

#[ballet::test]
async fn whoever_stops_waiting_for_the_first_item_stops_the_flow() -> Result<(), Error> {
    let runs = Runs::default();
    ballet::scope(async |s: Scope| {
        let late = runs.numbers().filter(|number| *number > 10);
        assert!(timeout(2 * S, late.first_state_in(&s)).await.is_err());
        sleep(MS).await;
        assert_eq!(runs.counts(), (1, 1));
        Ok(())
    })
    .await?;
    Ok(())
}

/// In real time: virtual time stands still while anything can run.
#[test]
fn while_subscribed_it_stops_a_flow_that_never_waits() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let living = Arc::new(());
        let stopped = ballet::scope(async |s: Scope| {
            let running = Arc::clone(&living);
            let numbers = flow::iter(0_u64..).tap(move |_| _ = &running);
            let policy = WhileSubscribed::new().stop_after(10 * MS);
            let shared = numbers.share_in(&s, policy, Sharing::drop_oldest(4));
            assert!(shared.clone().first().await.is_some());
            let stopped = async {
                // One is the test's, and one is in the flow that will run again.
                while Arc::strong_count(&living) > 2 {
                    sleep(MS).await;
                }
            };
            timeout(10 * S, stopped).await?;
            Ok(())
        });
        stopped.await.unwrap();
    });
}

#[test]
fn while_subscribed_it_needs_no_timer_unless_it_is_to_wait() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let shared = ballet::scope(async |s: Scope| {
        let shared = flow::iter(1..).share_in(&s, WhileSubscribed::new(), Sharing::suspend(4));
        for _ in 0..2 {
            assert_eq!(shared.clone().first().await, Some(1));
            tokio::task::yield_now().await;
        }
        Ok(())
    });
    runtime.block_on(shared).unwrap();
}
