//! The state flow: what watchers are told, what writers promise each other, and states that are derived from others.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ballet::flow::Watcher;
use ballet::observe::State;
use ballet::{Error, Scope, StateFlow};

const MS: Duration = Duration::from_millis(1);

/// Polls once, and remembers nothing.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// What a watcher is told now: nothing, a value, or the end.
fn told<T: Clone + PartialEq>(watcher: &mut Watcher<T>) -> Poll<Option<T>> {
    poll_once(pin!(watcher.recv()))
}

#[ballet::test]
async fn a_watcher_is_told_the_value_then_the_newest_of_the_changes() {
    let (cell, state) = StateFlow::new(1);
    let mut watcher = state.watch();
    assert_eq!(watcher.recv().await, Some(1));
    assert!(told(&mut watcher).is_pending());
    (2..=9).for_each(|value| cell.set(value));
    assert_eq!(watcher.recv().await, Some(9));
    assert!(told(&mut watcher).is_pending());
}

#[ballet::test]
async fn an_equal_value_wakes_nobody() -> Result<(), Error> {
    let (cell, state) = StateFlow::new(7);
    let polls = Arc::new(AtomicUsize::new(0));
    ballet::scope(async |s: Scope| {
        let (mut watcher, counts) = (state.watch(), Arc::clone(&polls));
        let last = s.spawn(async move {
            assert_eq!(watcher.recv().await, Some(7));
            let mut next = Box::pin(watcher.recv());
            let next = std::future::poll_fn(|cx| {
                counts.fetch_add(1, Ordering::SeqCst);
                next.as_mut().poll(cx)
            });
            Ok(next.await)
        });
        tokio::time::sleep(MS).await;
        cell.set(7);
        cell.update(|same| *same);
        tokio::time::sleep(MS).await;
        assert_eq!(polls.load(Ordering::SeqCst), 1);
        cell.set(8);
        assert_eq!(last.await, Some(8));
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_state_ends_with_its_last_cell_after_its_last_value() {
    let (cell, state) = StateFlow::new(1);
    let mut watcher = state.watch();
    assert_eq!(watcher.recv().await, Some(1));
    let second = cell.clone();
    drop(cell);
    assert!(!state.is_ended() && told(&mut watcher).is_pending());
    second.set(2);
    drop(second);
    assert_eq!((watcher.recv().await, watcher.recv().await, watcher.recv().await), (Some(2), None, None));
    assert_eq!((state.is_ended(), state.value()), (true, 2));
    let mut late = state.watch();
    assert_eq!((late.recv().await, late.recv().await), (Some(2), None));
}

#[ballet::test]
async fn a_watcher_that_waits_is_woken_by_a_change_and_by_the_end() -> Result<(), Error> {
    let (cell, state) = StateFlow::new(0);
    let heard = ballet::scope(async |s: Scope| {
        let mut watcher = state.watch();
        let heard = s.spawn(async move {
            let mut heard = Vec::new();
            while let Some(value) = watcher.recv().await {
                heard.push(value);
            }
            Ok(heard)
        });
        for value in 1..=3 {
            tokio::time::sleep(MS).await;
            cell.set(value);
        }
        tokio::time::sleep(MS).await;
        drop(cell);
        Ok(heard.await)
    })
    .await?;
    assert_eq!(heard, [0, 1, 2, 3]);
    Ok(())
}

#[test]
fn compare_and_set_sets_only_what_was_expected() {
    let (cell, state) = StateFlow::new(1);
    assert!(!cell.compare_and_set(&2, 3));
    assert!(cell.compare_and_set(&1, 3) && cell.compare_and_set(&3, 3));
    assert_eq!((state.value(), cell.value()), (3, 3));
}

#[test]
fn an_update_that_panics_changes_nothing_and_locks_nobody_out() {
    let (cell, state) = StateFlow::new(1);
    let panics = std::panic::catch_unwind(|| cell.update(|_| panic!("on purpose")));
    assert!(panics.is_err());
    assert_eq!(state.value(), 1);
    cell.update(|value| value + 1);
    assert_eq!(state.value(), 2);
}

#[test]
fn an_update_may_read_what_it_updates() {
    let (cell, state) = StateFlow::new(2);
    let doubled = state.clone().map(|value| value * 2);
    cell.update(|value| value + doubled.value() + state.value());
    assert_eq!(state.value(), 8);
}

#[ballet::test]
async fn waiting_for_a_value_returns_it_or_says_that_the_state_ended() -> Result<(), Error> {
    let (cell, state) = StateFlow::new(1);
    assert_eq!(state.wait_for(|value| *value == 1).await?, 1);
    ballet::scope(async |s: Scope| {
        let waits = state.clone();
        let big = s.spawn(async move { Ok(waits.wait_for(|value| *value > 10).await?) });
        for value in [5, 11] {
            tokio::time::sleep(MS).await;
            assert_eq!(big.job().state(), State::Running);
            cell.set(value);
        }
        assert_eq!(big.await, 11);
        Ok(())
    })
    .await?;
    drop(cell);
    assert!(state.wait_for(|value| *value == 11).await.is_ok());
    let ended = state.wait_for(|value| *value == 12).await.unwrap_err();
    assert!(ended.to_string().starts_with("the state ended"));
    Ok(())
}

#[ballet::test]
async fn a_derived_state_is_distinct_and_needs_no_scope() {
    let (cell, state) = StateFlow::new(1);
    let is_even = state.map(|value| value % 2 == 0);
    let mut watcher = is_even.watch();
    assert_eq!(watcher.recv().await, Some(false));
    cell.set(3);
    assert!(told(&mut watcher).is_pending());
    cell.set(4);
    assert_eq!((is_even.value(), watcher.recv().await), (true, Some(true)));
    drop(cell);
    assert_eq!((is_even.is_ended(), watcher.recv().await), (true, None));
}

#[ballet::test]
async fn a_combined_state_follows_both_and_ends_with_the_later() {
    let (left, l) = StateFlow::new(1);
    let (right, r) = StateFlow::new(10);
    let sum = l.combine(r, |l, r| l + r);
    let mut watcher = sum.watch();
    assert_eq!(watcher.recv().await, Some(11));
    left.set(2);
    right.set(20);
    assert_eq!(watcher.recv().await, Some(22));
    assert!(told(&mut watcher).is_pending(), "both changes were told at once");
    drop(left);
    assert!(told(&mut watcher).is_pending());
    right.set(30);
    drop(right);
    assert_eq!((watcher.recv().await, watcher.recv().await), (Some(32), None));
}

#[ballet::test]
async fn states_of_the_same_root_are_never_told_as_a_mixture() {
    let (cell, state) = StateFlow::new(3);
    let (next, square) = (state.clone().map(|value| value + 1), state.map(|value| value * value));
    let pair = next.combine(square, |next, square| (*next, *square));
    let mut watcher = pair.watch();
    for value in [3, 4, 5] {
        cell.set(value);
        assert_eq!(watcher.recv().await, Some((value + 1, value * value)));
        assert!(told(&mut watcher).is_pending());
    }
}

#[ballet::test]
async fn a_cell_learns_who_watches_it_or_what_is_derived_from_it() -> Result<(), Error> {
    let (cell, state) = StateFlow::new(1);
    let derived = state.clone().map(|value| value + 1).combine(state, |a, b| a + b);
    cell.wait_unwatched().await;
    let watcher = derived.watch();
    cell.wait_watched().await;
    ballet::scope(async |s: Scope| {
        let unwatched = s.spawn(async move {
            cell.wait_unwatched().await;
            Ok(())
        });
        tokio::time::sleep(MS).await;
        assert_eq!(unwatched.job().state(), State::Running);
        drop(watcher);
        unwatched.await;
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_on_two_threads_lose_none() -> Result<(), Error> {
    let (cell, state) = StateFlow::new(0);
    ballet::scope(async |s: Scope| {
        for _ in 0..4 {
            let cell = cell.clone();
            s.spawn(async move {
                for _ in 0..1_000 {
                    cell.update(|count| count + 1);
                    ballet::yield_now().await;
                }
                Ok(())
            });
        }
        state.wait_for(|count| *count == 4_000).await?;
        Ok(())
    })
    .await?;
    Ok(())
}

/// A value that writes to its own state when it is dropped.
struct Writes {
    value: u32,
    to: Option<ballet::flow::StateCell<Writes>>,
}

impl PartialEq for Writes {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Drop for Writes {
    fn drop(&mut self) {
        if let Some(cell) = self.to.take() {
            cell.set(Writes { value: self.value + 10, to: None });
        }
    }
}

#[test]
fn a_value_that_is_refused_may_write_to_the_state_as_it_is_dropped() {
    let (cell, _state) = StateFlow::new(Writes { value: 1, to: None });
    let writes = |value| Writes { value, to: Some(cell.clone()) };
    let now = || {
        let mut now = 0;
        cell.update(|held| {
            now = held.value;
            Writes { value: now, to: None }
        });
        now
    };
    cell.set(writes(1));
    assert_eq!(now(), 11);
    assert!(!cell.compare_and_set(&Writes { value: 1, to: None }, writes(2)));
    assert_eq!(now(), 12);
    cell.set(writes(3));
    cell.set(Writes { value: 4, to: None });
    assert_eq!(now(), 13);
}
