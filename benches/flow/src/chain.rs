//! A chain that never waits: map → filter → map → fold over ten million numbers.
//!
//! The fold depends on the order, so that the plain loop is a loop too, and no compiler turns it into a sum of vectors.
//! What the loop gains where it may be one is a row of its own.

mod by_tokio;

use std::hint::black_box;

use anyhow::Result;
use ballet::{Error, FlowExt, flow};
use bench_report::Row;
use bench_versus::mix;
use futures_util::StreamExt;

use super::Stage;
use super::turns::{Contender, compare as take_turns, timed};

const ITEMS: u64 = 10_000_000;

/// The chain over any flow. A macro, because the future of a function over any flow would have no name.
macro_rules! chain {
    ($numbers:expr, $fold:expr) => {
        $numbers.map(mix).filter(is_wanted).map(fold_in).fold(0_u64, $fold)
    };
}

/// The chain over any stream of `futures`.
macro_rules! stream {
    ($numbers:expr, $fold:expr) => {
        $numbers
            .map(mix)
            .filter(|number| std::future::ready(is_wanted(number)))
            .map(fold_in)
            .fold(0_u64, |sum, number| std::future::ready($fold(sum, number)))
    };
}

/// Seven of eight. Of the numbers that `mix` makes every other one is even, which a compiler sees; of these bits it sees
/// nothing.
fn is_wanted(number: &u64) -> bool {
    number >> 61 != 0
}

fn fold_in(number: u64) -> u64 {
    number ^ (number >> 32)
}

fn in_order(sum: u64, number: u64) -> u64 {
    sum.rotate_left(5).wrapping_add(number)
}

/// The work, as a loop.
fn plain(items: u64, fold: impl Fn(u64, u64) -> u64) -> u64 {
    let mut sum = 0_u64;
    for number in 0..items {
        let mixed = mix(number);
        if is_wanted(&mixed) {
            sum = fold(sum, fold_in(mixed));
        }
    }
    sum
}

pub(super) fn compare(stage: &mut Stage, only: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let rows_of = [over_a_range, over_a_range_summed, over_code, in_a_box];
    let names =
        ["chain over a range", "chain over a range, a sum", "chain over code that emits", "chain in a box"];
    for (name, rows_of) in names.into_iter().zip(rows_of).filter(|(name, _)| name.contains(only)) {
        rows.extend(rows_of(stage, name)?);
    }
    Ok(rows)
}

fn over_a_range(stage: &mut Stage, name: &str) -> Result<Vec<Row>> {
    let Stage { runtime, go, kotlin } = stage;
    let checksum = plain(ITEMS, in_order);
    let go = Contender::program("Go iter.Seq", go, "flow-chain", checksum)?;
    let kotlin = Contender::program("Kotlin Flow", kotlin, "flow-chain", checksum)?;
    let contenders = vec![
        Contender::new("ballet", || {
            let work = async { Ok(chain!(flow::iter(0..black_box(ITEMS)), in_order).await) };
            timed(runtime, ITEMS, checksum, work)
        }),
        // No more than 1.2 times the loop.
        Contender::new("plain loop", || {
            timed(runtime, ITEMS, checksum, async { Ok(plain(black_box(ITEMS), in_order)) })
        })
        .goal(0.83),
        Contender::new("futures", || {
            let numbers = futures_util::stream::iter(0..black_box(ITEMS));
            timed(runtime, ITEMS, checksum, async { Ok(stream!(numbers, in_order).await) })
        })
        .goal(1.0),
        Contender::new("tokio-stream", || timed(runtime, ITEMS, checksum, by_tokio::chain(in_order)))
            .goal(1.0),
        go,
        kotlin.goal(10.0),
    ];
    take_turns(name, contenders)
}

fn over_a_range_summed(stage: &mut Stage, name: &str) -> Result<Vec<Row>> {
    let runtime = &stage.runtime;
    let checksum = plain(ITEMS, u64::wrapping_add);
    let contenders = vec![
        Contender::new("ballet", || {
            let work = async { Ok(chain!(flow::iter(0..black_box(ITEMS)), u64::wrapping_add).await) };
            timed(runtime, ITEMS, checksum, work)
        }),
        Contender::new("plain loop, vectorized", || {
            timed(runtime, ITEMS, checksum, async { Ok(plain(black_box(ITEMS), u64::wrapping_add)) })
        }),
        Contender::new("tokio-stream", || {
            timed(runtime, ITEMS, checksum, by_tokio::chain(u64::wrapping_add))
        }),
    ];
    take_turns(name, contenders)
}

fn over_code(stage: &mut Stage, name: &str) -> Result<Vec<Row>> {
    let Stage { runtime, kotlin, .. } = stage;
    let checksum = plain(ITEMS, in_order);
    let kotlin = Contender::program("Kotlin Flow", kotlin, "flow-chain", checksum)?;
    let contenders = vec![
        Contender::new("ballet", || timed(runtime, ITEMS, checksum, from_code())),
        Contender::new("async-stream", || timed(runtime, ITEMS, checksum, from_async_stream())).goal(1.0),
        kotlin,
    ];
    take_turns(name, contenders)
}

async fn from_code() -> Result<u64, Error> {
    let numbers = flow(async |out| {
        for number in 0..black_box(ITEMS) {
            out.emit(number).await;
        }
    });
    Ok(chain!(numbers, in_order).await)
}

async fn from_async_stream() -> Result<u64, Error> {
    let numbers = async_stream::stream! {
        for number in 0..black_box(ITEMS) {
            yield number;
        }
    };
    Ok(stream!(numbers, in_order).await)
}

fn in_a_box(stage: &mut Stage, name: &str) -> Result<Vec<Row>> {
    let runtime = &stage.runtime;
    let checksum = plain(ITEMS, in_order);
    let contenders = vec![
        Contender::new("ballet", || {
            let boxed = async { Ok(chain!(flow::iter(0..black_box(ITEMS)).boxed(), in_order).await) };
            timed(runtime, ITEMS, checksum, boxed)
        }),
        Contender::new("futures", || {
            let boxed = async {
                Ok(stream!(futures_util::stream::iter(0..black_box(ITEMS)).boxed(), in_order).await)
            };
            timed(runtime, ITEMS, checksum, boxed)
        })
        .goal(1.0),
    ];
    take_turns(name, contenders)
}
