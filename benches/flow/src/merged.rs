//! Sixty-four flows of numbers, sixteen of them merged at a time.

use anyhow::Result;
use ballet::{Error, FlowExt, flow};
use bench_report::Row;
use bench_versus::mix;
use futures_util::{StreamExt, stream};

use super::Stage;
use super::turns::{Contender, compare as take_turns, timed};

const FLOWS: u64 = 64;
const EACH: u64 = 16_384;
const LIMIT: usize = 16;

pub(super) fn compare(stage: &mut Stage, only: &str) -> Result<Vec<Row>> {
    let name = "merged, 16 at a time";
    if !name.contains(only) {
        return Ok(Vec::new());
    }
    let items = FLOWS * EACH;
    let checksum = (0..items).map(mix).fold(0, u64::wrapping_add);
    let runtime = &stage.runtime;
    let kotlin = Contender::program("Kotlin flatMapMerge", &mut stage.kotlin, "flow-merge", checksum)?;
    take_turns(
        name,
        vec![
            Contender::new("ballet", || timed(runtime, items, checksum, ours())),
            Contender::new("futures", || timed(runtime, items, checksum, futures())).goal(1.0),
            kotlin.goal(10.0),
        ],
    )
}

fn numbers(flow: u64) -> std::ops::Range<u64> {
    flow * EACH..(flow + 1) * EACH
}

async fn ours() -> Result<u64, Error> {
    let merged = flow::iter(0..FLOWS).flat_map_merge(LIMIT, |n| flow::iter(numbers(n)));
    Ok(merged.map(mix).fold(0, u64::wrapping_add).await)
}

async fn futures() -> Result<u64, Error> {
    let merged = stream::iter(0..FLOWS).flat_map_unordered(LIMIT, |n| stream::iter(numbers(n)));
    Ok(merged.map(mix).fold(0, async |sum: u64, number| sum.wrapping_add(number)).await)
}
