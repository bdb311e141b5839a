//! A whole pool at work: workers arrive one after the other, and each gets in, gives up, or waits.

use std::time::Duration;

use ballet::{Bulkhead, Failure, Occupancy, Scope};
use tokio::time::sleep;

use crate::{Idle, Recorder};

/// What a worker does that is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It goes home.
    Reject,
    /// It stands in line for the next place that is given back.
    Retry,
}

/// A pool, its workers, and how they behave.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// How many workers come.
    pub workers: usize,
    /// How many places there are.
    pub places: usize,
    /// What a worker does that is turned away.
    pub policy: Policy,
    /// The time from one arrival to the next.
    pub interval: Duration,
    /// How long each worker works.
    pub work: Duration,
}

impl Story {
    /// Plays it to its end, and tells how full the pool is then and what it did.
    ///
    /// # Errors
    ///
    /// When a worker fails: none does here, as long as the pool stays open.
    ///
    /// # Cancel safety
    ///
    /// Dropping it cancels the workers; every place is given back.
    pub async fn play(self, recorder: Recorder) -> Result<Occupancy, Failure<ballet::Error>> {
        let pool = Bulkhead::new("pool", self.places);
        ballet::scope(async |s: Scope| {
            for number in 1..=self.workers {
                let idle = Idle::new(number, &pool, &recorder);
                s.named(format!("worker {number}")).spawn(self.live(number, idle));
            }
            Ok(())
        })
        .await?;
        Ok(pool.occupancy())
    }

    /// The life of one worker.
    async fn live(self, number: usize, idle: Idle) -> Result<(), ballet::Error> {
        sleep(self.interval.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX))).await;
        let acquired = match (idle.try_acquire(), self.policy) {
            (Ok(acquired), _) => acquired,
            (Err(_), Policy::Reject) => return Ok(()),
            (Err(turned_away), Policy::Retry) => {
                turned_away.idle.acquire().await.map_err(|still| still.rejected)?
            }
        };
        acquired.begin().work(sleep(self.work)).await;
        Ok(())
    }
}
