//! The shared flow: who is told what, who waits for whom, and how it ends.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ballet::flow::{SharedEmitter, SharedError, Subscriber};
use ballet::observe::State;
use ballet::{Error, Scope, SharedFlow, Sharing, SupervisorScope};

const MS: Duration = Duration::from_millis(1);

/// Polls once, and remembers nothing.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Receives until there is nothing to receive at the moment.
fn drain<T: Clone>(subscriber: &mut Subscriber<T>) -> Vec<T> {
    std::iter::from_fn(|| subscriber.try_recv()).collect()
}

fn emit_all<T, E>(emitter: &SharedEmitter<T, E>, items: impl IntoIterator<Item = T>) {
    items.into_iter().for_each(|item| emitter.try_emit(item).expect("there is room"));
}

#[ballet::test]
async fn every_subscriber_receives_every_item_in_order() -> Result<(), Error> {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(4));
    let heard = ballet::scope(async |s: Scope| {
        let listeners = [(); 8].map(|()| {
            let mut subscriber = flow.subscribe();
            s.spawn(async move {
                let mut heard = Vec::new();
                while let Some(item) = subscriber.recv().await {
                    heard.push(item);
                }
                Ok(heard)
            })
        });
        s.spawn(async move {
            for item in 0..1_000 {
                emitter.emit(item).await?;
            }
            Ok(())
        });
        Ok(futures_util::future::join_all(listeners).await)
    })
    .await?;
    assert!(heard.iter().all(|heard| heard.iter().copied().eq(0..1_000)));
    Ok(())
}

#[ballet::test]
async fn c59_a_cancelled_sleeper_lets_the_emitter_go_on_and_without_subscribers_none_waits()
-> Result<(), Error> {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(2).replay(1));
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let sleeper = flow.subscribe();
        let sleeper = s.spawn(async move {
            let _sleeps = sleeper;
            std::future::pending::<Result<(), Error>>().await
        });
        emitter.emit(1).await?;
        emitter.emit(2).await?;
        let blocked = emitter.clone();
        let emission = s.spawn(async move { Ok(blocked.emit(3).await?) });
        tokio::time::sleep(MS).await;
        assert_eq!(emission.job().state(), State::Running, "the buffer is full");
        sleeper.job().cancel();
        emission.await?;
        for item in 4..100 {
            emitter.emit(item).await?;
        }
        Ok(())
    })
    .await?;
    assert_eq!(flow.replayed(), [99]);
    assert_eq!(drain(&mut flow.subscribe()), [99]);
    Ok(())
}

#[test]
fn a_new_subscriber_receives_the_replay_then_what_comes() {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(8).replay(2));
    emit_all(&emitter, 1..=5);
    let mut subscriber = flow.subscribe();
    emit_all(&emitter, 6..=7);
    assert_eq!(drain(&mut subscriber), [4, 5, 6, 7]);
    assert_eq!(subscriber.missed(), 0, "it had not subscribed to what came before");
}

#[test]
fn a_full_flow_refuses_to_try_and_gives_the_item_back() {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(2));
    let mut subscriber = flow.subscribe();
    emit_all(&emitter, ["a", "b"]);
    let refused = emitter.try_emit("c").unwrap_err();
    assert!(refused.is_full() && !refused.is_ended());
    assert_eq!(refused.into_item(), "c");
    assert_eq!(subscriber.try_recv(), Some("a"));
    emit_all(&emitter, ["c"]);
    assert_eq!(drain(&mut subscriber), ["b", "c"]);
}

#[test]
fn dropping_the_oldest_counts_what_each_subscriber_missed() {
    let (emitter, flow) = SharedFlow::new(Sharing::drop_oldest(3));
    let (mut slow, mut quick) = (flow.subscribe(), flow.subscribe());
    let mut heard = Vec::new();
    for item in 0..10 {
        emit_all(&emitter, [item]);
        heard.extend(quick.try_recv());
    }
    assert_eq!((heard, quick.missed()), ((0..10).collect(), 0));
    assert_eq!((slow.missed(), slow.behind()), (0, 3), "what is not received is not counted yet");
    assert_eq!((slow.try_recv(), slow.missed()), (Some(7), 7));
    assert_eq!((drain(&mut slow), slow.missed()), (vec![8, 9], 7));
}

#[ballet::test]
async fn dropping_the_latest_counts_what_everybody_missed() -> Result<(), Error> {
    let (emitter, flow) = SharedFlow::new(Sharing::drop_latest(2));
    let (mut slow, mut quick) = (flow.subscribe(), flow.subscribe());
    emit_all(&emitter, 0..2);
    assert_eq!(drain(&mut quick), [0, 1]);
    emit_all(&emitter, 2..5);
    assert_eq!(slow.try_recv(), Some(0));
    emit_all(&emitter, 5..7);
    assert_eq!((drain(&mut quick), quick.missed()), (vec![5], 3));
    emitter.complete();
    assert_eq!((slow.recv().await, slow.recv().await, slow.missed()), (Some(1), Some(5), 3));
    assert_eq!((slow.recv().await, slow.missed()), (None, 4), "6 was dropped after the last");
    Ok(())
}

#[ballet::test]
async fn the_end_comes_after_what_is_buffered_and_stays() -> Result<(), Error> {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(4).replay(1));
    let mut subscriber = flow.subscribe();
    emit_all(&emitter, 1..=3);
    emitter.complete();
    emitter.complete();
    for expected in [Some(1), Some(2), Some(3), None, None] {
        assert_eq!(subscriber.recv().await, expected);
    }
    let mut late = flow.subscribe();
    assert_eq!((late.recv().await, late.recv().await), (Some(3), None));
    assert!(emitter.emit(4).await.unwrap_err().is_ended());
    assert_eq!(emitter.try_emit(5).unwrap_err().into_item(), 5);
    Ok(())
}

#[ballet::test]
async fn a_failure_reaches_every_subscriber_and_is_one_value() {
    let (emitter, flow) = SharedFlow::<u8>::fallible::<SharedError<String>>(Sharing::suspend(4));
    let mut subscribers = [flow.subscribe(), flow.subscribe()];
    emit_all(&emitter, [1]);
    emitter.fail(String::from("torn"));
    let mut errors = Vec::new();
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.recv().await.unwrap(), Some(1));
        errors.push(subscriber.recv().await.unwrap_err());
    }
    assert_eq!(errors[0].to_string(), "torn");
    assert!(std::ptr::eq(&*errors[0], &*errors[1]));
    assert!(flow.is_ended());
}

#[ballet::test]
async fn the_last_emitter_that_is_dropped_completes_the_flow() -> Result<(), Error> {
    let (emitter, flow) = SharedFlow::<u8>::new(Sharing::suspend(1));
    let mut subscriber = flow.subscribe();
    let second = emitter.clone();
    drop(emitter);
    let mut waits = pin!(subscriber.recv());
    assert!(poll_once(waits.as_mut()).is_pending());
    drop(second);
    assert_eq!(waits.await, None);
    Ok(())
}

#[ballet::test]
async fn an_end_refuses_emitters_that_wait() {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(1));
    let mut subscriber = flow.subscribe();
    emit_all(&emitter, [1]);
    let mut waits = Box::pin(emitter.emit(2));
    assert!(poll_once(waits.as_mut()).is_pending());
    emitter.complete();
    let refused = waits.await.unwrap_err();
    assert!(refused.is_ended());
    assert_eq!((refused.into_item(), drain(&mut subscriber)), (2, vec![1]));
}

#[test]
fn emitters_are_served_in_the_order_in_which_they_came_and_one_that_left_emits_nothing() {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(1));
    let mut subscriber = flow.subscribe();
    emit_all(&emitter, [0]);
    let mut line: Vec<_> = (1..=3).map(|item| Box::pin(emitter.emit(item))).collect();
    line.iter_mut().for_each(|emission| assert!(poll_once(emission.as_mut()).is_pending()));
    assert_eq!(subscriber.try_recv(), Some(0));
    assert!(emitter.try_emit(4).unwrap_err().is_full(), "nobody overtakes those who wait");
    assert!(poll_once(line[1].as_mut()).is_pending(), "the first goes first");
    drop(line.remove(0));
    assert!(poll_once(line[0].as_mut()).is_ready());
    assert_eq!(drain(&mut subscriber), [2]);
    assert!(poll_once(line[1].as_mut()).is_ready());
    assert_eq!(drain(&mut subscriber), [3]);
}

#[ballet::test]
async fn dropped_receipts_lose_nothing() -> Result<(), Error> {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(2));
    let mut subscriber = flow.subscribe();
    assert!(poll_once(Box::pin(subscriber.recv()).as_mut()).is_pending());
    emit_all(&emitter, [1]);
    drop(subscriber.recv());
    assert_eq!(subscriber.recv().await, Some(1));
    Ok(())
}

#[test]
fn a_forgotten_replay_is_told_to_nobody_new_and_kept_for_the_slow() {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(4).replay(2));
    let mut slow = flow.subscribe();
    emit_all(&emitter, 1..=2);
    emitter.forget_replay();
    assert!(flow.replayed().is_empty());
    let mut new = flow.subscribe();
    emit_all(&emitter, [3]);
    assert_eq!((drain(&mut slow), drain(&mut new)), (vec![1, 2, 3], vec![3]));
    assert_eq!(flow.replayed(), [3]);
}

#[ballet::test]
async fn an_emitter_learns_who_listens() -> Result<(), Error> {
    let (emitter, flow) = SharedFlow::<u8>::new(Sharing::suspend(1));
    emitter.wait_unsubscribed().await;
    ballet::scope(async |s: Scope| {
        let learns = emitter.clone();
        let learnt = s.spawn(async move {
            learns.wait_subscribed().await;
            learns.wait_unsubscribed().await;
            Ok(())
        });
        tokio::time::sleep(MS).await;
        let (first, second) = (flow.subscribe(), flow.subscribe());
        tokio::time::sleep(MS).await;
        drop(first);
        tokio::time::sleep(MS).await;
        assert_eq!((flow.subscribers(), learnt.job().state()), (1, State::Running));
        drop(second);
        learnt.await;
        Ok(())
    })
    .await?;
    Ok(())
}

/// An item that counts how many of it there are, and how often it was cloned.
#[derive(Debug)]
struct Counted(Arc<[AtomicUsize; 2]>);

impl Counted {
    fn new(counts: &Arc<[AtomicUsize; 2]>) -> Self {
        counts[0].fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(counts))
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0[1].fetch_add(1, Ordering::SeqCst);
        Self::new(&self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0[0].fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn an_item_is_kept_as_long_as_somebody_needs_it_and_the_last_gets_it_uncloned() {
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let alive = || counts[0].load(Ordering::SeqCst);
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(4));
    emit_all(&emitter, [Counted::new(&counts)]);
    assert_eq!(alive(), 0, "nobody listens");
    let mut subscribers = [(); 3].map(|()| flow.subscribe());
    emit_all(&emitter, [Counted::new(&counts), Counted::new(&counts)]);
    for subscriber in &mut subscribers {
        drop(drain(subscriber));
    }
    assert_eq!((alive(), counts[1].load(Ordering::SeqCst)), (0, 4));
    emit_all(&emitter, [Counted::new(&counts)]);
    drop(subscribers);
    assert_eq!(alive(), 0, "nobody listens any more");
}

#[test]
#[should_panic(expected = "could never tell anything")]
fn a_flow_without_room_for_an_item_is_refused() {
    let _ = SharedFlow::<u8>::new(Sharing::suspend(0));
}

#[ballet::test]
async fn many_are_received_at_once_and_let_an_emitter_go_on() -> Result<(), Error> {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(3));
    let mut subscriber = flow.subscribe();
    let mut heard = Vec::new();
    assert!(poll_once(Box::pin(subscriber.recv_many(&mut heard, 2)).as_mut()).is_pending());
    emit_all(&emitter, 1..=3);
    let mut waits = Box::pin(emitter.emit(4));
    assert!(poll_once(waits.as_mut()).is_pending());
    assert_eq!(subscriber.recv_many(&mut heard, 2).await, 2);
    waits.await?;
    assert_eq!(subscriber.recv_many(&mut heard, usize::MAX).await, 2);
    emitter.complete();
    assert_eq!(subscriber.recv_many(&mut heard, 1).await, 0);
    assert_eq!(heard, [1, 2, 3, 4]);
    Ok(())
}

#[test]
fn a_vast_buffer_takes_the_memory_of_what_is_in_it() {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(usize::MAX));
    let mut subscriber = flow.subscribe();
    emit_all(&emitter, 0..1_000);
    assert_eq!(subscriber.behind(), 1_000);
    assert!(drain(&mut subscriber).into_iter().eq(0..1_000));
}

/// An emitter that never waits, and subscribers of which some are pushed on while they receive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_threads_each_item_is_received_or_missed() -> Result<(), Error> {
    const ITEMS: u64 = 50_000;
    for sharing in [Sharing::drop_oldest(1), Sharing::drop_oldest(100).replay(10), Sharing::drop_latest(20)] {
        let (emitter, flow) = SharedFlow::new(sharing);
        ballet::scope(async |s: Scope| {
            for _ in 0..4 {
                let mut subscriber = flow.subscribe();
                s.spawn(async move {
                    let (mut received, mut next) = (0, 0);
                    while let Some(item) = subscriber.recv().await {
                        assert!(item >= next, "{item} after {next}");
                        (received, next) = (received + 1, item + 1);
                        assert_eq!(received + subscriber.missed(), next);
                    }
                    assert_eq!(received + subscriber.missed(), ITEMS);
                    Ok(())
                });
            }
            s.spawn(async move {
                for item in 0..ITEMS {
                    emitter.emit(item).await?;
                }
                Ok(())
            });
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Several emitters and subscribers on two threads; some of both leave in the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_threads_nothing_is_lost_doubled_or_reordered() -> Result<(), Error> {
    const EMITTERS: u32 = 3;
    const ITEMS: u32 = 2_000;
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(3));
    let heard = ballet::scope(async |s: Scope| {
        let listeners = [(); 4].map(|()| {
            let mut subscriber = flow.subscribe();
            s.spawn(async move {
                let mut heard = vec![Vec::new(); EMITTERS as usize];
                while let Some((from, item)) = subscriber.recv().await {
                    heard[from as usize].push(item);
                }
                assert_eq!(subscriber.missed(), 0);
                Ok(heard)
            })
        });
        for visit in 0..20 {
            let mut visitor = flow.subscribe();
            s.spawn(async move {
                for _ in 0..visit {
                    visitor.recv().await;
                }
                Ok(())
            });
        }
        for from in 0..EMITTERS {
            let emitter = emitter.clone();
            s.spawn(async move {
                for item in 0..ITEMS {
                    // An emission that is dropped while it waits has not been.
                    let mut emission = Box::pin(emitter.emit((from, item)));
                    if item % 3 == 0 && poll_once(emission.as_mut()).is_pending() {
                        drop(emission);
                        emission = Box::pin(emitter.emit((from, item)));
                    } else if item % 3 == 0 {
                        continue;
                    }
                    emission.await?;
                }
                Ok(())
            });
        }
        drop(emitter);
        Ok(futures_util::future::join_all(listeners).await)
    })
    .await?;
    for listener in heard {
        assert!(listener.iter().all(|items| items.iter().copied().eq(0..ITEMS)));
    }
    Ok(())
}
