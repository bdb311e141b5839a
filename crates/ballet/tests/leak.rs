//! Nothing is left behind, told by the live bytes that the allocator of this program counts.
//!
//! One test, because the count is the process's. Each way in which a child can live and end is taken thousands of
//! times, in waves. The library keeps the memory of cells for the next ones, up to a bound for each size: that is
//! filled first. Then the first waves fill what Tokio keeps for reuse; after them the count must not grow. Then whole
//! runtimes come and go.

#![expect(unsafe_code, reason = "an allocator that counts, by handing all on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::pending;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::{Duration, Instant};

use ballet::{Deferred, Dispatcher, Failure, Inheritance, Isolated, Key, LocalScope, Scope, SupervisorScope};
use futures_util::FutureExt;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

/// How many children a wave has.
const CHILDREN: usize = 1_000;

/// How many waves there are of each kind before bytes are counted, and then. Over all kinds and both runtimes, a
/// million children.
const WAVES: [usize; 2] = [4, 40];

/// What queues and epochs may hold at one moment and not at another: less than two bytes for each counted child, and
/// less than what stays of ten runtimes if anything keeps them.
const SLACK: isize = 64 << 10;

/// Bytes that are allocated and not freed.
static LIVE: AtomicIsize = AtomicIsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: Each method hands its arguments on to `System`, which keeps the contract, and counts besides.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size().cast_signed(), Ordering::SeqCst);
        // SAFETY: The caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size().cast_signed(), Ordering::SeqCst);
        // SAFETY: The caller's promise is the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// A wave of children that live and end in one way.
type Wave = fn() -> Pin<Box<dyn Future<Output = ()> + Send>>;

const KINDS: [(&str, Wave); 15] = [
    ("returned", || Box::pin(returned())),
    ("on Tokio", || Box::pin(async { on(Dispatcher::tokio()).await })),
    ("on a view", || Box::pin(async { on(Dispatcher::limited(2, "view")).await })),
    ("borrowing", || Box::pin(borrowing())),
    ("abandoned", || Box::pin(abandoned())),
    ("failed together", || Box::pin(failed_together())),
    ("failed alone", || Box::pin(failed_alone())),
    ("panicked", || Box::pin(panicked())),
    ("cancelled", || Box::pin(cancelled())),
    ("cancelled one by one", || Box::pin(cancelled_one_by_one())),
    ("graceful", || Box::pin(graceful())),
    ("refused", || Box::pin(refused())),
    ("refused by their context", || Box::pin(refused_by_their_context())),
    ("with a context that panics at its end", || Box::pin(with_a_context_that_panics_at_its_end())),
    ("adopted", || Box::pin(adopted())),
];

async fn returned() {
    let sum = ballet::scope(async |s: Scope<u8>| {
        let children: Vec<_> = (0..CHILDREN).map(|n| s.spawn(async move { Ok(n.to_string()) })).collect();
        let mut bytes = 0;
        for child in children {
            bytes += child.await.len();
        }
        Ok(bytes)
    });
    assert!(sum.await.is_ok_and(|bytes| bytes > CHILDREN));
}

async fn on(dispatcher: Dispatcher) {
    let scope = ballet::scope(async |s: Scope<u8>| {
        (0..CHILDREN).for_each(|_| drop(s.named("child").on(&dispatcher).spawn(sleepy(Ok(())))));
        Ok(())
    });
    assert!(scope.await.is_ok());
}

async fn borrowing() {
    let text = String::from("lent");
    let scope = ballet::local_scope(async |s: LocalScope<'_, u8>| {
        let text = &text;
        (0..CHILDREN).for_each(|_| drop(s.spawn(sleepy(Ok(text)))));
        Ok(())
    });
    assert!(scope.await.is_ok());
}

/// Children that return a value when nobody is there any more to take it.
async fn abandoned() {
    let scope = ballet::scope(async |s: Scope<u8>| {
        (0..CHILDREN).for_each(|n| drop(s.spawn(sleepy(Ok(n.to_string())))));
        Ok(())
    });
    assert!(scope.await.is_ok());
}

/// The body, then each time one child, fails and takes the others with it.
async fn failed_together() {
    let scope = ballet::scope(async |s: Scope<u8>| {
        (0..CHILDREN / 2).for_each(|_| drop(s.spawn(pending::<Result<(), _>>())));
        Err::<(), _>(1)
    });
    assert!(scope.await.is_err());
    let scope = ballet::scope(async |s: Scope<u8>| {
        (0..CHILDREN / 2).for_each(|_| drop(s.spawn(sleepy(Err::<(), _>(2)))));
        Ok(())
    });
    assert!(scope.await.is_err_and(|failure| failure.error() == Some(&2)));
}

async fn failed_alone() {
    supervised(|s| s.spawn(sleepy(Err::<(), _>(3))), |failure| failure.error() == Some(&3)).await;
}

async fn panicked() {
    // Without the hook, which would print a report for each.
    let slips = |s: &SupervisorScope<u8>| s.spawn(async { resume_unwind(Box::new(String::from("slipped"))) });
    supervised(slips, Failure::is_panic).await;
}

async fn cancelled_one_by_one() {
    let cancels = |s: &SupervisorScope<u8>| {
        let child = s.spawn(pending::<Result<(), _>>());
        child.job().cancel();
        child
    };
    supervised(cancels, Failure::is_cancelled).await;
}

/// Half of the children are awaited; the failures of the other half go to the sink.
async fn supervised(
    spawn: impl Fn(&SupervisorScope<u8>) -> Deferred<(), u8, Isolated> + Send,
    is_expected: impl Fn(&Failure<u8>) -> bool + Send,
) {
    let scope = ballet::supervisor_scope(async |s: SupervisorScope<u8>| {
        s.on_failure(|_| {});
        (0..CHILDREN / 2).for_each(|_| drop(spawn(&s)));
        let awaited: Vec<_> = (0..CHILDREN / 2).map(|_| spawn(&s)).collect();
        for child in awaited {
            assert!(child.await.is_err_and(|failure| is_expected(&failure)));
        }
        Ok(())
    });
    assert!(scope.await.is_ok());
}

/// By the scope's own body; with finalizers.
async fn cancelled() {
    let scope = ballet::scope(async |s: Scope<u8>| {
        for _ in 0..CHILDREN {
            s.spawn(pending::<Result<(), _>>());
            s.defer(sleepy(Ok(())));
        }
        yield_now().await;
        s.cancel();
        pending::<Result<(), _>>().await
    });
    assert!(scope.await.is_err_and(|failure| failure.is_cancelled()));
}

/// Half of them end by themselves, the other half when their time is over.
async fn graceful() {
    let scope = ballet::scope(async |s: Scope<u8>| {
        for budget in [Duration::from_secs(60), Duration::from_millis(1)] {
            for _ in 0..CHILDREN / 2 {
                s.named("graceful").graceful(budget).spawn(async move {
                    ballet::cancelled().await;
                    if budget < Duration::from_secs(1) { pending().await } else { Ok(()) }
                });
            }
        }
        yield_now().await;
        s.cancel_children();
        Ok(())
    });
    assert!(scope.await.is_ok());
}

async fn refused() {
    let scope = ballet::scope(async |s: Scope<u8>| {
        s.cancel();
        for _ in 0..CHILDREN / 2 {
            s.spawn(pending::<Result<(), _>>());
            assert!(s.try_spawn(pending::<Result<(), _>>()).is_err());
        }
        Ok(())
    });
    assert!(scope.await.is_ok());
}

/// A value that nobody inherits.
struct Kept;

impl Key for Kept {
    type Value = u8;
    // Without the hook, which would print a report for each.
    const INHERITANCE: Inheritance<u8> = Inheritance::Transformed(|_| resume_unwind(Box::new("kept")));
}

async fn refused_by_their_context() {
    let scope = ballet::scope(async |s: Scope<u8>| {
        for _child in 0..CHILDREN {
            let spawned = catch_unwind(AssertUnwindSafe(|| s.spawn(sleepy(Ok::<(), u8>(())))));
            assert!(spawned.is_err());
        }
        Ok(())
    });
    assert!(ballet::with(Kept, 1, scope).await.is_ok());
}

/// A value that panics when it is dropped.
struct Frail;

impl Drop for Frail {
    fn drop(&mut self) {
        resume_unwind(Box::new("frail"));
    }
}

struct Holds;

impl Key for Holds {
    type Value = Frail;
    const INHERITANCE: Inheritance<Frail> = Inheritance::Local;
}

async fn with_a_context_that_panics_at_its_end() {
    for _region in 0..CHILDREN {
        let held = AssertUnwindSafe(ballet::with(Holds, Frail, yield_now()));
        assert!(held.catch_unwind().await.is_ok(), "it goes no further than the end of the region");
    }
}

/// Scopes that are dropped half-way and end as children of the scope around them.
async fn adopted() {
    let scope = ballet::scope(async |_: Scope<u8>| {
        for _ in 0..CHILDREN / 10 {
            let mut lost = Box::pin(ballet::scope(async |s: Scope<u8>| {
                (0..10).for_each(|_| drop(s.spawn(pending::<Result<(), _>>())));
                pending::<Result<(), _>>().await
            }));
            assert!(futures_util::poll!(&mut lost).is_pending());
        }
        Ok(())
    });
    assert!(scope.await.is_ok());
}

/// Fills what the library keeps of each size that a cell of this test may have, so that it only shrinks from here on.
fn fill_depots() {
    fill_depots_by_step::<0>();
    fill_depots_by_step::<1>();
    fill_depots_by_step::<2>();
    fill_depots_by_step::<3>();
}

/// Sizes that are 16 bytes apart: eight in a row, from 128 bytes more for each `STEP`.
fn fill_depots_by_step<const STEP: usize>() {
    let fills: [Wave; 8] = [
        || Box::pin(fill_depot::<STEP, 0>()),
        || Box::pin(fill_depot::<STEP, 16>()),
        || Box::pin(fill_depot::<STEP, 32>()),
        || Box::pin(fill_depot::<STEP, 48>()),
        || Box::pin(fill_depot::<STEP, 64>()),
        || Box::pin(fill_depot::<STEP, 80>()),
        || Box::pin(fill_depot::<STEP, 96>()),
        || Box::pin(fill_depot::<STEP, 112>()),
    ];
    let runtime = start(&mut Builder::new_current_thread());
    fills.iter().for_each(|fill| runtime.block_on(fill()));
}

/// More children at the same time than the depot keeps cells of any size.
async fn fill_depot<const STEP: usize, const BYTES: usize>() {
    let scope = ballet::scope(async |s: Scope<u8>| {
        for _ in 0..6 * CHILDREN {
            s.spawn(async {
                let kept = black_box(([[0_u8; 128]; STEP], [0_u8; BYTES]));
                pending::<()>().await;
                black_box(kept);
                Ok(())
            });
        }
        s.cancel_children();
        Ok(())
    });
    assert!(scope.await.is_ok());
}

async fn sleepy<T>(result: Result<T, u8>) -> Result<T, u8> {
    yield_now().await;
    result
}

fn live() -> isize {
    LIVE.load(Ordering::SeqCst)
}

/// Waits until about as few bytes are live as there were: another thread may still be freeing its last ones.
fn assert_nothing_is_left(before: isize, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while live() > before + SLACK {
        assert!(Instant::now() < deadline, "{what}: {} bytes more than before", live() - before);
        std::thread::yield_now();
    }
}

fn runtimes() -> [(&'static str, Builder); 2] {
    let mut workers = Builder::new_multi_thread();
    workers.worker_threads(2);
    [("current thread", Builder::new_current_thread()), ("two workers", workers)]
}

fn start(builder: &mut Builder) -> Runtime {
    builder
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("the Tokio runtime could not be started: {error}"))
}

#[test]
fn a_million_children_leave_nothing_behind() {
    fill_depots();
    for (flavour, mut builder) in runtimes() {
        let runtime = start(&mut builder);
        for (kind, wave) in KINDS {
            let [before, counted] = WAVES;
            (0..before).for_each(|_| runtime.block_on(wave()));
            let bytes = live();
            (0..counted).for_each(|_| runtime.block_on(wave()));
            assert_nothing_is_left(bytes, &format!("{kind}, {flavour}"));
        }
    }
    tokens_leave_nothing_behind();
    runtimes_leave_nothing_behind();
}

/// A scope that lasts as long as a program, and gives each connection a token.
fn tokens_leave_nothing_behind() {
    for (flavour, mut builder) in runtimes() {
        let scope = ballet::scope(async |s: Scope<u8>| {
            let bytes = live();
            for _connection in 0..10 * CHILDREN {
                drop(s.token());
            }
            yield_now().await;
            assert_nothing_is_left(bytes, &format!("tokens, {flavour}"));
            Ok(())
        });
        assert!(start(&mut builder).block_on(scope).is_ok());
    }
}

/// A runtime is as large as thousands of children, and whatever keeps one of its children alive keeps it.
fn runtimes_leave_nothing_behind() {
    for (flavour, mut builder) in runtimes() {
        for (kind, wave) in KINDS {
            let mut once = || start(&mut builder).block_on(wave());
            (0..2).for_each(|_| once());
            let bytes = live();
            (0..10).for_each(|_| once());
            assert_nothing_is_left(bytes, &format!("{kind}, then the end of a runtime: {flavour}"));
        }
    }
}
