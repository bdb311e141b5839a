//! The core at its edges: panics in the library's hands, runtimes and threads that end, chains of destructors.

use std::cell::RefCell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ballet::observe::State;
use ballet::{Error, Job, LocalScope, Scope, SupervisorScope};
use futures_util::poll;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tracing_subscriber::layer::SubscriberExt;

/// Longer than any step takes on a machine under load, and short enough to wait for.
const PATIENCE: Duration = Duration::from_secs(20);
/// More nested destructors than any thread's stack has room for.
const CHAIN: usize = 100_000;

fn two_workers() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// Runs `step` on a thread of its own; `None` where it has not ended in time.
fn in_time<R: Send + 'static>(step: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || done.send(step()));
    ended.recv_timeout(PATIENCE).ok()
}

/// Runs the test `name` of this file in a process of its own, which may die of it; returns whether it passed.
/// `None` in that process, where the test itself is to run.
fn in_a_process_of_its_own(name: &str) -> Option<bool> {
    const MARK: &str = "BALLET_CORE_TEST";
    if std::env::var_os(MARK).is_some() {
        return None;
    }
    let program = std::env::current_exe().ok()?;
    let output =
        Command::new(program).args(["--exact", name, "--nocapture"]).env(MARK, name).output().ok()?;
    Some(output.status.success())
}

/// Panics when it is dropped.
#[derive(Debug)]
struct Grenade;

impl std::fmt::Display for Grenade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a grenade")
    }
}

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(thread::panicking(), "dropped");
    }
}

#[ballet::test]
async fn an_error_whose_destructor_panics_ends_its_job_and_no_other() {
    ballet::supervisor_scope(async |s: SupervisorScope<Grenade>| {
        s.on_failure(|_| {});
        drop(s.spawn::<(), _>(async { Err(Grenade) }));
        tokio::task::yield_now().await;
        assert_eq!(s.spawn(async { Ok(7) }).await.ok(), Some(7));
        Ok(())
    })
    .await
    .unwrap();
}

#[test]
fn a_panic_on_the_way_out_of_a_job_leaves_the_lanes_of_its_runtime_alive() {
    // Without a timer, the wait for a graceful child panics.
    let runtime = Builder::new_current_thread().build().unwrap();
    let first = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(ballet::scope(async |s: Scope| {
            let singer = s.named("singer").graceful(PATIENCE).spawn(pending::<Result<(), Error>>());
            tokio::task::yield_now().await;
            singer.job().cancel();
            Ok(())
        }))
    }));
    assert!(first.is_err());
    let second = runtime.block_on(ballet::scope(async |s: Scope| Ok(s.spawn(async { Ok(7) }).await)));
    assert_eq!(second.unwrap(), 7);
}

#[test]
fn a_scope_on_a_runtime_that_is_gone_ends_its_children_at_once() {
    let state = in_time(|| {
        let runtime = two_workers()?;
        let handle = runtime.handle().clone();
        drop(runtime);
        let mut job: Option<Job> = None;
        let _ = handle.block_on(ballet::scope(async |s: Scope| {
            job = Some(s.spawn(pending::<Result<(), Error>>()).job().clone());
            Ok(())
        }));
        std::io::Result::Ok(job.map(|job| job.state()))
    });
    assert_eq!(state.expect("it hangs").unwrap(), Some(State::Cancelled));
}

thread_local! {
    static WAKES_AT_EXIT: RefCell<Option<oneshot::Sender<()>>> = const { RefCell::new(None) };
}

#[test]
fn a_thread_that_ends_may_wake_a_child() {
    if let Some(passed) = in_a_process_of_its_own("a_thread_that_ends_may_wake_a_child") {
        return assert!(passed, "the process died");
    }
    let woken = two_workers().unwrap().block_on(ballet::scope(async |s: Scope| {
        let (early, first) = oneshot::channel();
        let (late, second) = oneshot::channel();
        let first = s.spawn(async move { Ok(first.await.is_ok()) });
        let second = s.spawn(async move { Ok(second.await.is_err()) });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let ending = thread::spawn(move || {
            WAKES_AT_EXIT.set(Some(late));
            early.send(())
        });
        let woken = (first.await, second.await);
        ending.join().unwrap().unwrap();
        Ok(woken)
    }));
    assert_eq!(woken.unwrap(), (true, true));
}

/// Bodies of which each ends when the one before it does.
fn chain() -> impl Iterator<Item = impl Future<Output = Result<(), Error>> + Send + 'static> {
    let mut before: Option<oneshot::Receiver<()>> = None;
    (0..CHAIN).map(move |_| {
        let (sender, receiver) = oneshot::channel();
        let before = before.replace(receiver);
        async move {
            let _sender = sender;
            match before {
                Some(before) => drop(before.await),
                None => pending().await,
            }
            pending().await
        }
    })
}

#[test]
fn a_runtime_that_ends_with_a_chain_of_children_that_wake_each_other() {
    if let Some(passed) =
        in_a_process_of_its_own("a_runtime_that_ends_with_a_chain_of_children_that_wake_each_other")
    {
        return assert!(passed, "the process died");
    }
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut scope = Box::pin(ballet::scope(async |s: Scope| {
        chain().for_each(|body| drop(s.spawn(body)));
        pending::<Result<(), Error>>().await
    }));
    runtime.block_on(async {
        assert!(poll!(&mut scope).is_pending());
        tokio::time::sleep(Duration::from_millis(500)).await;
    });
    drop(runtime);
    drop(scope);
}

#[test]
fn a_local_scope_that_is_dropped_with_a_chain_of_children_that_wake_each_other() {
    if let Some(passed) =
        in_a_process_of_its_own("a_local_scope_that_is_dropped_with_a_chain_of_children_that_wake_each_other")
    {
        return assert!(passed, "the process died");
    }
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let scope = ballet::local_scope(async |s: LocalScope<'_>| {
            chain().for_each(|body| drop(s.spawn(body)));
            pending::<Result<(), Error>>().await
        });
        assert!(tokio::time::timeout(Duration::from_millis(500), scope).await.is_err());
    });
}

/// A job in a scope in a job, and so on; returns the innermost.
fn nest(depth: usize) -> futures_util::future::BoxFuture<'static, Result<Option<Job>, Error>> {
    Box::pin(async move {
        if depth == 0 {
            return Ok(None);
        }
        let innermost = ballet::scope(async |s: Scope| {
            let inner = s.spawn(nest(depth - 1));
            let job = inner.job().clone();
            Ok(inner.await.or(Some(job)))
        });
        Ok(innermost.await?)
    })
}

#[test]
fn a_handle_on_a_very_deep_job_is_dropped_without_recursion() {
    if let Some(passed) = in_a_process_of_its_own("a_handle_on_a_very_deep_job_is_dropped_without_recursion")
    {
        return assert!(passed, "the process died");
    }
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let innermost = runtime.block_on(nest(CHAIN)).unwrap();
    assert!(innermost.is_some());
    drop(runtime);
    drop(innermost);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the threads themselves have to stand still")]
fn the_watch_looks_after_a_runtime_that_begins_while_it_sleeps() {
    two_workers().unwrap().block_on(ballet::scope(async |_: Scope| Ok(()))).unwrap();
    // Until the watch has gone to sleep.
    thread::sleep(Duration::from_millis(500));
    let delay = two_workers().unwrap().block_on(ballet::scope(async |s: Scope| {
        let handle = s.clone();
        Ok(s.spawn(async move {
            // Until the other lane sleeps.
            thread::sleep(Duration::from_millis(100));
            let (told, start) = (Arc::new(AtomicBool::new(false)), Instant::now());
            let tells = Arc::clone(&told);
            handle.spawn(async move {
                tells.store(true, Ordering::Release);
                Ok(())
            });
            while !told.load(Ordering::Acquire) && start.elapsed() < Duration::from_secs(5) {
                std::hint::spin_loop();
            }
            Ok(start.elapsed())
        })
        .await)
    }));
    assert!(delay.unwrap() < Duration::from_secs(1));
}

#[test]
fn a_body_that_blocks_is_not_alone_on_a_runtime_with_one_worker() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let told = runtime.block_on(ballet::scope(async |s: Scope| {
        // The lane sleeps by now.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (tells, told) = mpsc::channel();
        s.spawn(async move { Ok(tells.send(7)?) });
        Ok(tokio::task::block_in_place(|| told.recv_timeout(PATIENCE)))
    }));
    assert_eq!(told.unwrap(), Ok(7), "the child waited for the body's poll to end");
}

#[ballet::test]
async fn a_body_that_is_always_ready_starves_no_child_of_its_local_scope() -> Result<(), Error> {
    let (sender, mut endless) = tokio::sync::mpsc::unbounded_channel();
    sender.send(())?;
    let (notice, noticed) = oneshot::channel();
    notice.send(()).ok();
    ballet::local_scope(async |s: LocalScope<'_>| {
        let modest = s.spawn(async move { Ok(noticed.await?) });
        let job = modest.job().clone();
        for _ in 0..100_000 {
            endless.recv().await;
            sender.send(())?;
            if job.state() == State::Completed {
                return Ok(());
            }
        }
        Err(Error::msg("the child did not come to its turn"))
    })
    .await?;
    Ok(())
}

#[test]
fn a_sink_may_be_replaced_by_the_destructor_of_the_one_before() {
    struct Replaces(SupervisorScope);
    impl Drop for Replaces {
        fn drop(&mut self) {
            self.0.on_failure(|_| {});
        }
    }
    let ended = in_time(|| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let _ = runtime.block_on(ballet::supervisor_scope(async |s: SupervisorScope| {
            let guard = Replaces(s.clone());
            s.on_failure(move |_| {
                let _keep = &guard;
            });
            s.on_failure(|_| {});
            Ok(())
        }));
        std::io::Result::Ok(())
    });
    ended.expect("it hangs").unwrap();
}

/// Counts the spans that have closed.
#[derive(Clone, Default)]
struct Closed(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Closed {
    fn on_close(&self, _: tracing::span::Id, _: tracing_subscriber::layer::Context<'_, S>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[ballet::test]
async fn the_span_of_the_spawner_closes_with_the_job_and_not_with_the_last_handle() -> Result<(), Error> {
    let closed = Closed::default();
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry().with(closed.clone()));
    ballet::scope(async |s: Scope| {
        let child = tracing::info_span!("request").in_scope(|| s.spawn(async { Ok(()) }));
        let job = child.job().clone();
        child.await;
        assert_eq!(job.state(), State::Completed);
        assert_eq!(closed.0.load(Ordering::SeqCst), 1);
        Ok(())
    })
    .await?;
    Ok(())
}

struct Kept;

impl ballet::Key for Kept {
    type Value = Arc<()>;
}

#[ballet::test]
async fn no_scope_is_kept_in_memory_by_the_reason_of_its_own_end() {
    let kept = Arc::new(());
    let with_kept = |name, scope: futures_util::future::BoxFuture<'static, Result<(), Error>>| {
        let (counted, scope) = (Arc::clone(&kept), ballet::with(Kept, Arc::clone(&kept), scope));
        async move {
            drop(tokio::time::timeout(Duration::from_secs(1), scope).await);
            // One that is adopted ends a little later.
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(Arc::strong_count(&counted), 2, "a scope that {name} is still there");
        }
    };
    let cancels_itself = async {
        ballet::scope(async |s: Scope| {
            s.cancel();
            pending::<Result<(), Error>>().await
        })
        .await?;
        Ok(())
    };
    with_kept("cancelled itself", Box::pin(cancels_itself)).await;
    let has_a_child_that_fails = async {
        ballet::scope(async |s: Scope| {
            s.spawn::<(), _>(async { Err(Error::msg("no")) });
            pending::<Result<(), Error>>().await
        })
        .await?;
        Ok(())
    };
    with_kept("had a child that failed", Box::pin(has_a_child_that_fails)).await;
    let is_dropped = async {
        ballet::scope(async |s: Scope| {
            s.spawn(pending::<Result<(), Error>>());
            pending::<Result<(), Error>>().await
        })
        .await?;
        Ok(())
    };
    with_kept("was dropped", Box::pin(is_dropped)).await;
    let is_local_and_dropped = async {
        ballet::local_scope(async |s: LocalScope<'_>| {
            s.spawn(pending::<Result<(), Error>>());
            pending::<Result<(), Error>>().await
        })
        .await?;
        Ok(())
    };
    with_kept("was local and dropped", Box::pin(is_local_and_dropped)).await;
}
