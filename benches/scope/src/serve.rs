//! The loop of a measuring process: a line with a case in, a line with its figure out.

use std::io::{self, BufRead, Write};
use std::pin::Pin;

use anyhow::{Context, Result, anyhow};
use bench_report::a_core_for_each_thread;
use tokio::runtime::{Builder, Runtime};

use crate::case::{Case, Flavour, Scenario};
use crate::peer::{Awaited, Buffered, Guest, Local, OnTokio, Peer, Scope, Set, Spawn, Tracker, Unordered};
use crate::scenario::measure;

/// Answers until standard input ends.
///
/// # Errors
///
/// When a line is not a case, or a runtime cannot be built, or the measurement panicked.
pub fn serve() -> Result<()> {
    start_watch()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let case: Case = serde_json::from_str(&line).with_context(|| format!("not a case: {line}"))?;
        writeln!(io::stdout(), "{}", answer(case)?)?;
    }
    Ok(())
}

/// The first scope on several workers starts ballet's watch, a thread that looks after those who stand behind a long poll:
/// here, where no worker has a core of its own yet, since the watch would stay on that.
fn start_watch() -> Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let opened = runtime.block_on(ballet::scope(async |_: ballet::Scope| Ok(())));
    opened.map_err(|failure| anyhow!("cannot open a scope: {failure}"))
}

/// Each measurement has a runtime of its own, so that none leaves anything to the next.
fn answer(case: Case) -> Result<f64> {
    let runtime = runtime(case.flavour)?;
    // On a worker: `block_on` alone would measure from a thread that has no queue.
    let measured = runtime.spawn(measurement(case.peer, case.scenario));
    runtime.block_on(measured).with_context(|| format!("cannot measure {case:?}"))
}

fn runtime(flavour: Flavour) -> io::Result<Runtime> {
    match flavour {
        Flavour::TwoWorkers => Builder::new_multi_thread()
            .worker_threads(2)
            .on_thread_start(a_core_for_each_thread())
            .enable_time()
            .build(),
        Flavour::CurrentThread => Builder::new_current_thread().enable_time().build(),
    }
}

/// Where a program of ballet's opens its scopes, but for the first.
async fn in_a_job(measurement: impl Future<Output = f64> + Send + 'static) -> f64 {
    let figure = ballet::scope(async |s: ballet::Scope| Ok(s.spawn(async { Ok(measurement.await) }).await));
    figure.await.unwrap_or_else(|failure| panic!("no measurement fails: {failure}"))
}

fn measurement(peer: Peer, scenario: Scenario) -> Pin<Box<dyn Future<Output = f64> + Send>> {
    match peer {
        Peer::Scope => Box::pin(measure::<Scope>(scenario)),
        Peer::Awaited => Box::pin(measure::<Awaited>(scenario)),
        Peer::InJob => Box::pin(in_a_job(measure::<Scope>(scenario))),
        Peer::AwaitedInJob => Box::pin(in_a_job(measure::<Awaited>(scenario))),
        Peer::OnTokio => Box::pin(measure::<OnTokio>(scenario)),
        Peer::Local => Box::pin(measure::<Local>(scenario)),
        Peer::Spawn => Box::pin(measure::<Spawn>(scenario)),
        Peer::JoinSet => Box::pin(measure::<Set>(scenario)),
        Peer::Tracker => Box::pin(measure::<Tracker>(scenario)),
        Peer::Executor => Box::pin(measure::<Guest>(scenario)),
        Peer::Unordered => Box::pin(measure::<Unordered>(scenario)),
        Peer::Buffered => Box::pin(measure::<Buffered>(scenario)),
    }
}
