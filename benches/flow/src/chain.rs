//! A chain that never waits: map → filter → map → fold over ten million numbers.

mod by_tokio;

use std::hint::black_box;

use anyhow::Result;
use ballet::{FlowExt, flow};
use bench_report::Row;
use bench_versus::mix;
use futures_util::StreamExt;
use tokio::runtime::Runtime;

use super::Stage;
use super::turns::{Contender, compare as take_turns, timed};

const ITEMS: u64 = 10_000_000;

/// The chain over any flow. A macro, because the future of a function over any flow would have no name.
macro_rules! chain {
    ($numbers:expr) => {
        $numbers.map(mix).filter(is_wanted).map(fold_in).fold(0_u64, u64::wrapping_add)
    };
}

/// The chain over any stream of `futures`.
macro_rules! stream {
    ($numbers:expr) => {
        $numbers
            .map(mix)
            .filter(|number| std::future::ready(is_wanted(number)))
            .map(fold_in)
            .fold(0_u64, |sum, number| std::future::ready(sum.wrapping_add(number)))
    };
}

fn is_wanted(number: &u64) -> bool {
    number.is_multiple_of(2)
}

fn fold_in(number: u64) -> u64 {
    number ^ (number >> 32)
}

/// The work, as a loop.
fn plain(items: u64) -> u64 {
    let mut sum = 0_u64;
    for number in 0..items {
        let mixed = mix(number);
        if is_wanted(&mixed) {
            sum = sum.wrapping_add(fold_in(mixed));
        }
    }
    sum
}

pub(super) fn compare(stage: &mut Stage, only: &str) -> Result<Vec<Row>> {
    let checksum = plain(ITEMS);
    let runtime = &stage.runtime;
    let mut rows = Vec::new();
    let name = "chain over a range";
    if name.contains(only) {
        let loop_ = Contender::new("plain loop", || {
            timed(runtime, ITEMS, checksum, async { Ok(plain(black_box(ITEMS))) })
        });
        let ours = Contender::new("ballet", || {
            timed(runtime, ITEMS, checksum, async { Ok(chain!(flow::iter(0..black_box(ITEMS))).await) })
        });
        let go = Contender::program("Go iter.Seq", &mut stage.go, "flow-chain", checksum)?;
        let kotlin = Contender::program("Kotlin Flow", &mut stage.kotlin, "flow-chain", checksum)?;
        rows.extend(take_turns(
            name,
            vec![
                ours,
                // No more than 1.2 times the loop.
                loop_.goal(1.0 / 1.2),
                Contender::new("futures", || futures(runtime, checksum)).goal(1.0),
                Contender::new("tokio-stream", || timed(runtime, ITEMS, checksum, by_tokio::chain()))
                    .goal(1.0),
                go,
                kotlin.goal(10.0),
            ],
        )?);
    }
    let name = "chain over code that emits";
    if name.contains(only) {
        let ours = Contender::new("ballet", || timed(runtime, ITEMS, checksum, from_code()));
        let async_stream = Contender::new("async-stream", || async_stream(runtime, checksum)).goal(1.0);
        let kotlin = Contender::program("Kotlin Flow", &mut stage.kotlin, "flow-chain", checksum)?;
        rows.extend(take_turns(name, vec![ours, async_stream, kotlin])?);
    }
    let name = "chain in a box";
    if name.contains(only) {
        let ours = Contender::new("ballet", || {
            let boxed = async { Ok(chain!(flow::iter(0..black_box(ITEMS)).map(|n| n).boxed()).await) };
            timed(runtime, ITEMS, checksum, boxed)
        });
        let futures = Contender::new("futures", || {
            let boxed = async {
                Ok(stream!(futures_util::stream::iter(0..black_box(ITEMS)).map(|n| n).boxed()).await)
            };
            timed(runtime, ITEMS, checksum, boxed)
        });
        rows.extend(take_turns(name, vec![ours, futures.goal(1.0)])?);
    }
    Ok(rows)
}

async fn from_code() -> Result<u64, ballet::Error> {
    let numbers = flow(async |out| {
        for number in 0..black_box(ITEMS) {
            out.emit(number).await;
        }
    });
    Ok(chain!(numbers).await)
}

fn futures(runtime: &Runtime, checksum: u64) -> Result<f64> {
    let work = async { Ok(stream!(futures_util::stream::iter(0..black_box(ITEMS))).await) };
    timed(runtime, ITEMS, checksum, work)
}

fn async_stream(runtime: &Runtime, checksum: u64) -> Result<f64> {
    let work = async {
        let numbers = async_stream::stream! {
            for number in 0..black_box(ITEMS) {
                yield number;
            }
        };
        Ok(stream!(numbers).await)
    };
    timed(runtime, ITEMS, checksum, work)
}
