//! Random supervisors on two real workers: whatever fails, is restarted, cancelled, added or stopped at the same time,
//! every life ends, at most one life of a child is there at a time, and nothing is left in the tree.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ballet::{
    Backoff, ChildSpec, Children, Error, Life, Strategy, Supervised, Supervisor, SupervisorScope, child,
};
use tokio::task::yield_now;
use tokio::time::sleep;

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

    fn fork(&mut self) -> Self {
        Self(self.roll(u64::MAX))
    }
}

/// What must balance in the end.
#[derive(Default)]
struct Books {
    /// Lives that exist and have not been dropped.
    alive: AtomicI64,
    begun: AtomicU64,
}

/// A life, of which there may be one at a time.
struct Alive(Arc<Books>, Arc<AtomicI64>);

impl Alive {
    fn new(books: &Arc<Books>, of_this_child: &Arc<AtomicI64>) -> Self {
        assert_eq!(of_this_child.fetch_add(1, Ordering::SeqCst), 0, "a child has two lives");
        books.alive.fetch_add(1, Ordering::SeqCst);
        books.begun.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(books), Arc::clone(of_this_child))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn spec(dice: &mut Dice, name: &'static str) -> ChildSpec {
    let spec = child(name).ready_within(Duration::from_millis(2));
    let spec = match dice.roll(4) {
        0 => spec.transient(),
        1 => spec.temporary(),
        _ => spec,
    };
    let spec = if dice.roll(3) == 0 { spec.graceful(Duration::from_micros(200)) } else { spec };
    if dice.roll(4) == 0 { spec.backoff(Backoff::constant(Duration::from_micros(100))) } else { spec }
}

fn member(dice: &mut Dice, name: &'static str, books: &Arc<Books>) -> Supervised {
    let (books, mine, seed) = (Arc::clone(books), Arc::new(AtomicI64::new(0)), dice.fork());
    spec(dice, name).run(async move |life: Life<u64>| {
        let _alive = Alive::new(&books, &mine);
        let mut dice = Dice(seed.0 ^ life.inherit().unwrap_or(0));
        life.leave(dice.roll(u64::MAX));
        for _ in 0..dice.roll(3) {
            yield_now().await;
        }
        // Few first lives fail to start, or there would be nothing to see.
        if life.restarts() > 0 || dice.roll(20) > 0 {
            life.ready();
        }
        match dice.roll(12) {
            0 | 1 => Err(Error::msg("fell")),
            2 => Ok(()),
            3 => {
                ballet::shield(sleep(Duration::from_micros(dice.roll(300)))).await;
                Err(Error::msg("fell"))
            }
            4..6 => {
                sleep(Duration::from_micros(dice.roll(500))).await;
                Err(Error::msg("fell"))
            }
            8 => {
                ballet::cancelled().await;
                Ok(())
            }
            9 => std::future::pending().await,
            _ => {
                yield_now().await;
                Err(Error::msg("fell"))
            }
        }
    })
}

fn troupe(dice: &mut Dice, books: &Arc<Books>, depth: u64) -> Supervisor {
    let strategy = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne][dice.roll(3) as usize];
    let supervisor = Supervisor::new(strategy).on_incident(|_| {}).keep_open();
    let supervisor = if dice.roll(6) == 0 {
        supervisor.intensity(3, Duration::from_millis(1))
    } else {
        supervisor.without_limit()
    };
    NAMES.into_iter().take(1 + dice.roll(5) as usize).fold(supervisor, |supervisor, name| {
        if depth < 2 && dice.roll(6) == 0 {
            let inner = troupe(dice, books, depth + 1);
            supervisor.child(spec(dice, name).supervisor(inner))
        } else {
            supervisor.child(member(dice, name, books))
        }
    })
}

/// Whatever one can do to a supervisor from outside, in any order. Every answer is right, as long as there is one.
async fn meddle(mut dice: Dice, children: Children, books: Arc<Books>) -> Result<(), Error> {
    for _ in 0..dice.roll(12) {
        let name = NAMES[dice.roll(5) as usize];
        match dice.roll(6) {
            0 => drop(children.add(member(&mut dice, name, &books)).await),
            1 => drop(children.terminate(name).await),
            2 => drop(children.remove(name).await),
            3 => drop(children.restart(name).await),
            4 => {
                let jobs = children.list().into_iter().filter_map(|status| status.job);
                jobs.for_each(|job| job.cancel());
            }
            _ => sleep(Duration::from_micros(dice.roll(300))).await,
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_life_ends_and_no_child_has_two() {
    let mut begun = 0;
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let books = Arc::new(Books::default());
        let storm = ballet::supervisor_scope(async |s: SupervisorScope| {
            let supervisor = troupe(&mut dice, &books, 0);
            let children = supervisor.children();
            let running = s.named("supervisor").spawn(async { Ok(supervisor.run().await) });
            for _ in 0..2 {
                drop(s.spawn(meddle(dice.fork(), children.clone(), Arc::clone(&books))));
            }
            sleep(Duration::from_micros(dice.roll(8_000))).await;
            match dice.roll(3) {
                0 => running.job().cancel(),
                1 => s.cancel_children(),
                _ => {
                    // It may not run yet, so it is told until it has heard.
                    while !running.job().state().is_ended() {
                        children.stop();
                        sleep(Duration::from_micros(50)).await;
                    }
                }
            }
            drop(running.await);
            Ok(())
        });
        let ended = tokio::time::timeout(Duration::from_secs(30), storm).await;
        assert!(ended.is_ok(), "seed {seed}: something never ended:\n{}", ballet::tree());
        assert_eq!(books.alive.load(Ordering::SeqCst), 0, "seed {seed}: a life outlived its supervisor");
        assert!(ballet::tree().children.is_empty(), "seed {seed}:\n{}", ballet::tree());
        begun += books.begun.load(Ordering::SeqCst);
    }
    assert!(begun > 600, "only {begun} lives: the storm is a breeze");
}
