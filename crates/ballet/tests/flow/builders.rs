//! Where flows begin: code, channels, callbacks, streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ballet::channel::{self, Sender};
use ballet::flow::{Emitter, Never};
use ballet::{Error, Flow, FlowExt, LocalScope, Scope, flow};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, future};

use crate::support::{Guard, Living, MS, one_by_one, timed};

#[ballet::test]
async fn an_emit_that_loses_a_select_has_not_emitted() {
    let code = flow(async |out| {
        tokio::select! {
            biased;
            () = out.emit(1) => unreachable!("it is polled once, and then the other arm is ready"),
            () = future::ready(()) => {}
        }
        out.emit(2).await;
        drop(out.emit(3));
        out.emit(4).await;
    });
    assert_eq!(one_by_one(code).await, [2, 4]);
}

#[ballet::test]
async fn an_emit_that_is_leaked_loses_its_item_at_most() {
    let code = flow(async |out| {
        let mut leaked = Box::pin(out.emit(String::from("leaked")));
        assert!(future::poll_immediate(leaked.as_mut()).await.is_none());
        std::mem::forget(leaked);
        out.emit(String::from("kept")).await;
        let mut leaked = Box::pin(out.emit(String::from("leaked at the end")));
        assert!(future::poll_immediate(leaked.as_mut()).await.is_none());
        std::mem::forget(leaked);
    });
    let seen = one_by_one(code).await;
    assert!(seen.contains(&"kept".to_owned()), "{seen:?}");
    assert!(seen.len() <= 2);
}

#[ballet::test]
async fn code_may_emit_from_inside_other_executors() -> Result<(), Error> {
    // Each of these polls what is in it only when that was woken by its own waker.
    let code = flow(async |out| {
        let both: FuturesUnordered<_> = [emit_three(out)].into_iter().collect();
        both.collect::<Vec<()>>().await;
        let in_scope = ballet::local_scope(async move |s: LocalScope<'_>| {
            s.spawn(async move {
                emit_three(out).await;
                Ok(())
            });
            Ok(())
        });
        in_scope.await.expect("nothing fails in it");
    });
    assert_eq!(one_by_one(code.take(6)).await, [0, 1, 2, 0, 1, 2]);
    Ok(())
}

async fn emit_three(out: &mut Emitter<'_, u32>) {
    for n in 0..3 {
        out.emit(n).await;
        tokio::task::yield_now().await;
    }
}

#[ballet::test]
async fn a_flow_that_has_ended_ends_again() {
    let mut code = std::pin::pin!(flow(async |out| out.emit(1).await));
    assert_eq!(code.next().await, Some(1));
    assert_eq!(code.next().await, None);
    assert_eq!(code.next().await, None);
}

#[ballet::test]
#[should_panic(expected = "a clone of one that had begun")]
async fn a_clone_of_a_flow_that_has_begun_is_refused() {
    let mut code = std::pin::pin!(flow(async |out| {
        out.emit(1).await;
        out.emit(2).await;
    }));
    assert_eq!(code.next().await, Some(1));
    let _ = code.as_ref().get_ref().clone().first().await;
}

#[ballet::test]
async fn code_is_dropped_with_the_flow_wherever_it_rests() {
    let living = Living::default();
    for taken in 0..=4 {
        let guard = living.guard();
        let code = flow(async |out| {
            let _guard = guard;
            for n in 0..4 {
                out.emit(n).await;
            }
        });
        assert_eq!(code.take(taken).count().await, taken);
        assert_eq!(living.count(), 0);
    }
}

#[ballet::test]
async fn a_channel_is_a_flow_until_it_is_closed() -> Result<(), Error> {
    let (tx, rx) = channel::bounded(2);
    let seen = ballet::scope(async |s: Scope| {
        s.spawn(async move {
            for n in 1..=5 {
                tx.send(n).await?;
            }
            tx.close_with(Error::msg("the line is cut"));
            Ok(())
        });
        let mut seen = Vec::new();
        let cause = flow::channel(rx).tap(|n| seen.push(*n)).drain().await.unwrap_err();
        assert!(cause.to_string().contains("the line is cut"), "{cause}");
        Ok(seen)
    });
    assert_eq!(seen.await?, [1, 2, 3, 4, 5]);
    Ok(())
}

#[ballet::test]
async fn many_children_emit_into_a_channel_flow_and_end_with_it() -> Result<(), Error> {
    let living = Living::default();
    let counted = living.clone();
    let numbers = flow::channel_flow(4, async move |s: Scope, tx: Sender<u32>| {
        for start in [0, 100] {
            let (tx, guard) = (tx.clone(), counted.guard());
            s.spawn(async move {
                let _guard: Guard = guard;
                for n in start.. {
                    tx.send(n).await?;
                    tokio::time::sleep(MS).await;
                }
                Ok(())
            });
        }
        Ok(())
    });
    let mut seen = numbers.clone().take(6).collect::<Vec<_>>().await?;
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 100, 101, 102]);
    tokio::task::yield_now().await;
    tokio::time::sleep(MS).await;
    assert_eq!(living.count(), 0, "the children ended with the flow");
    assert_eq!(numbers.take(1).count().await?, 1, "a channel flow is cold as well");
    Ok(())
}

#[ballet::test]
async fn a_callback_is_taken_away_when_the_flow_ends() -> Result<(), Error> {
    /// A library that calls back.
    #[derive(Clone, Default)]
    struct Sensor(Arc<std::sync::Mutex<Option<Callback>>>);
    type Callback = Box<dyn Fn(u32) -> bool + Send>;

    impl Sensor {
        fn register(&self, callback: Callback) -> Registered {
            *self.0.lock().unwrap() = Some(callback);
            Registered(self.clone())
        }

        fn measure(&self, value: u32) -> Option<bool> {
            self.0.lock().unwrap().as_ref().map(|callback| callback(value))
        }
    }
    struct Registered(Sensor);
    impl Drop for Registered {
        fn drop(&mut self) {
            self.0.0.lock().unwrap().take();
        }
    }

    let sensor = Sensor::default();
    let registering = sensor.clone();
    let values = flow::callback(2, move |tx: Sender<u32>| {
        registering.register(Box::new(move |value| tx.try_send(value).is_ok()))
    });
    assert_eq!(sensor.measure(1), None, "nobody is registered before the flow begins");
    ballet::scope(async |s: Scope| {
        let collector = s.spawn(async move { Ok(values.take(2).collect::<Vec<_>>().await?) });
        tokio::task::yield_now().await;
        assert_eq!(sensor.measure(1), Some(true));
        assert_eq!(sensor.measure(2), Some(true));
        assert_eq!(sensor.measure(3), Some(false), "there are two places");
        assert_eq!(collector.await, [1, 2]);
        assert_eq!(sensor.measure(4), None, "taken away with the flow");
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn produce_in_stops_when_nobody_receives() -> Result<(), Error> {
    let emitted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&emitted);
    ballet::scope(async |s: Scope| {
        let numbers = flow::iter(0..).tap(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let rx = numbers.produce_in(&s, 2);
        assert_eq!(rx.recv().await?, Some(0));
        assert_eq!(rx.recv().await?, Some(1));
        Ok(())
    })
    .await?; // the child ended, or the scope would wait for ever
    assert!(emitted.load(Ordering::Relaxed) <= 6, "{emitted:?}");
    Ok(())
}

#[ballet::test]
async fn launch_in_is_a_child_whose_failure_is_its_scope_s() {
    let failure = ballet::scope(async |s: Scope<&'static str>| {
        timed(vec![(1, 1)]).map(|_| Err::<u32, _>("torn")).or_fail().launch_in(&s);
        std::future::pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert_eq!(failure.error(), Some(&"torn"));
    assert!(failure.place().file().ends_with("builders.rs"), "the line of the launch is the place of birth");
}

#[ballet::test]
async fn a_stream_of_a_fallible_flow_ends_with_its_error() {
    let stream = flow::iter([Ok(1), Err("torn"), Ok(2)]).or_fail().into_stream();
    assert_eq!(stream.collect::<Vec<_>>().await, [Ok(1), Err("torn")]);
}

#[ballet::test]
async fn flows_run_on_any_executor_where_they_need_no_clock_and_no_child() {
    fn numbers() -> impl Flow<Item = u32, Error = Never> {
        flow::iter(0..10_000).filter(|n| n % 1_000 == 0).then(async |n| n)
    }
    let thread = std::thread::spawn(|| future::FutureExt::now_or_never(numbers().count()));
    assert_eq!(thread.join().unwrap(), Some(10));
}

#[ballet::test]
async fn produce_in_ends_a_flow_that_waits_when_nobody_receives() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let waiting = flow(async |out| {
            out.emit(1).await;
            std::future::pending::<()>().await;
        });
        assert_eq!(waiting.produce_in(&s, 2).recv().await?, Some(1));
        Ok(())
    })
    .await?; // the child ended, or the scope would wait for ever
    Ok(())
}

#[ballet::test]
async fn who_receives_what_a_flow_produces_is_told_of_its_failure() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: ballet::SupervisorScope| {
        s.on_failure(|_| {});
        let torn = flow::iter([Ok(1), Err(Error::msg("torn"))]).or_fail();
        let rx = torn.produce_in(&s, 2);
        assert_eq!(rx.recv().await?, Some(1));
        let cause = rx.recv().await.unwrap_err().to_string();
        assert!(cause.ends_with("failed: torn"), "{cause}");
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_channel_flow_ends_with_its_scope_though_somebody_else_has_a_sender() {
    let elsewhere: Arc<std::sync::Mutex<Vec<Sender<u32>>>> = Arc::default();
    let kept = Arc::clone(&elsewhere);
    let numbers = flow::channel_flow(4, async move |_: Scope, tx: Sender<u32>| {
        kept.lock().unwrap().push(tx.clone());
        tx.send(1).await?;
        tx.send(2).await?;
        Ok(())
    });
    assert_eq!(numbers.collect::<Vec<_>>().await.unwrap(), [1, 2]);
    let kept = Arc::clone(&elsewhere);
    let torn = flow::channel_flow(4, async move |_: Scope, tx: Sender<u32>| {
        kept.lock().unwrap().push(tx);
        Err::<(), _>(Error::msg("torn"))
    });
    assert_eq!(torn.drain().await.unwrap_err().error().unwrap().to_string(), "torn");
    assert!(elsewhere.lock().unwrap().iter().all(Sender::is_closed));
}

#[ballet::test]
async fn a_panic_in_a_channel_flow_comes_after_what_was_sent() {
    let seen = AtomicUsize::new(0);
    let panics = flow::channel_flow(4, async |_: Scope, tx: Sender<usize>| {
        tx.send(7).await?;
        if tx.stats().sent == 1 {
            panic!("on purpose");
        }
        Ok::<_, Error>(())
    });
    let drained = std::panic::AssertUnwindSafe(panics.tap(|n| seen.store(*n, Ordering::Relaxed)).drain());
    assert!(futures_util::FutureExt::catch_unwind(drained).await.is_err());
    assert_eq!(seen.load(Ordering::Relaxed), 7);
}

#[ballet::test]
async fn a_flow_that_broke_off_by_a_panic_does_not_pass_for_one_that_has_ended() {
    let mut numbers = std::pin::pin!(flow::iter(0..9).tap(|n| assert_ne!(*n, 1, "on purpose")));
    assert_eq!(numbers.next().await, Some(0));
    for _ in 0..2 {
        let next = std::panic::AssertUnwindSafe(numbers.next());
        assert!(futures_util::FutureExt::catch_unwind(next).await.is_err());
    }
}

#[test]
fn a_channel_flow_ends_though_a_stranger_sends_without_end() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let (give, given) = tokio::sync::oneshot::channel();
        let give = std::sync::Mutex::new(Some(give));
        let numbers = flow::channel_flow(64, async move |_: Scope, tx: Sender<u32>| {
            drop(give.lock().unwrap().take().unwrap().send(tx));
            Ok::<_, Error>(())
        });
        let ended = ballet::scope(async |s: Scope| {
            s.spawn(async move {
                let stranger = given.await.unwrap();
                for n in 0.. {
                    if stranger.send(n).await.is_err() {
                        break;
                    }
                }
                Ok(())
            });
            Ok(ballet::timeout(std::time::Duration::from_secs(10), numbers.count()).await?)
        });
        assert!(ended.await.unwrap().is_ok());
    });
}
