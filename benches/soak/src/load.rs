//! One wave of load: everything of it is drawn from a seed, but for the order in which two workers come to it.
//!
//! Trees of the model, supervisors whose children fail, pipelines of channels, timeouts and blocking calls run beside
//! each other, with faults at the named points. What a wave counts it counts by what came out, so that a wave in which
//! nothing goes wrong, or nothing gets through, shows in the report.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use ballet::testing::Faults;
use ballet::{
    Backoff, Cancel, Error, Life, Scope, Supervisor, SupervisorScope, channel, child, fault_point, timeout,
};
use fastrand::Rng;
use proptest::prelude::{ProptestConfig, Strategy};
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use tokio::time::sleep;

use crate::perform::World;
use crate::plan::Nest;
use crate::{balance, perform, plan};

const TREES: usize = 32;
const PIPELINES: usize = 16;
const SUPERVISORS: usize = 8;
const BLOCKING_CALLS: usize = 32;
/// What is cut off in a tree, in the model's units, of which one is two nanoseconds here.
const TREE_UNITS_MAX: u64 = 5_000_000;
const ITEMS: u32 = 200;
/// How long a supervisor and a pipeline are let run.
const PART_MAX: Duration = Duration::from_millis(10);

/// What came out.
#[derive(Default)]
pub(crate) struct Tally {
    trees: AtomicU64,
    items: AtomicU64,
    restarts: AtomicU64,
    escalations: AtomicU64,
    calls: AtomicU64,
    elapsed: AtomicU64,
    failures: AtomicU64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts().into_iter().zip(other.counts()) {
            mine.1.fetch_add(theirs.1.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn counts(&self) -> [(&'static str, &AtomicU64); 7] {
        [
            ("trees", &self.trees),
            ("items", &self.items),
            ("restarts", &self.restarts),
            ("escalations", &self.escalations),
            ("blocking calls", &self.calls),
            ("timeouts", &self.elapsed),
            ("failures", &self.failures),
        ]
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts().map(|(name, count)| format!("{} {name}", count.load(Ordering::Relaxed)));
        f.write_str(&counts.join(", "))
    }
}

fn one(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Runs a wave to its end.
///
/// # Errors
///
/// Where the books of a tree do not balance.
pub(crate) async fn wave(seed: u64) -> Result<Arc<Tally>> {
    let tally = Arc::new(Tally::default());
    let faults = faults(seed);
    let trees = trees(seed)?;
    let world: Vec<_> = trees.iter().map(|_| World::new(Duration::from_nanos(2))).collect();
    let run = ballet::supervisor_scope(async |s: SupervisorScope| {
        let failed = Arc::clone(&tally);
        s.on_failure(move |_| one(&failed.failures));
        for (tree, world) in trees.iter().zip(&world) {
            let tree = perform::open(tree.clone(), Arc::clone(world));
            s.named("tree")
                .spawn(async move { tree.await.map_err(|fault| Error::msg(format!("{fault:?}"))) });
        }
        let mut dice = Rng::with_seed(seed);
        (0..PIPELINES)
            .for_each(|_| drop(s.named("pipeline").spawn(pipeline(dice.fork(), Arc::clone(&tally)))));
        (0..SUPERVISORS).for_each(|_| drop(s.named("supervisor").spawn(supervisor(Arc::clone(&tally)))));
        (0..BLOCKING_CALLS).for_each(|_| drop(blocking(&s, dice.fork(), &tally)));
        Ok(())
    });
    faults.during(run).await.map_err(|failure| anyhow!("the wave itself failed: {failure}"))?;
    for (tree, world) in trees.iter().zip(&world) {
        let books = world.close();
        balance::ended(tree, &books).map_err(|wrong| anyhow!("{wrong}, in {tree:#?}"))?;
        one(&tally.trees);
    }
    Ok(tally)
}

fn faults(seed: u64) -> Faults {
    let faults = Faults::seeded(seed);
    faults.at("life").chance(0.1).fails(|| Error::msg("the life fails"));
    faults.at("life").chance(0.01).panics();
    faults.at("produce").chance(0.001).fails(|| Error::msg("the source is torn"));
    faults.at("consume").chance(0.001).panics();
    faults.at("consume").chance(0.001).cancels();
    faults.at("consume").chance(0.01).delays(Duration::from_micros(200));
    faults
}

fn trees(seed: u64) -> Result<Vec<Nest>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let tree = plan::tree(TREE_UNITS_MAX);
    let sample = |_| tree.new_tree(&mut runner).map(|tree| tree.current());
    (0..TREES).map(sample).collect::<Result<_, _>>().map_err(|why| anyhow!("{why}")).context("no tree came")
}

/// Items from some producers through a narrow channel to some consumers, for a while.
async fn pipeline(mut dice: Rng, tally: Arc<Tally>) -> Result<(), Error> {
    let (tx, rx) = channel::bounded::<u32>(dice.usize(1..8));
    let (producers, consumers) = (dice.u32(1..4), dice.u32(1..4));
    let passed = Arc::clone(&tally);
    let flow = ballet::scope(async move |s: Scope| {
        for _ in 0..producers {
            let tx = tx.clone();
            s.named("producer").spawn(async move {
                for item in 0..ITEMS {
                    fault_point::<Error>("produce").await?;
                    tx.send(item).await?;
                }
                Ok(())
            });
        }
        drop(tx);
        for _ in 0..consumers {
            let (rx, passed) = (rx.clone(), Arc::clone(&passed));
            s.named("consumer").spawn(async move {
                while rx.recv().await?.is_some() {
                    fault_point::<Error>("consume").await?;
                    one(&passed.items);
                }
                Ok(())
            });
        }
        Ok(())
    });
    match timeout(PART_MAX, flow).await {
        Ok(ended) => Ok(ended?),
        Err(_) => {
            one(&tally.elapsed);
            Ok(())
        }
    }
}

/// Two children that fail now and then, until there was enough of it.
async fn supervisor(tally: Arc<Tally>) -> Result<(), Error> {
    let backoff = Backoff::exponential(Duration::from_micros(50), Duration::from_millis(1));
    let life = |name| {
        child(name).backoff(backoff).run(async |life: Life| {
            life.ready();
            loop {
                fault_point::<Error>("life").await?;
                sleep(Duration::from_micros(100)).await;
            }
        })
    };
    let restarts = Arc::clone(&tally);
    let supervisor = Supervisor::one_for_all()
        .intensity(4, Duration::from_secs(1))
        .child(life("first"))
        .child(life("second"))
        .on_incident(move |_| one(&restarts.restarts));
    match timeout(PART_MAX, supervisor.run()).await {
        Ok(Err(_)) => one(&tally.escalations),
        Ok(Ok(_)) | Err(_) => one(&tally.elapsed),
    }
    Ok(())
}

/// A call that blocks a thread for a moment, or until it is asked to stop.
fn blocking(s: &SupervisorScope, mut dice: Rng, tally: &Arc<Tally>) -> ballet::Job {
    let (tally, patience) = (Arc::clone(tally), Duration::from_micros(dice.u64(1..3_000)));
    let waits_to_be_asked = dice.bool();
    let call = s.named("call").blocking(move |cancel: &Cancel| {
        loop {
            std::thread::park_timeout(patience);
            if cancel.is_cancelled() || !waits_to_be_asked {
                one(&tally.calls);
                return Ok(());
            }
        }
    });
    let job = call.job().clone();
    if waits_to_be_asked {
        let asked = job.clone();
        s.named("impatient").spawn(async move {
            sleep(patience).await;
            asked.cancel();
            Ok(())
        });
    }
    job
}
