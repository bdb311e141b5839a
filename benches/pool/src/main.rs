//! A bounded pool of places: ballet's bulkhead against a mutex with a condition variable, Tokio's semaphore, and no
//! bound at all.
//!
//! The contenders take turns round by round, so that a slower minute of the machine slows all of them; a figure is the
//! median over the rounds. Async callers are children of one ballet scope on two workers, whatever they queue for, so
//! that only the pool differs; the callers of the condition variable are threads, because it blocks them.

mod gate;

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use ballet::{Bulkhead, Scope};
use bench_report::{Better, Comparison, Goal, Row, median};
use tokio::runtime::Runtime;
use tokio::task::yield_now;

use gate::{Gate, MutexAndCondvar, TokioSemaphore, Unbounded};

const WORKERS: usize = 2;
const ROUNDS: usize = 9;
/// Callers that queue for the places, at the same time.
const CALLERS: usize = 16;

/// What is measured.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    places: usize,
    callers: usize,
    /// How often each caller goes through.
    visits: usize,
    /// How long a visit keeps its place busy, on a processor.
    work: Duration,
    /// How much of the semaphore's speed is to be kept.
    goal: Goal,
}

const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "alone, no work",
        places: 1,
        callers: 1,
        visits: 100_000,
        work: Duration::ZERO,
        goal: Goal::Ratio(0.75),
    },
    Scenario {
        name: "16 callers for 1 place, no work",
        places: 1,
        callers: CALLERS,
        visits: 1_000,
        work: Duration::ZERO,
        goal: Goal::Ratio(0.67),
    },
    Scenario {
        name: "16 callers for 4 places, 10 µs of work",
        places: 4,
        callers: CALLERS,
        visits: 200,
        work: Duration::from_micros(10),
        goal: Goal::Ratio(0.95),
    },
];

/// Nanoseconds for a visit, and the most that were inside at once.
struct Seen {
    cost: f64,
    most: usize,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let mut rows = Vec::new();
    for scenario in SCENARIOS {
        eprintln!("{}: {ROUNDS} rounds of {} visits", scenario.name, scenario.callers * scenario.visits);
        rows.extend(compare(&runtime, scenario)?);
    }
    rows.extend(rejections());
    bench_report::print(&rows)?;
    Ok(())
}

fn compare(runtime: &Runtime, scenario: Scenario) -> Result<Vec<Row>> {
    let mut rounds: [Vec<Seen>; 4] = Default::default();
    // The first round warms up and does not count.
    for round in 0..=ROUNDS {
        let seen = [
            runtime.block_on(visit::<Bulkhead>(scenario))?,
            runtime.block_on(visit::<TokioSemaphore>(scenario))?,
            visit_by_threads(scenario),
            runtime.block_on(visit::<Unbounded>(scenario))?,
        ];
        if round > 0 {
            rounds.iter_mut().zip(seen).for_each(|(rounds, seen)| rounds.push(seen));
        }
    }
    let most = |rounds: &[Seen]| rounds.iter().map(|seen| seen.most).max().unwrap_or(0);
    let crowds = rounds.each_ref().map(|rounds| most(rounds));
    anyhow::ensure!(
        crowds[..3].iter().all(|most| *most <= scenario.places),
        "a bound was exceeded: {crowds:?}"
    );
    let [ours, semaphore, condvar, unbounded] =
        rounds.map(|rounds| median(rounds.into_iter().map(|seen| seen.cost).collect()));
    let row = |peer: &str, cost, goal| comparison(scenario.name, "ns/visit", peer, goal).row(ours, cost);
    let mut rows = vec![
        row("tokio Semaphore", semaphore, Some(scenario.goal)),
        row("Mutex + Condvar", condvar, Some(Goal::Ratio(1.0))),
        row("no bound", unbounded, None),
    ];
    if scenario.callers > scenario.places {
        let crowd = comparison(scenario.name, "inside at once", "no bound", None);
        rows.push(crowd.row(crowds[0] as f64, crowds[3] as f64));
    }
    Ok(rows)
}

fn comparison(name: &str, unit: &'static str, peer: &str, goal: Option<Goal>) -> Comparison {
    Comparison { name: name.to_owned(), unit, better: Better::Lower, peer_name: peer.to_owned(), goal }
}

/// Who is inside, and the most that ever were.
#[derive(Default)]
struct Crowd {
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    fn enter(&self) {
        let inside = self.inside.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(inside, Ordering::Relaxed);
    }

    fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Children of a scope go through the gate; each yields inside, so that others find it taken.
async fn visit<G: Gate>(scenario: Scenario) -> Result<Seen> {
    let (gate, crowd) = (G::new(scenario.places), Arc::new(Crowd::default()));
    let began = Instant::now();
    ballet::scope(async |s: Scope| {
        for _ in 0..scenario.callers {
            let (gate, crowd) = (gate.clone(), Arc::clone(&crowd));
            s.spawn(async move {
                for _ in 0..scenario.visits {
                    let place = gate.acquire().await?;
                    crowd.enter();
                    work(scenario.work);
                    if scenario.callers > 1 {
                        yield_now().await;
                    }
                    crowd.leave();
                    drop(black_box(place));
                }
                Ok(())
            });
        }
        Ok(())
    })
    .await
    .map_err(|failure| anyhow!("{failure}"))?;
    Ok(seen(scenario, began, &crowd))
}

/// The same by threads, who block.
fn visit_by_threads(scenario: Scenario) -> Seen {
    let (gate, crowd) = (MutexAndCondvar::new(scenario.places), Crowd::default());
    // Started threads wait for each other, and are not counted.
    let start = Barrier::new(scenario.callers + 1);
    let began = thread::scope(|threads| {
        for _ in 0..scenario.callers {
            threads.spawn(|| {
                start.wait();
                for _ in 0..scenario.visits {
                    gate.acquire();
                    crowd.enter();
                    work(scenario.work);
                    if scenario.callers > 1 {
                        thread::yield_now();
                    }
                    crowd.leave();
                    gate.release();
                }
            });
        }
        start.wait();
        Instant::now()
    });
    seen(scenario, began, &crowd)
}

fn seen(scenario: Scenario, began: Instant, crowd: &Crowd) -> Seen {
    let visits = (scenario.callers * scenario.visits) as f64;
    Seen { cost: began.elapsed().as_nanos() as f64 / visits, most: crowd.most.load(Ordering::Relaxed) }
}

/// Keeps a processor busy.
fn work(time: Duration) {
    if time.is_zero() {
        return;
    }
    let began = Instant::now();
    while began.elapsed() < time {
        spin_loop();
    }
}

/// What it costs to be turned away.
fn rejections() -> Vec<Row> {
    const TRIES: u32 = 200_000;
    let (ours, semaphore, condvar) =
        (<Bulkhead as Gate>::new(0), TokioSemaphore::new(0), MutexAndCondvar::new(0));
    let measure = |is_let_in: &dyn Fn() -> bool| {
        let began = Instant::now();
        let let_in = (0..TRIES).filter(|_| black_box(is_let_in())).count();
        assert_eq!(let_in, 0, "nobody is let in where there is no place");
        began.elapsed().as_nanos() as f64 / f64::from(TRIES)
    };
    let mut rounds: [Vec<f64>; 3] = Default::default();
    for round in 0..=ROUNDS {
        let costs = [
            measure(&|| Gate::try_acquire(&ours)),
            measure(&|| semaphore.try_acquire()),
            measure(&|| condvar.try_acquire()),
        ];
        if round > 0 {
            rounds.iter_mut().zip(costs).for_each(|(rounds, cost)| rounds.push(cost));
        }
    }
    let [ours, semaphore, condvar] = rounds.map(median);
    let row = |peer, cost| comparison("turned away", "ns", peer, None).row(ours, cost);
    vec![row("tokio Semaphore", semaphore), row("Mutex + Condvar", condvar)]
}
