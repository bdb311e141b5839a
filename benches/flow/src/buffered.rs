//! Numbers through a buffer of 64 places, from one child to another.

use anyhow::Result;
use ballet::{Error, FlowExt, Scope, channel, flow};
use bench_report::Row;
use bench_versus::mix;

use super::Stage;
use super::turns::{Contender, compare as take_turns, timed};

const ITEMS: u64 = 1_000_000;
const PLACES: usize = 64;

pub(super) fn compare(stage: &mut Stage, only: &str) -> Result<Vec<Row>> {
    let name = "through a buffer of 64";
    if !name.contains(only) {
        return Ok(Vec::new());
    }
    let checksum = (0..ITEMS).map(mix).fold(0, u64::wrapping_add);
    let runtime = &stage.runtime;
    let go = Contender::program("Go channel", &mut stage.go, "flow-buffer", checksum)?;
    let kotlin = Contender::program("Kotlin buffer", &mut stage.kotlin, "flow-buffer", checksum)?;
    take_turns(
        name,
        vec![
            Contender::new("ballet", || timed(runtime, ITEMS, checksum, ours())),
            Contender::new("ballet channel", || timed(runtime, ITEMS, checksum, our_channel())),
            Contender::new("tokio mpsc", || timed(runtime, ITEMS, checksum, tokio_channel())).goal(1.0),
            go.goal(2.0),
            kotlin.goal(4.0),
        ],
    )
}

async fn ours() -> Result<u64, Error> {
    Ok(flow::iter(0..ITEMS).buffer(PLACES).map(mix).fold(0, u64::wrapping_add).await)
}

async fn our_channel() -> Result<u64, Error> {
    let sum = ballet::scope(async |s: Scope| {
        let (tx, rx) = channel::bounded(PLACES);
        s.spawn(async move {
            for number in 0..ITEMS {
                tx.send(number).await?;
            }
            Ok(())
        });
        let mut sum = 0_u64;
        while let Some(number) = rx.recv().await? {
            sum = sum.wrapping_add(mix(number));
        }
        Ok(sum)
    });
    Ok(sum.await?)
}

async fn tokio_channel() -> Result<u64, Error> {
    let sum = ballet::scope(async |s: Scope| {
        let (tx, mut rx) = tokio::sync::mpsc::channel(PLACES);
        s.spawn(async move {
            for number in 0..ITEMS {
                tx.send(number).await?;
            }
            Ok(())
        });
        let mut sum = 0_u64;
        while let Some(number) = rx.recv().await {
            sum = sum.wrapping_add(mix(number));
        }
        Ok(sum)
    });
    Ok(sum.await?)
}
