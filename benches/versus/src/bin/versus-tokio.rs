//! The scenarios of SCENARIOS.md by Tokio alone: tasks, each awaited by its handle.
#![expect(clippy::disallowed_methods, reason = "the peer that is measured")]

use std::time::Instant;

use bench_versus::{
    CANCELLED_CHILDREN, HAND_OVERS, IDLE_CHILDREN, ITEMS, Measured, Scenario, YIELDING_CHILDREN, YIELDS,
    all_waiting, mix, per, resident, serve, take_sum, wait_for_ever,
};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

fn main() -> anyhow::Result<()> {
    serve(run)
}

async fn run(scenario: Scenario) -> Measured {
    let measured = match scenario {
        Scenario::Waves { count, size } => waves(count, size).await,
        Scenario::Yield => yielding().await,
        Scenario::Switch => switching().await,
        Scenario::Channel { producers, places } => handing_over(producers, places).await,
        Scenario::Cancel => Ok(cancelling().await),
        Scenario::Idle => Ok(idling().await),
    };
    measured.unwrap_or_else(|error| panic!("no child panics: {error}"))
}

async fn waves(count: usize, size: usize) -> Result<Measured, JoinError> {
    let mut checksum = 0_u64;
    let start = Instant::now();
    for _ in 0..count {
        checksum = checksum.wrapping_add(wave(size).await?);
    }
    Ok(Measured { figure: per(start, count * size), checksum })
}

async fn wave(size: usize) -> Result<u64, JoinError> {
    let children = (0..size as u64).map(|number| tokio::spawn(async move { mix(number) })).collect();
    sum(children).await
}

async fn yielding() -> Result<Measured, JoinError> {
    let child = |number| async move {
        let mut value = number;
        for _ in 0..YIELDS {
            tokio::task::yield_now().await;
            value = mix(value);
        }
        value
    };
    let start = Instant::now();
    let children = (0..YIELDING_CHILDREN as u64).map(|number| tokio::spawn(child(number))).collect();
    let checksum = sum(children).await?;
    Ok(Measured { figure: per(start, YIELDING_CHILDREN * YIELDS), checksum })
}

async fn switching() -> Result<Measured, JoinError> {
    let (send_there, mut receive_there) = mpsc::channel(1);
    let (send_back, mut receive_back) = mpsc::channel(1);
    let start = Instant::now();
    let first = tokio::spawn(async move {
        let mut value = 0;
        for _ in 0..HAND_OVERS {
            send_there.send(mix(value)).await.ok()?;
            value = receive_back.recv().await?;
        }
        Some(value)
    });
    let second = tokio::spawn(async move {
        while let Some(value) = receive_there.recv().await {
            send_back.send(mix(value)).await.ok()?;
        }
        Some(())
    });
    let checksum = first.await?.unwrap_or_else(|| panic!("the second task left early"));
    second.await?;
    Ok(Measured { figure: per(start, HAND_OVERS), checksum })
}

async fn handing_over(producers: u64, places: usize) -> Result<Measured, JoinError> {
    let (tx, mut rx) = mpsc::channel(places.max(1));
    let start = Instant::now();
    for _ in 0..producers {
        let tx = tx.clone();
        tokio::spawn(async move {
            for number in 0..ITEMS / producers {
                tx.send(number).await.unwrap_or_else(|_| panic!("the consumer left early"));
            }
        });
    }
    drop(tx);
    let consumer = tokio::spawn(async move {
        let mut sum = 0_u64;
        while let Some(number) = rx.recv().await {
            sum = sum.wrapping_add(mix(number));
        }
        sum
    });
    let checksum = consumer.await?;
    Ok(Measured { figure: per(start, ITEMS as usize), checksum })
}

async fn cancelling() -> Measured {
    let children = waiting(CANCELLED_CHILDREN).await;
    let start = Instant::now();
    cancel(children).await;
    Measured { figure: per(start, CANCELLED_CHILDREN), checksum: take_sum(CANCELLED_CHILDREN) }
}

async fn idling() -> Measured {
    let before = resident();
    let children = waiting(IDLE_CHILDREN).await;
    let gained = resident() - before;
    cancel(children).await;
    Measured { figure: gained / IDLE_CHILDREN as f64, checksum: take_sum(IDLE_CHILDREN) }
}

async fn waiting(count: usize) -> Vec<JoinHandle<()>> {
    let children = (0..count).map(|number| tokio::spawn(wait_for_ever(number))).collect();
    all_waiting(count).await;
    children
}

async fn cancel(children: Vec<JoinHandle<()>>) {
    children.iter().for_each(JoinHandle::abort);
    for child in children {
        assert!(child.await.is_err_and(|error| error.is_cancelled()), "the child waits for ever");
    }
}

async fn sum(children: Vec<JoinHandle<u64>>) -> Result<u64, JoinError> {
    let mut sum = 0_u64;
    for child in children {
        sum = sum.wrapping_add(child.await?);
    }
    Ok(sum)
}
