//! A state that is set a million times, and watched by eight who come too late for most of it.
//!
//! Whoever sets it gives way after every sixteenth time, so that the watchers have their turns. Each of them goes on until
//! it is told the last value.

use anyhow::Result;
use ballet::{Error, Scope, StateFlow};
use bench_report::Row;
use bench_versus::mix;
use futures_util::future::join_all;
use tokio::sync::watch;

use super::Stage;
use super::turns::{Contender, compare as take_turns, timed};

const SETS: u64 = 1_000_000;
const WATCHERS: u64 = 8;
const BEFORE_GIVING_WAY: u64 = 16;

pub(super) fn compare(stage: &mut Stage, only: &str) -> Result<Vec<Row>> {
    let name = "conflated state, 8 watchers, a set";
    if !name.contains(only) {
        return Ok(Vec::new());
    }
    let checksum = mix(SETS).wrapping_mul(WATCHERS);
    let runtime = &stage.runtime;
    let kotlin = Contender::program("Kotlin StateFlow", &mut stage.kotlin, "flow-state", checksum)?;
    take_turns(
        name,
        vec![
            Contender::new("ballet", || timed(runtime, SETS, checksum, ours())),
            Contender::new("tokio watch", || timed(runtime, SETS, checksum, tokio())).goal(1.0),
            kotlin.goal(1.0),
        ],
    )
}

async fn ours() -> Result<u64, Error> {
    let (cell, state) = StateFlow::new(0);
    let sum = ballet::scope(async |s: Scope| {
        let watching: Vec<_> = (0..WATCHERS)
            .map(|_| {
                let mut watcher = state.watch();
                s.spawn(async move {
                    let mut last = 0;
                    while let Some(value) = watcher.recv().await {
                        last = value;
                    }
                    Ok(mix(last))
                })
            })
            .collect();
        s.spawn(async move {
            for value in 1..=SETS {
                cell.set(value);
                if value % BEFORE_GIVING_WAY == 0 {
                    ballet::yield_now().await;
                }
            }
            Ok(())
        });
        Ok(join_all(watching).await.into_iter().fold(0, u64::wrapping_add))
    });
    Ok(sum.await?)
}

async fn tokio() -> Result<u64, Error> {
    let (sender, receiver) = watch::channel(0);
    let sum = ballet::scope(async |s: Scope| {
        let watching: Vec<_> = (0..WATCHERS)
            .map(|_| {
                let mut receiver = receiver.clone();
                s.spawn(async move {
                    while receiver.changed().await.is_ok() {
                        receiver.borrow_and_update();
                    }
                    let last = *receiver.borrow();
                    Ok(mix(last))
                })
            })
            .collect();
        s.spawn(async move {
            for value in 1..=SETS {
                sender.send(value)?;
                if value % BEFORE_GIVING_WAY == 0 {
                    ballet::yield_now().await;
                }
            }
            Ok(())
        });
        Ok(join_all(watching).await.into_iter().fold(0, u64::wrapping_add))
    });
    Ok(sum.await?)
}
