//! Random trees of scopes on two real workers: whatever fails, is cancelled, shielded or dropped, every job ends,
//! every finalizer runs once, and nothing is left in the tree.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ballet::{Failure, Scope, SupervisorScope};

/// A small generator with a seed that can be printed: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What must balance in the end.
#[derive(Default)]
struct Books {
    /// Futures of jobs that exist and have not been dropped.
    alive: AtomicI64,
    deferred: AtomicU64,
    finalized: AtomicU64,
}

struct Alive(Arc<Books>);

impl Alive {
    fn new(books: &Arc<Books>) -> Self {
        books.alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(books))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

type Boxed = Pin<Box<dyn Future<Output = Result<(), u64>> + Send>>;

fn job(mut dice: Dice, depth: u64, books: Arc<Books>) -> Boxed {
    let alive = Alive::new(&books);
    Box::pin(async move {
        let _alive = alive;
        for _ in 0..dice.roll(3) {
            tokio::task::yield_now().await;
        }
        match dice.roll(12) {
            0 => Err(1),
            1 => std::future::pending().await,
            2 => {
                ballet::shield(tokio::task::yield_now()).await;
                Ok(())
            }
            3 => {
                tokio::time::sleep(Duration::from_micros(dice.roll(500))).await;
                Ok(())
            }
            4 => {
                let limit = Duration::from_micros(dice.roll(800));
                let _ = ballet::timeout(limit, inner_scope(dice, depth, books)).await;
                Ok(())
            }
            5 => {
                let limit = Duration::from_micros(dice.roll(800));
                let _ = tokio::time::timeout(limit, inner_scope(dice, depth, books)).await;
                Ok(())
            }
            _ => inner_scope(dice, depth, books).await.or(Ok(())),
        }
    })
}

fn inner_scope(
    mut dice: Dice,
    depth: u64,
    books: Arc<Books>,
) -> Pin<Box<dyn Future<Output = Result<(), Failure<u64>>> + Send>> {
    if dice.roll(2) == 0 {
        Box::pin(ballet::scope(async move |s: Scope<u64>| {
            s.defer(finalizer(&mut dice, &books));
            for _ in 0..children(&mut dice, depth) {
                s.spawn(job(Dice(dice.roll(u64::MAX)), depth + 1, Arc::clone(&books)));
            }
            tokio::task::yield_now().await;
            match dice.roll(6) {
                0 => Err(2),
                1 => {
                    s.cancel();
                    std::future::pending().await
                }
                _ => {
                    s.cancel_children();
                    Ok(())
                }
            }
        }))
    } else {
        Box::pin(ballet::supervisor_scope(async move |s: SupervisorScope<u64>| {
            s.on_failure(|_| {});
            s.defer(finalizer(&mut dice, &books));
            let mut kept = Vec::new();
            for _ in 0..children(&mut dice, depth) {
                kept.push(s.spawn(job(Dice(dice.roll(u64::MAX)), depth + 1, Arc::clone(&books))));
            }
            if let Some(first) = kept.pop() {
                first.job().cancel();
                let _ = first.await;
            }
            s.cancel_children();
            Ok(())
        }))
    }
}

fn children(dice: &mut Dice, depth: u64) -> u64 {
    if depth > 4 { 0 } else { dice.roll(5) }
}

fn finalizer(dice: &mut Dice, books: &Arc<Books>) -> impl Future<Output = Result<(), u64>> + Send + 'static {
    books.deferred.fetch_add(1, Ordering::SeqCst);
    let (books, fails) = (Arc::clone(books), dice.roll(4) == 0);
    async move {
        tokio::task::yield_now().await;
        books.finalized.fetch_add(1, Ordering::SeqCst);
        if fails { Err(3) } else { Ok(()) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_ends_and_every_finalizer_runs_once() {
    for seed in 0..600 {
        let books = Arc::new(Books::default());
        let storm = ballet::supervisor_scope(async |s: SupervisorScope<u64>| {
            s.on_failure(|_| {});
            for nth in 0..4 {
                let mut dice = Dice(seed * 4 + nth);
                s.spawn(job(Dice(dice.roll(u64::MAX)), 0, Arc::clone(&books)));
            }
            tokio::time::sleep(Duration::from_micros(seed)).await;
            s.cancel_children();
            Ok(())
        });
        let ended = tokio::time::timeout(Duration::from_secs(30), storm).await;
        assert!(ended.is_ok(), "seed {seed}: something never ended:\n{}", ballet::tree());
        assert_eq!(books.alive.load(Ordering::SeqCst), 0, "seed {seed}: a job outlived its scope");
        let (deferred, finalized) = (&books.deferred, &books.finalized);
        assert_eq!(deferred.load(Ordering::SeqCst), finalized.load(Ordering::SeqCst), "seed {seed}");
        assert!(ballet::tree().children.is_empty(), "seed {seed}:\n{}", ballet::tree());
    }
}
