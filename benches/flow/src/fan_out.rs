//! One emitter, many subscribers, nothing lost, 64 slots.
//!
//! A shared flow that suspends waits for the slowest, and so does Kotlin's. Tokio's sender does not, so it is held back by
//! credits: every receiver gives one for each round, which is half the buffer, and the sender begins a round when all of
//! the round before last have come. That is the cheapest way that we know to lose nothing with it.

use std::sync::Arc;

use anyhow::Result;
use ballet::{Error, Scope, SharedFlow, Sharing};
use bench_report::Row;
use bench_versus::mix;
use futures_util::future::join_all;
use tokio::sync::{Semaphore, broadcast};

use super::Stage;
use super::turns::{Contender, compare as take_turns, timed};

const SLOTS: usize = 64;

#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    request: &'static str,
    subscribers: u32,
    /// How many are emitted; each is received by all.
    items: u64,
}

const SCENARIOS: [Scenario; 2] = [
    Scenario { name: "fan-out 1 to 8, a receipt", request: "flow-fan-8", subscribers: 8, items: 50_000 },
    Scenario {
        name: "fan-out 1 to 1000, a receipt",
        request: "flow-fan-1000",
        subscribers: 1_000,
        items: 640,
    },
];

pub(super) fn compare(stage: &mut Stage, only: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for scenario in SCENARIOS.into_iter().filter(|scenario| scenario.name.contains(only)) {
        let receipts = u64::from(scenario.subscribers) * scenario.items;
        let once = (0..scenario.items).map(mix).fold(0, u64::wrapping_add);
        let checksum = once.wrapping_mul(u64::from(scenario.subscribers));
        let runtime = &stage.runtime;
        let kotlin = Contender::program("Kotlin SharedFlow", &mut stage.kotlin, scenario.request, checksum)?;
        let contenders = vec![
            Contender::new("ballet", || timed(runtime, receipts, checksum, shared(scenario))),
            Contender::new("tokio broadcast", || timed(runtime, receipts, checksum, tokio(scenario)))
                .goal(1.0),
            kotlin.goal(1.0),
        ];
        rows.extend(take_turns(scenario.name, contenders)?);
    }
    Ok(rows)
}

async fn shared(Scenario { subscribers, items, .. }: Scenario) -> Result<u64, Error> {
    let (emitter, flow) = SharedFlow::new(Sharing::suspend(SLOTS));
    let sum = ballet::scope(async |s: Scope| {
        let receiving: Vec<_> = (0..subscribers)
            .map(|_| {
                let mut subscriber = flow.subscribe();
                s.spawn(async move {
                    let mut sum = 0_u64;
                    while let Some(number) = subscriber.recv().await {
                        sum = sum.wrapping_add(mix(number));
                    }
                    Ok(sum)
                })
            })
            .collect();
        s.spawn(async move {
            for number in 0..items {
                emitter.emit(number).await?;
            }
            Ok(())
        });
        Ok(join_all(receiving).await.into_iter().fold(0, u64::wrapping_add))
    });
    Ok(sum.await?)
}

async fn tokio(Scenario { subscribers, items, .. }: Scenario) -> Result<u64, Error> {
    let round = SLOTS as u64 / 2;
    let (sender, first) = broadcast::channel(SLOTS);
    drop(first);
    let places = subscribers as usize;
    let credits = Arc::new([Semaphore::new(places), Semaphore::new(places)]);
    let sum = ballet::scope(async |s: Scope| {
        let receiving: Vec<_> = (0..subscribers)
            .map(|_| {
                let (mut receiver, credits) = (sender.subscribe(), Arc::clone(&credits));
                s.spawn(async move {
                    let mut sum = 0_u64;
                    for received in 1..=items {
                        sum = sum.wrapping_add(mix(receiver.recv().await?));
                        if received % round == 0 {
                            credits[(received / round % 2) as usize].add_permits(1);
                        }
                    }
                    Ok(sum)
                })
            })
            .collect();
        s.spawn(async move {
            for number in 0..items {
                if number % round == 0 {
                    let before_last = &credits[((number / round + 1) % 2) as usize];
                    before_last.acquire_many(subscribers).await?.forget();
                }
                sender.send(number)?;
            }
            Ok(())
        });
        Ok(join_all(receiving).await.into_iter().fold(0, u64::wrapping_add))
    });
    Ok(sum.await?)
}
