//! The scenarios of SCENARIOS.md in ballet: children of a scope, joined by its end.

use std::time::Instant;

use ballet::{Error, Failure, Scope, channel};
use bench_versus::{
    CANCELLED_CHILDREN, HAND_OVERS, IDLE_CHILDREN, ITEMS, Measured, Scenario, YIELDING_CHILDREN, YIELDS,
    all_waiting, leave, mix, per, resident, serve, take_sum, wait_for_ever,
};

fn main() -> anyhow::Result<()> {
    serve(run)
}

async fn run(scenario: Scenario) -> Measured {
    let measured = match scenario {
        Scenario::Waves { count, size } => waves(count, size).await,
        Scenario::Yield => yielding().await,
        Scenario::Switch => switching().await,
        Scenario::Channel { producers, places } => handing_over(producers, places).await,
        Scenario::Cancel => cancelling().await,
        Scenario::Idle => idling().await,
    };
    measured.unwrap_or_else(|failure| panic!("no child fails: {failure}"))
}

async fn waves(count: usize, size: usize) -> Result<Measured, Failure<Error>> {
    let mut checksum = 0_u64;
    let start = Instant::now();
    for _ in 0..count {
        checksum = checksum.wrapping_add(wave(size).await?);
    }
    Ok(Measured { figure: per(start, count * size), checksum })
}

async fn wave(size: usize) -> Result<u64, Failure<Error>> {
    ballet::scope(async |s: Scope| {
        for number in 0..size {
            s.spawn(async move {
                leave(number);
                Ok(())
            });
        }
        Ok(())
    })
    .await?;
    Ok(take_sum(size))
}

async fn yielding() -> Result<Measured, Failure<Error>> {
    let child = |number| async move {
        let mut value = number;
        for _ in 0..YIELDS {
            tokio::task::yield_now().await;
            value = mix(value);
        }
        Ok(value)
    };
    let start = Instant::now();
    let checksum = ballet::scope(async |s: Scope| {
        let children: Vec<_> = (0..YIELDING_CHILDREN as u64).map(|number| s.spawn(child(number))).collect();
        let mut sum = 0_u64;
        for deferred in children {
            sum = sum.wrapping_add(deferred.await);
        }
        Ok(sum)
    })
    .await?;
    Ok(Measured { figure: per(start, YIELDING_CHILDREN * YIELDS), checksum })
}

async fn switching() -> Result<Measured, Failure<Error>> {
    let (send_there, receive_there) = channel::bounded(0);
    let (send_back, receive_back) = channel::bounded(0);
    let start = Instant::now();
    let checksum = ballet::scope(async |s: Scope| {
        let first = s.spawn(async move {
            let mut value = 0;
            for _ in 0..HAND_OVERS {
                send_there.send(mix(value)).await?;
                value =
                    receive_back.recv().await?.ok_or_else(|| Error::msg("the second child left early"))?;
            }
            Ok(value)
        });
        s.spawn(async move {
            while let Some(value) = receive_there.recv().await? {
                send_back.send(mix(value)).await?;
            }
            Ok(())
        });
        Ok(first.await)
    })
    .await?;
    Ok(Measured { figure: per(start, HAND_OVERS), checksum })
}

async fn handing_over(producers: u64, places: usize) -> Result<Measured, Failure<Error>> {
    let (tx, rx) = channel::bounded(places);
    let start = Instant::now();
    let checksum = ballet::scope(async |s: Scope| {
        for _ in 0..producers {
            let tx = tx.clone();
            s.spawn(async move {
                for number in 0..ITEMS / producers {
                    tx.send(number).await?;
                }
                Ok(())
            });
        }
        drop(tx);
        let consumer = s.spawn(async move {
            let mut sum = 0_u64;
            while let Some(number) = rx.recv().await? {
                sum = sum.wrapping_add(mix(number));
            }
            Ok(sum)
        });
        Ok(consumer.await)
    })
    .await?;
    Ok(Measured { figure: per(start, ITEMS as usize), checksum })
}

async fn cancelling() -> Result<Measured, Failure<Error>> {
    let start = ballet::scope(async |s: Scope| {
        start_waiting(&s, CANCELLED_CHILDREN).await;
        let start = Instant::now();
        s.cancel_children();
        Ok(start)
    })
    .await?;
    Ok(Measured { figure: per(start, CANCELLED_CHILDREN), checksum: take_sum(CANCELLED_CHILDREN) })
}

async fn idling() -> Result<Measured, Failure<Error>> {
    let gained = ballet::scope(async |s: Scope| {
        let before = resident();
        start_waiting(&s, IDLE_CHILDREN).await;
        let gained = resident() - before;
        s.cancel_children();
        Ok(gained)
    })
    .await?;
    Ok(Measured { figure: gained / IDLE_CHILDREN as f64, checksum: take_sum(IDLE_CHILDREN) })
}

async fn start_waiting(s: &Scope, count: usize) {
    for number in 0..count {
        s.spawn(wait_for_ever::<Result<(), Error>>(number));
    }
    all_waiting(count).await;
}
