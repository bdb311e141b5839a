//! Blocking and CPU work as owned children: R16. Threads, sockets and the clock are real where a test blocks.

use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::available_parallelism;
use std::time::Duration;

use ballet::observe::State;
use ballet::{
    BLOCKING_PLACES, Bulkhead, Cancel, Context, Ending, Error, Outcome, Phase, Reason, Scope, Stage,
    SupervisorScope,
};
use tokio::sync::oneshot;

/// More than any of these tests may take; what blocks longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const MS: Duration = Duration::from_millis(1);

/// Blocks until it is asked to end, without burning the processor.
fn block_until_asked(cancel: &Cancel) {
    let (wake, woken) = mpsc::channel();
    let _hook = cancel.on_cancel(move || wake.send(()).unwrap_or_default());
    assert!(woken.recv_timeout(PATIENCE).is_ok(), "nobody asked it to end");
    assert!(cancel.is_cancelled());
}

#[ballet::test]
async fn work_gives_its_value_and_has_a_name() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let sum = s.named("sum").blocking(|cancel| {
            assert!(!cancel.is_cancelled() && cancel.reason().is_none());
            Ok(40 + 2)
        });
        assert_eq!(sum.job().name(), "sum");
        assert!(sum.job().place().file().ends_with("blocking.rs"));
        assert_eq!(sum.await, 42);
        assert_eq!(s.blocking(|_| Ok("nameless")).await, "nameless");
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_owner_waits_for_work_that_ignores_its_cancellation_and_shows_it() -> Result<(), Error> {
    let (let_go, held) = mpsc::channel::<()>();
    let (begun, reading) = oneshot::channel();
    let ended = Arc::new(AtomicBool::new(false));
    let has_ended = Arc::clone(&ended);
    ballet::scope(async |s: Scope| {
        let stubborn = s.named("stubborn").blocking(move |_| {
            begun.send(()).ok();
            held.recv_timeout(PATIENCE).ok();
            has_ended.store(true, Ordering::SeqCst);
            Ok(())
        });
        reading.await?;
        stubborn.job().cancel();
        tokio::time::sleep(20 * MS).await;
        let tree = s.tree();
        let shown = tree.iter().find(|node| node.path.ends_with("stubborn")).map(|node| node.state);
        assert_eq!(shown, Some(State::Cancelling), "{tree}");
        let_go.send(())?;
        Ok(())
    })
    .await?;
    assert!(ended.load(Ordering::SeqCst));
    Ok(())
}

#[tokio::test]
async fn a_hook_interrupts_a_read_by_closing_its_socket() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let outcome = ballet::supervisor_scope(async |s: SupervisorScope| {
        let (begun, reading) = oneshot::channel();
        let reader = s.named("reader").blocking(move |cancel| {
            let mut socket = TcpStream::connect(address)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            let peer = socket.try_clone()?;
            let _hook = cancel.on_cancel(move || drop(peer.shutdown(Shutdown::Both)));
            begun.send(()).ok();
            match socket.read(&mut [0])? {
                0 => Err::<(), _>(Error::msg("closed")),
                _ => Ok(()),
            }
        });
        reading.await?;
        reader.job().cancel();
        Ok(reader.outcome().await)
    });
    assert!(matches!(outcome.await?, Outcome::Cancelled(Reason::Requested(_))));
    Ok(())
}

#[tokio::test]
async fn an_error_after_the_asking_is_the_interruption_and_a_value_counts() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let (begun, both) = mpsc::channel();
        let begin = begun.clone();
        let fails = s.blocking(move |cancel| {
            begin.send(())?;
            block_until_asked(cancel);
            Err::<(), _>(Error::msg("interrupted"))
        });
        let ends = s.blocking(move |cancel| {
            begun.send(())?;
            block_until_asked(cancel);
            assert!(matches!(cancel.reason(), Some(Reason::Requested(_))));
            Ok("half of it")
        });
        s.blocking(move |_| Ok((both.recv_timeout(PATIENCE)?, both.recv_timeout(PATIENCE)?))).await?;
        fails.job().cancel();
        ends.job().cancel();
        assert!(fails.await.unwrap_err().is_cancelled());
        assert_eq!(ends.await.unwrap(), "half of it");
        let failed = s.blocking(|_| Err::<(), _>(Error::msg("no paper"))).await.unwrap_err();
        assert!(!failed.is_cancelled() && failed.to_string().contains("no paper"));
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_first_failure_stays_the_first_though_its_siblings_are_interrupted() {
    let verdict = ballet::scope(async |s: Scope| {
        let (begun, blocking) = oneshot::channel();
        s.named("reader").blocking(move |cancel| {
            begun.send(()).ok();
            block_until_asked(cancel);
            Err::<(), _>(Error::msg("socket closed"))
        });
        blocking.await?;
        Err::<(), _>(Error::msg("the cause"))
    });
    let failure = verdict.await.unwrap_err();
    assert!(failure.to_string().contains("the cause"), "{failure}");
    assert!(failure.suppressed().is_empty(), "{failure:?}");
}

#[tokio::test]
async fn grace_does_not_keep_work_that_has_ended() -> Result<(), Error> {
    let before = std::time::Instant::now();
    ballet::scope(async |s: Scope| {
        let (begun, blocking) = oneshot::channel();
        let patient = s.named("patient").graceful(PATIENCE).blocking(move |cancel| {
            begun.send(()).ok();
            block_until_asked(cancel);
            Err::<(), _>(Error::msg("interrupted"))
        });
        blocking.await?;
        patient.job().cancel();
        Ok(())
    })
    .await?;
    assert!(before.elapsed() < PATIENCE);
    Ok(())
}

#[tokio::test]
async fn hooks_run_once_in_order_and_only_those_that_are_registered() -> Result<(), Error> {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&ran);
    let note = move |what: &'static str| {
        let log = Arc::clone(&log);
        move || log.lock().unwrap_or_else(|error| panic!("{error}")).push(what)
    };
    ballet::scope(async |s: Scope| {
        let (begun, blocking) = oneshot::channel();
        let reader = s.blocking(move |cancel| {
            let _first = cancel.on_cancel(note("first"));
            drop(cancel.on_cancel(note("deregistered")));
            let _second = cancel.on_cancel(note("second"));
            begun.send(()).ok();
            block_until_asked(cancel);
            let late = cancel.on_cancel(note("late"));
            drop(late);
            note("end")();
            Ok(())
        });
        blocking.await?;
        reader.job().cancel();
        reader.job().cancel();
        Ok(())
    })
    .await?;
    assert_eq!(*ran.lock().unwrap(), ["first", "second", "late", "end"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drop_of_a_guard_waits_for_its_hook_and_a_hook_may_drop_its_own() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let (begun, blocking) = oneshot::channel();
        let job = s.blocking(move |cancel| {
            let (enter, entered) = mpsc::channel();
            let is_over = Arc::new(AtomicBool::new(false));
            let over = Arc::clone(&is_over);
            let own = Arc::new(Mutex::new(None));
            let guard = Arc::clone(&own);
            let registered = cancel.on_cancel(move || drop(guard.lock().map(|mut guard| guard.take())));
            *own.lock().unwrap_or_else(|error| panic!("{error}")) = Some(registered);
            let slow = cancel.on_cancel(move || {
                enter.send(()).ok();
                // Long enough that a drop that does not wait would be seen.
                std::thread::park_timeout(30 * MS);
                over.store(true, Ordering::SeqCst);
            });
            begun.send(()).ok();
            entered.recv_timeout(PATIENCE)?;
            drop(slow);
            assert!(is_over.load(Ordering::SeqCst));
            Ok(())
        });
        blocking.await?;
        job.job().cancel();
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_panic_in_the_work_is_the_childs() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let clumsy: Result<(), _> = s.named("clumsy").blocking(|_| panic!("tripped")).await;
        let failure = clumsy.unwrap_err();
        let panic = failure.panic().unwrap();
        assert_eq!(
            (panic.path().to_string(), panic.message().as_deref()),
            ("clumsy".into(), Some("tripped"))
        );
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
#[should_panic(expected = "job `clumsy`")]
async fn a_panic_in_the_work_ends_its_siblings_and_resumes_in_the_owner() {
    let verdict = ballet::scope(async |s: Scope| {
        s.named("reader").blocking(|cancel| {
            block_until_asked(cancel);
            Ok(())
        });
        s.named("clumsy").blocking::<(), _>(|_| panic!("tripped"));
        Ok(())
    });
    drop(verdict.await);
}

#[tokio::test]
async fn a_panic_in_a_hook_is_the_jobs_once_the_work_has_ended() -> Result<(), Error> {
    let ended = Arc::new(AtomicBool::new(false));
    let has_ended = Arc::clone(&ended);
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let (begun, blocking) = oneshot::channel();
        let job = s.blocking(move |cancel| {
            let _hook = cancel.on_cancel(|| panic!("the hook came loose"));
            begun.send(()).ok();
            block_until_asked(cancel);
            has_ended.store(true, Ordering::SeqCst);
            Ok(())
        });
        blocking.await?;
        job.job().cancel();
        let failure = job.await.unwrap_err();
        assert_eq!(failure.panic().unwrap().message().as_deref(), Some("the hook came loose"));
        assert!(ended.load(Ordering::SeqCst));
        Ok(())
    })
    .await?;
    Ok(())
}

struct Colour;
impl ballet::Key for Colour {
    type Value = &'static str;
}

#[tokio::test]
async fn work_sees_its_context_and_its_span() -> Result<(), Error> {
    // Other tests of this process, if there are any, may have set it first.
    drop(tracing::subscriber::set_global_default(tracing_subscriber::registry()));
    let span = tracing::error_span!("rehearsal");
    let _entered = span.enter();
    let inside = ballet::with(Colour, "red", async {
        ballet::scope(async |s: Scope| {
            let seen = s.named("tailor").blocking(|_| {
                let context = Context::current();
                let span = tracing::Span::current();
                let span = span.metadata().map(tracing::Metadata::name);
                Ok((context.path().to_string(), context.get(Colour).copied(), context.deadline(), span))
            });
            Ok(seen.await)
        })
        .await
    });
    let (path, colour, deadline, span) = ballet::timeout(PATIENCE, inside).await??;
    assert_eq!((path.as_str(), colour, span), ("tailor", Some("red"), Some("rehearsal")));
    assert!(deadline.is_some());
    Ok(())
}

#[tokio::test]
async fn a_scope_that_work_opens_stands_below_its_job() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let path = s.named("outer").blocking(|_| {
            let inner = ballet::scope(async |s: Scope| {
                Ok(s.named("inner").spawn(async { Ok(Context::current().path().to_string()) }).await)
            });
            Ok(tokio::runtime::Handle::current().block_on(inner)?)
        });
        assert_eq!(path.await, "outer/inner");
        Ok(())
    })
    .await?;
    Ok(())
}

/// How many run at once, and the most that ever did.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    fn pass(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        std::thread::park_timeout(MS);
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn computations_are_as_many_as_processors_and_a_bulkhead_bounds_its_own() -> Result<(), Error> {
    let (computing, decoding) = (Arc::new(Crowd::default()), Arc::new(Crowd::default()));
    let decoders = Bulkhead::new("decoders", 3);
    ballet::scope(async |s: Scope| {
        for _ in 0..24 {
            let crowd = Arc::clone(&computing);
            s.compute(move |_| {
                crowd.pass();
                Ok(())
            });
            let crowd = Arc::clone(&decoding);
            s.named("decode").blocking_in(&decoders, move |_| {
                crowd.pass();
                Ok(())
            });
        }
        Ok(())
    })
    .await?;
    let processors = available_parallelism()?.get();
    assert!((1..=processors).contains(&computing.most.load(Ordering::SeqCst)));
    assert!((1..=3).contains(&decoding.most.load(Ordering::SeqCst)));
    assert_eq!((decoders.occupancy().granted, decoders.occupancy().in_use), (24, 0));
    Ok(())
}

#[tokio::test]
async fn work_that_waits_for_a_place_is_cancelled_before_it_begins() -> Result<(), Error> {
    let decoders = Bulkhead::new("decoders", 1);
    let place = decoders.acquire().await?;
    ballet::scope(async |s: Scope| {
        let never = s.named("never").blocking_in::<(), _>(&decoders, |_| panic!("it has begun"));
        while decoders.occupancy().waiting == 0 {
            tokio::task::yield_now().await;
        }
        never.job().cancel();
        Ok(())
    })
    .await?;
    assert_eq!((decoders.occupancy().waiting, decoders.occupancy().in_use), (0, 1));
    drop(place);
    Ok(())
}

#[tokio::test]
async fn a_closed_bulkhead_fails_the_child() {
    let decoders = Bulkhead::new("decoders", 1);
    decoders.close();
    let verdict = ballet::scope(async |s: Scope| {
        s.named("late").blocking_in::<(), _>(&decoders, |_| panic!("it has begun"));
        Ok(())
    });
    assert!(verdict.await.unwrap_err().to_string().contains("the bulkhead `decoders` is closed"));
}

#[tokio::test]
async fn many_more_than_there_are_places_all_come_to_their_turn() -> Result<(), Error> {
    let count = BLOCKING_PLACES * 3;
    let sum = ballet::scope(async |s: Scope| {
        let jobs: Vec<_> = (0..count).map(|_| s.blocking(|_| Ok(1))).collect();
        let mut sum = 0;
        for job in jobs {
            sum += job.await;
        }
        Ok(sum)
    });
    assert_eq!(sum.await?, count);
    Ok(())
}

#[test]
fn work_in_tokios_queue_is_cancelled_before_it_begins() -> Result<(), Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build()?;
    let (let_go, held) = mpsc::channel::<()>();
    runtime.block_on(ballet::scope(async |s: Scope| {
        let (begun, blocking) = oneshot::channel();
        s.named("first").blocking(move |_| {
            begun.send(()).ok();
            Ok(held.recv_timeout(PATIENCE)?)
        });
        blocking.await?;
        let second = s.named("second").blocking::<(), _>(|_| panic!("it has begun"));
        let is_queued = || s.tree().iter().any(|node| node.path == "second" && node.polls > 0);
        while !is_queued() {
            tokio::time::sleep(MS).await;
        }
        second.job().cancel();
        while !second.job().state().is_ended() {
            tokio::time::sleep(MS).await;
        }
        let_go.send(())?;
        Ok(())
    }))?;
    Ok(())
}

#[ballet::test]
async fn a_scope_that_has_ended_refuses_work_unrun() -> Result<(), Error> {
    let handle = ballet::scope(async |s: Scope| Ok(s)).await?;
    let refused = handle.blocking::<(), _>(|_| panic!("it has begun"));
    assert_eq!(refused.job().state(), State::Cancelled);
    Ok(())
}

#[tokio::test]
async fn work_of_a_scope_that_is_dropped_half_way_is_asked_and_adopted() -> Result<(), Error> {
    let (begun, blocking) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    ballet::scope(async |_: Scope| {
        let inner = ballet::scope(async |s: Scope| {
            s.blocking(move |cancel| {
                begun.send(()).ok();
                block_until_asked(cancel);
                end.send(()).ok();
                Ok(())
            });
            std::future::pending::<Result<(), Error>>().await
        });
        tokio::select! {
            _ = inner => panic!("it never ends"),
            begun = blocking => begun?,
        }
        Ok(())
    })
    .await?;
    // The outer scope has waited for what it adopted.
    let mut ended = ended;
    assert!(ended.try_recv().is_ok());
    Ok(())
}

#[test]
fn a_runtime_that_shuts_down_asks_the_work_to_end() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (begin, begun) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let server = async move {
        let verdict = ballet::scope(async |s: Scope| {
            s.blocking(move |cancel| {
                begin.send(()).ok();
                block_until_asked(cancel);
                end.send(()).ok();
                Ok(())
            });
            Ok(())
        });
        drop(verdict.await);
    };
    drop(runtime.spawn(server));
    begun.recv_timeout(PATIENCE)?;
    drop(runtime);
    assert!(ended.recv_timeout(PATIENCE).is_ok());
    Ok(())
}

#[ballet::test]
async fn virtual_time_stands_still_while_work_blocks() -> Result<(), Error> {
    let work = ballet::scope(async |s: Scope| {
        Ok(s.blocking(|_| {
            std::thread::park_timeout(20 * MS);
            Ok("done")
        })
        .await)
    });
    assert_eq!(ballet::timeout(Duration::from_secs(1), work).await??, "done");
    Ok(())
}

#[tokio::test]
async fn the_curtain_names_a_thread_that_ignores_everything() -> Result<(), Error> {
    let (let_go, held) = mpsc::channel::<()>();
    let (begun, blocking) = oneshot::channel();
    let (tell, told) = oneshot::channel();
    let stage = Stage::new().drain(PATIENCE).cancel(PATIENCE).finalize(PATIENCE);
    let phases = stage.phases();
    let program = stage.run(async |s: Scope| {
        s.named("stubborn").blocking(move |_| {
            begun.send(()).ok();
            Ok(held.recv_timeout(PATIENCE)?)
        });
        let obedient = s.named("obedient").blocking(|cancel| {
            block_until_asked(cancel);
            Ok(())
        });
        tell.send(obedient.job().clone()).ok();
        Ok(())
    });
    let operator = async {
        let obedient = told.await?;
        blocking.await?;
        // To drain, to cancel, to finalize, to abort: each phase is cut short.
        phases.shut_down();
        phases.reached(Phase::Draining).await;
        phases.shut_down();
        while !obedient.state().is_ended() {
            tokio::time::sleep(MS).await;
        }
        phases.shut_down();
        phases.reached(Phase::Finalizing).await;
        phases.shut_down();
        Ok::<(), Error>(())
    };
    let (curtain, operated) = tokio::join!(program, operator);
    operated?;
    let_go.send(())?;
    assert!(matches!(curtain.ending(), Ending::Aborted) && curtain.is_lossy(), "{curtain}");
    let lines = curtain.to_string();
    assert!(lines.contains("ABANDONED  stubborn") && !lines.contains("ABANDONED  obedient"), "{lines}");
    Ok(())
}

/// Panics again when it is dropped.
struct Twice;

impl Drop for Twice {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("dropped"));
    }
}

#[tokio::test]
async fn a_hook_that_panics_with_what_panics_keeps_neither_the_next_hook_nor_the_work() -> Result<(), Error> {
    let (told, heard) = mpsc::channel();
    let blocked = ballet::supervisor_scope(async |s: SupervisorScope| {
        let (begun, began) = oneshot::channel();
        let work = s.blocking(move |cancel| {
            let first = cancel.on_cancel(|| std::panic::resume_unwind(Box::new("first")));
            let second = cancel.on_cancel(|| std::panic::resume_unwind(Box::new(Twice)));
            let (wake, woken) = mpsc::channel();
            let third = cancel.on_cancel(move || wake.send(()).unwrap_or_default());
            begun.send(()).ok();
            let is_woken = woken.recv_timeout(PATIENCE).is_ok();
            // Each waits for a hook that runs.
            drop((first, second, third));
            told.send(is_woken).ok();
            Ok(())
        });
        began.await?;
        work.job().cancel();
        Ok(work.await)
    })
    .await?;
    let failure = blocked.unwrap_err();
    assert!(failure.is_panic() && failure.to_string().contains("first"), "{failure}");
    assert_eq!(heard.try_recv(), Ok(true), "the scope waited for the work, and the third hook ran");
    Ok(())
}
