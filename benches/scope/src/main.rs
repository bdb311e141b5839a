//! Spawning and joining children that do nothing: what a child costs, in ballet's scope and by Tokio's own means.
//!
//! A wave spawns its children and awaits every one of them. The contenders take turns round by round, so that a
//! slower minute of the machine slows all of them; each figure is the median over the rounds. Every wave runs inside
//! a task of a multi-thread runtime with two workers, and with the system's allocator.

use std::hint::black_box;
use std::time::Instant;

use bench_report::{Better, Comparison, Goal, Row, median};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::task::JoinSet;

const WORKERS: usize = 2;
const WAVES: [usize; 3] = [1, 16, 1_000];
const ROUNDS: usize = 11;
/// Children per contender and round; enough that the clock does not matter.
const CHILDREN: usize = 48_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contender {
    Scope,
    Spawn,
    JoinSet,
    /// Concurrent inside one task, not parallel: what a child costs where nothing is handed to another worker.
    FuturesUnordered,
}

const CONTENDERS: [Contender; 4] =
    [Contender::Scope, Contender::Spawn, Contender::JoinSet, Contender::FuturesUnordered];

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Contender::Scope => "ballet::scope",
            Contender::Spawn => "tokio::spawn",
            Contender::JoinSet => "tokio JoinSet",
            Contender::FuturesUnordered => "FuturesUnordered",
        }
    }

    /// How many times faster ours has to be.
    fn goal(self) -> Option<Goal> {
        match self {
            Contender::Spawn => Some(Goal::Ratio(5.0)),
            Contender::JoinSet => Some(Goal::Ratio(8.0)),
            Contender::Scope | Contender::FuturesUnordered => None,
        }
    }

    async fn wave(self, size: usize) -> u64 {
        match self {
            Contender::Scope => scope(size).await,
            Contender::Spawn => spawn(size).await,
            Contender::JoinSet => join_set(size).await,
            Contender::FuturesUnordered => futures_unordered(size).await,
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).build()?;
    let mut rows = Vec::new();
    for size in WAVES {
        let costs = runtime.block_on(on_a_worker(costs(size)))?;
        rows.extend(
            CONTENDERS[1..].iter().zip(&costs[1..]).map(|(peer, cost)| row(*peer, size, costs[0], *cost)),
        );
    }
    bench_report::print(&rows)?;
    Ok(())
}

fn row(peer: Contender, size: usize, ours: f64, cost: f64) -> Row {
    let comparison = Comparison {
        name: format!("spawn and join, waves of {size}"),
        unit: "ns/child",
        better: Better::Lower,
        peer_name: peer.name().to_owned(),
        goal: peer.goal(),
    };
    comparison.row(ours, cost)
}

/// The cost of a child for each contender, in their order.
async fn costs(size: usize) -> Vec<f64> {
    let mut rounds = CONTENDERS.map(|_| Vec::with_capacity(ROUNDS));
    // The first round warms up and does not count.
    for round in 0..=ROUNDS {
        for (contender, costs) in CONTENDERS.into_iter().zip(&mut rounds) {
            let cost = measure(contender, size).await;
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    eprintln!(
        "waves of {size}: {ROUNDS} rounds of {CHILDREN} children for each of {} contenders",
        CONTENDERS.len()
    );
    rounds.into_iter().map(median).collect()
}

/// Nanoseconds for a child, over one round.
async fn measure(contender: Contender, size: usize) -> f64 {
    let waves = CHILDREN / size;
    let start = Instant::now();
    for _ in 0..waves {
        let sum = contender.wave(size).await;
        assert_eq!(sum, expected(size), "{} lost a child's result", contender.name());
    }
    start.elapsed().as_nanos() as f64 / (waves * size) as f64
}

/// What the children's results add up to.
fn expected(size: usize) -> u64 {
    (0..size as u64).sum()
}

async fn child(number: usize) -> u64 {
    black_box(number as u64)
}

async fn scope(size: usize) -> u64 {
    let sum = ballet::scope(async |s: ballet::Scope| {
        let children: Vec<_> =
            (0..size).map(|number| s.spawn(async move { Ok(child(number).await) })).collect();
        let mut sum = 0;
        for deferred in children {
            sum += deferred.await;
        }
        Ok(sum)
    });
    sum.await.unwrap_or_else(|failure| panic!("no child fails: {failure}"))
}

#[expect(clippy::disallowed_methods, reason = "the peer that is measured")]
async fn spawn(size: usize) -> u64 {
    let children: Vec<_> = (0..size).map(|number| tokio::spawn(child(number))).collect();
    let mut sum = 0;
    for handle in children {
        sum += handle.await.unwrap_or_else(|error| panic!("no child panics: {error}"));
    }
    sum
}

async fn join_set(size: usize) -> u64 {
    let mut children: JoinSet<u64> = (0..size).map(child).collect();
    let mut sum = 0;
    while let Some(result) = children.join_next().await {
        sum += result.unwrap_or_else(|error| panic!("no child panics: {error}"));
    }
    sum
}

async fn futures_unordered(size: usize) -> u64 {
    let children: FuturesUnordered<_> = (0..size).map(child).collect();
    children.fold(0, async |sum, number| sum + number).await
}

/// Runs the measurement on a worker: `block_on` alone would run it on a thread that owns no queue.
#[expect(clippy::disallowed_methods, reason = "the root of the measurement, awaited by its only caller")]
async fn on_a_worker<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    tokio::spawn(work).await
}
