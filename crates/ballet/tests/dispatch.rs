//! Where children run: on lanes that help each other, on limited views of them, or as Tokio tasks.

use std::collections::HashSet;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use ballet::observe::State;
use ballet::{Dispatcher, Error, Scope, SupervisorScope};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

/// Longer than any delay that the lanes may cause on a machine under load, and short enough to wait for.
const PATIENCE: Duration = Duration::from_secs(5);

fn two_workers() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// Keeps the worker busy until `done` says so, and says whether it did in time.
fn hog(done: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > PATIENCE {
            return false;
        }
        std::hint::spin_loop();
    }
    true
}

/// Is always ready for another poll.
async fn never_still() -> Result<(), Error> {
    loop {
        yield_now().await;
    }
}

#[test]
fn a_child_queued_behind_a_long_poll_moves_to_an_idle_worker() {
    let delay = two_workers().unwrap().block_on(ballet::scope(async |s: Scope| {
        let handle = s.clone();
        let hog = s.named("hog").spawn(async move {
            let ran = Arc::new(AtomicBool::new(false));
            let told = Arc::clone(&ran);
            let start = Instant::now();
            handle.named("victim").spawn(async move {
                told.store(true, Ordering::Release);
                Ok(())
            });
            Ok((hog(|| ran.load(Ordering::Acquire)), start.elapsed()))
        });
        let (ran, delay) = hog.await;
        assert!(ran, "the child waited for the whole of its sibling's poll");
        Ok(delay)
    }));
    // Two periods of the watch, and room for a machine whose other cores are taken.
    assert!(delay.unwrap() < Duration::from_millis(500));
}

#[test]
fn children_that_work_spread_over_all_workers() {
    let threads = two_workers().unwrap().block_on(ballet::scope(async |s: Scope| {
        let threads: Arc<Mutex<HashSet<ThreadId>>> = Arc::default();
        let inner = s.clone();
        let seen = Arc::clone(&threads);
        s.spawn(async move {
            for _ in 0..2_000 {
                let seen = Arc::clone(&seen);
                inner.spawn(async move {
                    let end = Instant::now() + Duration::from_micros(10);
                    hog(|| Instant::now() > end);
                    seen.lock().unwrap().insert(thread::current().id());
                    Ok(())
                });
            }
            Ok(())
        })
        .await;
        Ok(threads)
    }));
    assert_eq!(threads.unwrap().lock().unwrap().len(), 2);
}

/// Not every wave does, for a worker that sleeps takes half as long to wake as a wave takes.
#[test]
fn small_waves_that_a_job_awaits_spread_over_all_workers() {
    let spread = two_workers().unwrap().block_on(ballet::scope(async |s: Scope| {
        let job = s.spawn(async {
            let start = Instant::now();
            while start.elapsed() < 4 * PATIENCE {
                let mut spread = 0;
                for _ in 0..200 {
                    spread += usize::from(threads_of_a_wave().await?.len() == 2);
                }
                // On a machine that does nothing else it is most of them; by chance one of some hundreds.
                if spread >= 10 {
                    return Ok(true);
                }
            }
            Ok(false)
        });
        Ok(job.await)
    }));
    assert!(spread.unwrap(), "in every wave the children ran on the thread of their siblings");
}

/// Where sixteen children of ten microseconds ran.
async fn threads_of_a_wave() -> Result<HashSet<ThreadId>, ballet::Failure> {
    ballet::scope(async |s: Scope| {
        let work = async || {
            let end = Instant::now() + Duration::from_micros(10);
            hog(|| Instant::now() > end);
            Ok(thread::current().id())
        };
        let children: Vec<_> = (0..16).map(|_| s.spawn(work())).collect();
        let mut threads = HashSet::new();
        for child in children {
            threads.insert(child.await);
        }
        Ok(threads)
    })
    .await
}

#[test]
fn tokio_and_its_timers_have_their_turn_beside_busy_children() {
    two_workers()
        .unwrap()
        .block_on(ballet::scope(async |s: Scope| {
            // Both lanes always have work.
            for _ in 0..4 {
                s.named("busy").spawn(never_still());
            }
            for _ in 0..10 {
                tokio::time::timeout(PATIENCE, tokio::time::sleep(Duration::from_millis(1))).await?;
            }
            s.cancel_children();
            Ok(())
        }))
        .unwrap();
}

#[ballet::test]
async fn a_busy_sibling_starves_nobody_on_one_thread() {
    ballet::scope(async |s: Scope| {
        s.named("busy").spawn(never_still());
        for _ in 0..100 {
            let modest = s.spawn(async {
                yield_now().await;
                Ok(())
            });
            modest.await;
        }
        s.cancel_children();
        Ok(())
    })
    .await
    .unwrap();
}

#[ballet::test]
async fn c53_a_view_whose_jobs_never_wait_leaves_room_for_another() {
    let (one, two) = (Dispatcher::limited(1, "one"), Dispatcher::limited(1, "two"));
    ballet::scope(async |s: Scope| {
        s.named("busy").on(&one).spawn(never_still());
        assert_eq!(s.named("modest").on(&two).spawn(async { Ok(7) }).await, 7);
        s.cancel_children();
        Ok(())
    })
    .await
    .unwrap();
}

#[ballet::test]
async fn a_job_that_fails_or_panics_loses_no_place_of_its_view() {
    let view = Dispatcher::limited(1, "view");
    ballet::supervisor_scope(async |s: SupervisorScope| {
        s.on_failure(|_| {});
        for round in 0..10 {
            let fails = s.named("fails").on(&view).spawn::<(), _>(async { Err(Error::msg("no")) });
            let panics = s.named("panics").on(&view).spawn::<(), _>(async { panic!("no") });
            let cancelled = s.named("cancelled").on(&view).spawn(pending::<Result<(), _>>());
            cancelled.job().cancel();
            assert!(fails.await.is_err() && panics.await.is_err() && cancelled.await.is_err());
            assert_eq!(s.named("next").on(&view).spawn(async move { Ok(round) }).await.unwrap(), round);
        }
        Ok(())
    })
    .await
    .unwrap();
}

#[test]
fn a_view_never_runs_more_than_its_limit_at_the_same_time() {
    for limit in [1, 2] {
        let most = two_workers().unwrap().block_on(ballet::scope(async |s: Scope| {
            let view = Dispatcher::limited(limit, "view");
            let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            for _ in 0..200 {
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                s.named("worker").on(&view).spawn(async move {
                    for _ in 0..5 {
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        let end = Instant::now() + Duration::from_micros(20);
                        hog(|| Instant::now() > end);
                        running.fetch_sub(1, Ordering::SeqCst);
                        yield_now().await;
                    }
                    Ok(())
                });
            }
            Ok(most)
        }));
        assert!((1..=limit).contains(&most.unwrap().load(Ordering::SeqCst)));
    }
}

#[ballet::test]
async fn a_child_on_tokio_keeps_every_promise_of_a_guest() {
    let tokio = Dispatcher::tokio();
    ballet::supervisor_scope(async |s: SupervisorScope| {
        assert_eq!(s.named("value").on(&tokio).spawn(async { Ok(1) }).await.unwrap(), 1);
        let failed = s.named("fails").on(&tokio).spawn::<(), _>(async { Err(Error::msg("no")) }).await;
        assert!(failed.unwrap_err().to_string().ends_with("fails: no"));
        let panicked = s.named("panics").on(&tokio).spawn::<(), _>(async { panic!("slipped") }).await;
        assert!(panicked.unwrap_err().is_panic());
        let waits = s.named("waits").on(&tokio).spawn(pending::<Result<(), _>>());
        let job = waits.job().clone();
        yield_now().await;
        job.cancel();
        assert!(waits.await.unwrap_err().is_cancelled());
        assert_eq!(job.state(), State::Cancelled);
        Ok(())
    })
    .await
    .unwrap();
}

#[test]
fn several_runtimes_in_one_process_keep_to_themselves() {
    let (one, two) = (two_workers().unwrap(), two_workers().unwrap());
    let (sender, receiver) = tokio::sync::oneshot::channel::<ThreadId>();
    thread::scope(|threads| {
        let first = threads.spawn(|| {
            one.block_on(ballet::scope(async |s: Scope| {
                let woken = s.named("woken from the other runtime");
                Ok(woken.spawn(async move { Ok((receiver.await?, thread::current().id())) }).await)
            }))
        });
        let second = threads.spawn(|| {
            two.block_on(ballet::scope(async |s: Scope| {
                let sent = s.spawn(async move { Ok(sender.send(thread::current().id()).is_ok()) });
                assert!(sent.await, "nobody was there to receive");
                Ok(())
            }))
        });
        let (sent_on, woken_on) = first.join().unwrap().unwrap();
        assert_ne!(sent_on, woken_on);
        second.join().unwrap().unwrap();
    });
}
